//! The steps of a build in their order, and the artifact that comes of them.

use std::path::PathBuf;

use model::artifact::{Content, Part, Server, ToolchainLayer};
use model::failure::Code;
use model::plan::Serve;
use model::{Artifact, Digest, Failure, Tree};
use sandbox::log::Level;
use store::Store;

use super::key::Place;
use super::output::{self, Built};
use super::request::BuildError;
use super::work::{Layer, Work, blocking, build_layer_keys};
use crate::toolchain::Resolved;

/// The steps of a build in their order.
pub(super) async fn make(work: &Work<'_>, key: &Digest) -> Result<Artifact, BuildError> {
    let dependencies = work.install().await?;
    let plan = &work.request.plan;
    let serves_files = plan
        .services
        .iter()
        .any(|service| matches!(service.serve, Serve::Static { .. }));
    let Some(step) = &plan.build else {
        return assemble(work, dependencies.as_ref(), Upper::Nothing).await;
    };
    if !serves_files {
        let keys = build_layer_keys(key, work.readable());
        if let Some(layer) = work.find_layer(keys).await? {
            work.say(
                Level::Info,
                &format!(
                    "Using what an earlier build wrote (layer {})",
                    &layer.0.hex()[..12]
                ),
            );
            return assemble(work, dependencies.as_ref(), Upper::Layer(layer)).await;
        }
    }
    let staging = work.build(step, dependencies.as_ref()).await?;
    if plan
        .services
        .iter()
        .all(|service| matches!(service.serve, Serve::Static { .. }))
    {
        return assemble(work, dependencies.as_ref(), Upper::Staged(staging)).await;
    }
    let layer = work
        .commit(staging, Place::build_layer(key, work.request.trust))
        .await?;
    assemble(work, dependencies.as_ref(), Upper::Layer(layer)).await
}

/// What the build step wrote.
enum Upper {
    Nothing,
    /// Kept, because instances run over it.
    Layer(Layer),
    /// Only looked into for the files to be served.
    Staged(store::Staging),
}

async fn assemble(
    work: &Work<'_>,
    dependencies: Option<&Layer>,
    upper: Upper,
) -> Result<Artifact, BuildError> {
    let plan = &work.request.plan;
    let path = match &upper {
        Upper::Nothing => None,
        Upper::Layer((_, path)) => Some(path.clone()),
        Upper::Staged(staging) => Some(staging.path().to_owned()),
    };
    let mut services = Vec::new();
    for service in &plan.services {
        let content = match &service.serve {
            Serve::Static { output, spa } => {
                let tree = collect(work, path.clone(), dependencies, output).await?;
                Content::Static { tree, spa: *spa }
            }
            Serve::Server {
                command,
                port,
                health,
                ..
            } => Content::Server(Server {
                source: work.request.tree,
                layers: dependencies
                    .filter(|_| !stands_alone(work.toolchains))
                    .map(|(key, _)| *key)
                    .into_iter()
                    .chain(upper.layer())
                    .collect(),
                toolchains: work
                    .toolchains
                    .iter()
                    .filter(|resolved| !resolved.only_builds)
                    .map(toolchain_layer)
                    .collect(),
                root: plan.root.clone(),
                command: command.clone(),
                port: *port,
                health: health.clone(),
                variables: plan.variables.clone(),
            }),
        };
        services.push(Part {
            service: service.name.clone(),
            content,
        });
    }
    let _ = tokio::task::spawn_blocking(move || drop(upper)).await;
    Ok(Artifact { services })
}

/// The static files of a service, stored.
async fn collect(
    work: &Work<'_>,
    upper: Option<PathBuf>,
    dependencies: Option<&Layer>,
    output: &str,
) -> Result<Digest, BuildError> {
    // Where the root itself is served, what the install wrote is no part of it.
    let dependencies = dependencies.filter(|_| !output.is_empty());
    let layers = upper.into_iter().chain(work.lowers(dependencies)).collect();
    let plan = &work.request.plan;
    let built = Built {
        layers,
        root: plan.root.clone(),
    };
    let guessed = plan.framework == "build-script";
    let (store, output, planned) = (work.inner.store.clone(), output.to_owned(), output.to_owned());
    let (tree, place, files) = blocking(move || {
        let (tree, place) = output::collect(&store, &built, &output, guessed)?;
        Ok((put(&store, &tree)?, place, tree.entries().len()))
    })
    .await?;
    if let Some(place) = place {
        let text =
            format!("Nothing was written to `{planned}`; serving `{place}`, where an index.html was written");
        work.say(Level::Warn, &text);
    }
    work.say(
        Level::Info,
        &format!("Took {files} files from `{}`", place.unwrap_or(&planned)),
    );
    Ok(tree)
}

impl Upper {
    fn layer(&self) -> Option<Digest> {
        match self {
            Self::Layer((key, _)) => Some(*key),
            Self::Nothing | Self::Staged(_) => None,
        }
    }
}

/// Whether what was built runs without anything that built it: a compiled program needs no dependencies beside it.
fn stands_alone(toolchains: &[Resolved]) -> bool {
    !toolchains.is_empty() && toolchains.iter().all(|resolved| resolved.only_builds)
}

fn toolchain_layer(resolved: &Resolved) -> ToolchainLayer {
    ToolchainLayer {
        name: resolved.name.clone(),
        version: resolved.version.to_string(),
        layer: resolved.layer,
    }
}

/// Stores a tree of files to be served.
pub(super) fn put(store: &Store, tree: &Tree) -> Result<Digest, Failure> {
    store.put_tree(tree).map_err(|error| {
        Failure::new(
            Code::PlatformError,
            format!("the files to be served could not be stored: {error}"),
        )
    })
}
