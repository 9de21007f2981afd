//! What a deployment is given: variables of the project file, of its scope and of its own, most special last, opened
//! only here and only when something is about to use them.

use std::collections::BTreeMap;
use std::io::Read;

use model::project_file::{self, ProjectFile};
use model::tree::Node;
use store::Store;

use crate::control::Control;
use crate::rows::{self, deployment::Deployment};
use crate::secret::SealError;

/// Variables in clear, and which of their values must never be seen.
#[derive(Clone, Default)]
pub(crate) struct Given {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) secrets: Vec<String>,
}

/// The variables of a deployment could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GiveError {
    #[error("the variables could not be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error(transparent)]
    Open(#[from] SealError),
    #[error("the value of `{0}` is not text")]
    NotText(String),
}

/// What a deployment's own variable is sealed for.
pub(crate) fn place_of(deployment: &model::DeploymentId, name: &str) -> String {
    format!("deployment/{deployment}/{name}")
}

impl Control {
    /// Everything that `deployment` is given by people, in clear.
    pub(crate) async fn given(&self, deployment: &Deployment) -> Result<Given, GiveError> {
        let mut given = Given {
            variables: self.of_project_file(deployment),
            secrets: Vec::new(),
        };
        let environment = deployment.environment.as_str();
        let scope = (deployment.project.as_str(), deployment.namespace.as_str());
        for row in rows::variable::applying(self.db().read(), scope.0, scope.1, environment).await? {
            if row.secret && !deployment.trust.gets_secrets() {
                continue;
            }
            let value = self.open_text(&row.name, &row.place(), &row.sealed)?;
            if row.secret {
                given.secrets.push(value.clone());
            }
            given.variables.insert(row.name, value);
        }
        // Whoever deploys passes these by hand, often a token: none of them belongs into a log.
        for (name, sealed) in rows::variable::of_deployment(self.db().read(), &deployment.id).await? {
            let value = self.open_text(&name, &place_of(&deployment.id, &name), &sealed)?;
            given.secrets.push(value.clone());
            given.variables.insert(name, value);
        }
        Ok(given)
    }

    fn open_text(&self, name: &str, place: &str, sealed: &str) -> Result<String, GiveError> {
        let bytes = self.inner.sealer.open(place, sealed)?;
        String::from_utf8(bytes).map_err(|_| GiveError::NotText(name.to_owned()))
    }

    fn of_project_file(&self, deployment: &Deployment) -> BTreeMap<String, String> {
        // A file that does not parse fails the deployment in detection, with its line.
        let source = deployment.source.as_ref();
        let file = source.and_then(|source| read_project_file(&self.inner.store, source, deployment.root()));
        let file = file.unwrap_or_default();
        file.variables(deployment.environment)
    }

    /// What the platform tells an application about itself, when it runs.
    pub(crate) fn told(&self, deployment: &Deployment, alias: &str) -> Vec<(String, String)> {
        let pinned = deployment
            .label
            .as_deref()
            .map(|label| self.url(label))
            .unwrap_or_default();
        let told = [
            ("CYGNI", "1".to_owned()),
            ("CYGNI_URL", self.url(alias)),
            ("CYGNI_DEPLOYMENT_URL", pinned),
            ("CYGNI_PROJECT", deployment.project.to_string()),
            ("CYGNI_NAMESPACE", deployment.namespace.to_string()),
            ("CYGNI_ENVIRONMENT", deployment.environment.to_string()),
            ("CYGNI_DEPLOYMENT", deployment.id.to_string()),
        ];
        let revision = deployment.revision.as_ref();
        let of_revision = [
            (
                "CYGNI_COMMIT",
                revision.map(|revision| revision.commit.to_string()),
            ),
            (
                "CYGNI_BRANCH",
                revision.and_then(|revision| revision.branch.clone()),
            ),
            (
                "CYGNI_PULL_REQUEST",
                revision.and_then(|revision| revision.pull_request.map(|number| number.to_string())),
            ),
        ];
        let of_revision = of_revision
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)));
        told.into_iter()
            .chain(of_revision)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The cx.toml of the project in `directory` of a source, if it has one that can be read.
pub(crate) fn read_project_file(
    store: &Store,
    source: &model::Digest,
    directory: &str,
) -> Option<ProjectFile> {
    let tree = store.tree(source).ok()?;
    let path = match directory {
        "" => project_file::FILE_NAME.to_owned(),
        directory => format!("{directory}/{}", project_file::FILE_NAME),
    };
    let Node::File { digest, .. } = tree.get(&path)? else {
        return None;
    };
    let mut bytes = Vec::new();
    let file = store.open_blob(digest).ok()?;
    // One more than is taken, so that a larger file is refused and not cut.
    file.take(project_file::FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    ProjectFile::read(&bytes).ok()
}
