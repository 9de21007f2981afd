//! Projects, and what the server says of itself.

use model::{ProjectId, ProjectName};

use super::OpError;
use crate::control::Control;
use crate::rows::{self};
use crate::secret::random;
use crate::view;

impl Control {
    /// Every project, by name.
    pub async fn projects(&self) -> Result<Vec<view::Project>, OpError> {
        let mut projects = Vec::new();
        for row in rows::project::all(self.db().read()).await? {
            projects.push(self.show_project(row).await?);
        }
        Ok(projects)
    }

    /// One project.
    pub async fn project(&self, name: &ProjectName) -> Result<view::Project, OpError> {
        let row = self.project_row(name).await?;
        self.show_project(row).await
    }

    /// Makes a project; one of that name that is there already is as good.
    pub async fn create_project(&self, name: &ProjectName) -> Result<view::Project, OpError> {
        let id = ProjectId::from_random(random()?);
        rows::project::ensure(self.db().write(), &id, name, self.now()).await?;
        self.project(name).await
    }

    /// Deletes the project with all its previews, variables and builds; gives the previews that went.
    pub async fn delete_project(&self, name: &ProjectName) -> Result<Vec<view::Preview>, OpError> {
        let project = self.project_row(name).await?;
        let mut deleted = Vec::new();
        for preview in rows::preview::all(self.db().read()).await? {
            if preview.project_id == project.id {
                deleted.push(self.view_preview(preview.clone()).await?);
                self.delete_preview_rows(&preview, "preview.deleted").await?;
            }
        }
        let mut tx = self.db().begin().await?;
        let connection = rows::project_repository::of_project(&mut *tx, &project.id).await?;
        rows::variable::delete_of(&mut tx, name.as_str(), None).await?;
        // A preview made in this very moment holds the project back, and the operation can be asked for again.
        rows::project::delete(&mut *tx, &project.id).await.map_err(|_| {
            OpError::new(
                super::Kind::Conflict,
                "in_use",
                format!("something was deployed to `{name}` just now"),
            )
            .hint("Delete it again.")
        })?;
        if let Some(connection) = &connection {
            self.release_repository(&mut tx, &connection.repository_id)
                .await?;
        }
        tx.commit().await?;
        if let Some(connection) = connection {
            self.tend_hook(&connection.repository_id).await?;
            self.inner.work.ring();
        }
        Ok(deleted)
    }

    /// Whether `token` is the bearer token, in a time that does not tell how much of it is right.
    pub fn token_matches(&self, token: &str) -> bool {
        let digest = |text: &str| *model::Digest::of(text.as_bytes()).as_bytes();
        let (given, right) = (digest(token), digest(&self.inner.token));
        given
            .iter()
            .zip(right)
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
    }

    /// What the server says of itself to anybody.
    pub async fn health(&self) -> view::Health {
        view::Health {
            status: "ok".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            installation: self.inner.installation.clone(),
            started_at_ms: self.inner.started_at_ms,
            domain: self.inner.public.domain.clone(),
        }
    }

    pub(crate) async fn project_row(&self, name: &ProjectName) -> Result<rows::project::Project, OpError> {
        match rows::project::by_name(self.db().read(), name).await? {
            Some(found) => Ok(found),
            None => Err(self.unknown_project(name).await?),
        }
    }

    async fn show_project(&self, row: rows::project::Project) -> Result<view::Project, OpError> {
        Ok(view::Project {
            repository: self.shown_connection(&row.id).await?,
            id: row.id,
            name: row.name,
            created_at_ms: row.created_at_ms,
            previews: row.previews,
            paused: row.paused,
        })
    }

    async fn unknown_project(&self, name: &ProjectName) -> Result<OpError, OpError> {
        let all = rows::project::all(self.db().read()).await?;
        let names = all.iter().map(|project| project.name.as_str());
        Ok(OpError::unknown("project", name.as_str(), names))
    }
}
