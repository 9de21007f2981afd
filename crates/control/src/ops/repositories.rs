//! Which project is which part of which repository: connected, changed, disconnected.
//!
//! The forge is asked before anything is written, so that a project without access is never there. The webhook is wanted by
//! a row and made after it: where that does not succeed, the row says why, and catching up does without.

use forge::ForgeError;
use forge::change::RepositoryName;
use model::git::GitBounds;
use model::{ProjectId, ProjectName, RepositoryId, TreePath};

use super::{Kind, OpError};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::rows::repository::Hook;
use crate::rows::{self};
use crate::secret::random;
use crate::view;

/// Branches that the operator names for a project.
const BRANCHES_MAX: usize = 50;
/// Bytes of the name of a branch or a label.
const NAME_BYTES_MAX: usize = 255;

/// The repository of a project.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// The name of the forge; the only one there is where it is `None`.
    pub forge: Option<String>,
    pub repository: RepositoryName,
    /// The project's directory in it; empty for all of it.
    pub root: String,
    /// What the operator says above the project's own settings.
    pub bounds: GitBounds,
    /// Whether the forge is to be told where to deliver to, where it does not know that already.
    pub webhook: bool,
}

/// What is to change about a project; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    pub root: Option<String>,
    pub bounds: Option<GitBounds>,
}

impl Control {
    /// Makes the project where it is not there yet, and says which part of which repository it is.
    pub async fn connect_repository(
        &self,
        project: &ProjectName,
        new: NewConnection,
    ) -> Result<view::Project, OpError> {
        check_bounds(&new.bounds)?;
        let root = checked_root(&new.root)?;
        let forge = match new.forge {
            Some(name) => name,
            None => self.only_forge().await?,
        };
        let open = self.forge(&forge).await?;
        let truth = open.forge.repository(&new.repository).await;
        let truth = truth.map_err(|error| refused(&error, &open, &new.repository))?;
        let mut tx = self.db().begin().await?;
        let project_id = ProjectId::from_random(random()?);
        rows::project::ensure(&mut *tx, &project_id, project, self.now()).await?;
        let row = rows::project::by_name(&mut *tx, project).await?;
        let row = row.ok_or_else(|| OpError::not_found("project", project))?;
        let another = rows::project_repository::of_project(&mut *tx, &row.id).await?;
        let id = RepositoryId::from_random(random()?);
        rows::repository::set(&mut tx, &id, (&forge, &truth), self.now()).await?;
        let repository = rows::repository::by_outside_id(&mut *tx, &forge, &truth.reference.id).await?;
        let repository = repository.ok_or_else(|| OpError::internal("the repository is not there"))?;
        if another.is_some_and(|another| another.repository_id != repository.id) {
            let message = format!("the project `{project}` belongs to another repository already");
            return Err(OpError::new(Kind::Conflict, "connected", message)
                .hint("Disconnect it first: `cx project disconnect`."));
        }
        rows::project_repository::set(&mut *tx, &row.id, &repository.id, (&root, &new.bounds)).await?;
        let hook = Hook {
            wanted: new.webhook,
            not_before_ms: 0,
            trouble: None,
            ..repository.hook
        };
        rows::repository::set_hook(&mut *tx, &repository.id, &hook).await?;
        tx.commit().await?;
        // Now, so that whoever asks hears what came of it; the pass goes on where it did not succeed.
        self.tend_hook(&repository.id).await?;
        self.inner.work.ring();
        self.project(project).await
    }

    /// The project goes on without its repository; the previews of its changes go.
    pub async fn disconnect_repository(&self, project: &ProjectName) -> Result<view::Project, OpError> {
        let row = self.project_row(project).await?;
        let connection = rows::project_repository::of_project(self.db().read(), &row.id).await?;
        let connection = connection.ok_or_else(|| not_connected(project))?;
        let mut tx = self.db().begin().await?;
        rows::project_repository::delete(&mut *tx, &row.id).await?;
        self.release_repository(&mut tx, &connection.repository_id)
            .await?;
        tx.commit().await?;
        self.tend_hook(&connection.repository_id).await?;
        self.inner.work.ring();
        self.project(project).await
    }

    /// Changes what the operator says of the project, which counts at once for all its changes.
    pub async fn set_project(
        &self,
        project: &ProjectName,
        change: ProjectChange,
    ) -> Result<view::Project, OpError> {
        let row = self.project_row(project).await?;
        let connection = rows::project_repository::of_project(self.db().read(), &row.id).await?;
        let connection = connection.ok_or_else(|| not_connected(project))?;
        let root = match &change.root {
            Some(root) => checked_root(root)?,
            None => connection.root,
        };
        let bounds = change.bounds.unwrap_or(connection.bounds);
        check_bounds(&bounds)?;
        let mut tx = self.db().begin().await?;
        rows::project_repository::set(&mut *tx, &row.id, &connection.repository_id, (&root, &bounds)).await?;
        rows::repository::want_list(&mut *tx, &connection.repository_id).await?;
        tx.commit().await?;
        self.inner.work.ring();
        self.project(project).await
    }

    /// From now on changes of the project are noted, and nothing is deployed because of them.
    pub async fn pause_project(&self, project: &ProjectName) -> Result<view::Project, OpError> {
        self.set_paused(project, true).await
    }

    /// What has changed meanwhile is caught up with.
    pub async fn resume_project(&self, project: &ProjectName) -> Result<view::Project, OpError> {
        self.set_paused(project, false).await
    }

