//! Which preview a command means.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use control::view;
use model::name::nearest;
use model::project_file::{FILE_BYTES_MAX, FILE_NAME, ProjectFile};
use model::{NamespaceName, ProjectName};

use crate::cli::TargetArgs;
use crate::client::Client;
use crate::exit::{Exit, Fault, instead};
use crate::upload::{open_regular, root_of};

/// A project and a namespace: a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) project: ProjectName,
    pub(super) namespace: NamespaceName,
}

impl Target {
    /// What `args` name, completed for `dir`.
    pub(super) fn new(args: &TargetArgs, dir: &Path) -> anyhow::Result<Self> {
        let project = args.project.clone().map_or_else(|| project_of(dir), Ok)?;
        Ok(Self {
            project,
            namespace: args.namespace.clone().unwrap_or_else(NamespaceName::main),
        })
    }

    /// What `args` name, completed for the current directory.
    pub(super) fn here(args: &TargetArgs) -> anyhow::Result<Self> {
        Self::new(args, Path::new("."))
    }

    pub(super) async fn preview(&self, client: &Client) -> anyhow::Result<view::Preview> {
        client.find_preview(&self.project, &self.namespace).await
    }
}

/// The deployment that `id`, or its beginning, names.
pub(super) async fn named(client: &Client, id: &str) -> anyhow::Result<view::Deployment> {
    let found = client.deployment(id).await;
    found.map_err(|error| instead(&error, "`cx inspect` lists the deployments of a preview").into())
}

/// The deployment that `id` names, or else the newest of the preview that `args` name.
pub(super) async fn deployment(
    client: &Client,
    id: Option<&str>,
    args: &TargetArgs,
) -> anyhow::Result<view::Deployment> {
    if let Some(id) = id {
        return named(client, id).await;
    }
    let target = Target::here(args)?;
    let newest = target.preview(client).await?.newest;
    let nothing = || {
        let message = format!(
            "nothing has been deployed to {} of {} yet",
            target.namespace, target.project
        );
        Fault::failed("nothing_deployed", message).hint("deploy with `cx deploy`")
    };
    Ok(newest.ok_or_else(nothing)?)
}

/// The deployment that `id` names, or else the one that the preview serves, or else its newest.
pub(super) async fn serving(
    client: &Client,
    id: Option<&str>,
    args: &TargetArgs,
) -> anyhow::Result<view::Deployment> {
    if id.is_none()
        && let Some(current) = Target::here(args)?.preview(client).await?.current
    {
        return client.deployment(current.as_str()).await;
    }
    deployment(client, id, args).await
}

/// The previews of `namespace`, or only that of `project` in it; there is at least one.
pub(super) async fn of_namespace(
    client: &Client,
    namespace: &NamespaceName,
    project: Option<&ProjectName>,
) -> anyhow::Result<Vec<view::Preview>> {
    let all = client.previews().await?;
    let meant = |preview: &&view::Preview| {
        preview.namespace == *namespace && project.is_none_or(|project| *project == preview.project)
    };
    let found: Vec<view::Preview> = all.iter().filter(meant).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names = all.iter().map(|preview| preview.namespace.as_str());
    let hint = match nearest(namespace.as_str(), names) {
        Some(meant) if meant != namespace.as_str() => {
            format!("did you mean `{meant}`? `cx list` shows what there is")
        }
        _ => "`cx list` shows what there is".to_owned(),
    };
    let of = project.map_or_else(String::new, |project| format!(" of {project}"));
    let message = format!("there is no preview{of} in the namespace {namespace}");
    Err(Fault::new(Exit::NotFound, "no_such_preview", message)
        .hint(hint)
        .into())
}

/// The project of a directory: what its cx.toml says, else its name.
pub(super) fn project_of(dir: &Path) -> anyhow::Result<ProjectName> {
    let dir = root_of(dir)?;
    if let Some(name) = read(&dir.join(FILE_NAME))?.and_then(|file| file.project) {
        return Ok(ProjectName::new(&name)?);
    }
    Ok(ProjectName::from_text(
        &dir.file_name().unwrap_or_default().to_string_lossy(),
    ))
}

fn read(file: &Path) -> anyhow::Result<Option<ProjectFile>> {
    let refuse = |message: String, hint: &str| Fault::failed("invalid_project_file", message).hint(hint);
    let open = match open_regular(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            let message = format!(
                "{} is a link, a directory or something else that is no file",
                file.display()
            );
            return Err(refuse(message, "put a file in its place").into());
        }
        opened => opened,
    };
    let mut bytes = Vec::new();
    // One more than is taken, so that a larger file is refused and not cut.
    open.and_then(|open| open.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let message = format!("cannot read {}: {error}", file.display());
            refuse(message, "let yourself read it, or run cx as its owner")
        })?;
    let read = ProjectFile::read(&bytes);
    Ok(Some(read.map_err(|error| {
        refuse(error.to_string(), "correct the line named")
    })?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::fault_of;

    #[test]
    fn the_directory_names_the_project_unless_its_file_does() {
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("My Shop");
        std::fs::create_dir(&shop).unwrap();
        assert_eq!(project_of(&shop).unwrap().as_str(), "my-shop");
        std::fs::write(shop.join("cx.toml"), "project = \"store\"\n").unwrap();
        assert_eq!(project_of(&shop).unwrap().as_str(), "store");
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cx.toml"), "\nprojekt = \"x\"\n").unwrap();
        let fault = fault_of(&project_of(dir.path()).unwrap_err());
        assert!(fault.message.starts_with("cx.toml:2:1:"), "{}", fault.message);
    }
}