    async fn set_paused(&self, project: &ProjectName, paused: bool) -> Result<view::Project, OpError> {
        let row = self.project_row(project).await?;
        let mut tx = self.db().begin().await?;
        rows::project::set_paused(&mut *tx, &row.id, paused).await?;
        if let Some(connection) = rows::project_repository::of_project(&mut *tx, &row.id).await? {
            rows::repository::want_list(&mut *tx, &connection.repository_id).await?;
        }
        tx.commit().await?;
        self.inner.work.ring();
        self.project(project).await
    }

    /// A project has left the repository: with the last one its webhook is no longer wanted.
    pub(super) async fn release_repository(
        &self,
        tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
        id: &RepositoryId,
    ) -> Result<(), OpError> {
        let left = rows::project_repository::of_repository(&mut **tx, id).await?;
        let Some(repository) = rows::repository::by_id(&mut **tx, id).await? else {
            return Ok(());
        };
        if left.is_empty() {
            let hook = Hook {
                wanted: false,
                not_before_ms: 0,
                ..repository.hook
            };
            rows::repository::set_hook(&mut **tx, id, &hook).await?;
        }
        // What was told of it is told anew, without the one that left.
        Ok(rows::repository::want_list(&mut **tx, id).await?)
    }

    /// The repositories that projects belong to, by forge and name.
    pub async fn repositories(&self) -> Result<Vec<view::Repository>, OpError> {
        let mut repositories = Vec::new();
        for row in rows::repository::all(self.db().read()).await? {
            let projects = rows::project_repository::of_repository(self.db().read(), &row.id).await?;
            if !projects.is_empty() {
                repositories.push(shown(row));
            }
        }
        Ok(repositories)
    }

    pub(super) async fn shown_connection(
        &self,
        project: &ProjectId,
    ) -> Result<Option<view::ProjectRepository>, OpError> {
        let db = self.db().read();
        let Some(connection) = rows::project_repository::of_project(db, project).await? else {
            return Ok(None);
        };
        let repository = rows::repository::by_id(db, &connection.repository_id).await?;
        Ok(repository.map(|repository| view::ProjectRepository {
            root: connection.root,
            settings: connection.bounds,
            repository: shown(repository),
        }))
    }
}

/// A repository as it is shown.
fn shown(row: rows::repository::Repository) -> view::Repository {
    let hook = row.hook;
    view::Repository {
        id: row.id,
        forge: row.forge,
        name: row.name.to_string(),
        default_branch: row.default_branch,
        web_url: row.web_url,
        state: row.state.to_string(),
        held_reason: row.held_reason,
        trouble: row.trouble,
        listed_at_ms: row.listed_at_ms,
        webhook: match (hook.wanted, hook.done && hook.trouble.is_none()) {
            (false, _) => "none",
            (true, true) => "set",
            (true, false) => "wanted",
        }
        .to_owned(),
        webhook_trouble: hook.trouble,
    }
}

fn not_connected(project: &ProjectName) -> OpError {
    let message = format!("the project `{project}` has no repository");
    OpError::new(Kind::Conflict, "not_connected", message)
        .hint("`cx project create --repo owner/name` connects it with one.")
}

/// The project's directory in its repository, without slashes at its ends.
fn checked_root(text: &str) -> Result<String, OpError> {
    let root = text.trim_matches('/');
    if matches!(root, "" | ".") {
        return Ok(String::new());
    }
    match TreePath::new(root) {
        Ok(path) => Ok(path.to_string()),
        Err(error) => Err(
            OpError::invalid("invalid_root", format!("the root directory is wrong: {error}"))
                .hint("Name a directory of the repository, such as `apps/web`."),
        ),
    }
}

fn check_bounds(bounds: &GitBounds) -> Result<(), OpError> {
    let branches = bounds.branches.as_deref().unwrap_or_default();
    let names = branches.iter().chain(&bounds.label).chain(&bounds.approve_label);
    let wrong = if branches.len() > BRANCHES_MAX {
        Some(format!(
            "{} branches are named and {BRANCHES_MAX} are taken",
            branches.len()
        ))
    } else if branches.iter().any(String::is_empty) {
        Some("the name of a branch is empty".to_owned())
    } else if names.into_iter().any(|name| name.len() > NAME_BYTES_MAX) {
        Some(format!(
            "the name of a branch or label is longer than {NAME_BYTES_MAX} bytes"
        ))
    } else if [bounds.previews_max, bounds.previews_per_author_max].contains(&Some(0)) {
        Some("a limit of previews is at least 1".to_owned())
    } else {
        None
    };
    match wrong {
        None => Ok(()),
        Some(message) => Err(OpError::invalid("invalid_settings", message)
            .hint("`docs/guides/pull-requests.md` lists every setting.")),
    }
}

/// Why a repository cannot be connected.
fn refused(error: &ForgeError, open: &OpenForge, repository: &RepositoryName) -> OpError {
    let web = open.settings.web.as_str();
    match error {
        ForgeError::NotFound { .. } => {
            let message = format!("{web} has no repository `{repository}` that we may see");
            let hint = match open.install_url() {
                Some(url) => format!("Check its name, and let the App see it: {url}"),
                None => "Check its name, and that the token may read it.".to_owned(),
            };
            OpError::new(Kind::NotFound, "repository_not_found", message).hint(hint)
        }
        ForgeError::Denied { message } => {
            let message = format!("{web} refused our credentials: {message}");
            OpError::new(Kind::Forbidden, "forge_denied", message)
                .hint("Give the forge new ones with `cx forge add`.")
        }
        ForgeError::Limited { .. } | ForgeError::Unavailable { .. } => {
            OpError::new(Kind::Unavailable, "forge_unavailable", format!("{web}: {error}"))
                .hint("Nothing was changed. Try again later.")
        }
        error => OpError::invalid("forge_refused", format!("{web}: {error}")),
    }
}
