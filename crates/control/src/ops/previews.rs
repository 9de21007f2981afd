//! Previews: shown, changed, deleted.

use model::preview::{Origin, TimeToLive};
use model::{EnvironmentName, NamespaceName, PreviewId, ProjectName};
use sqlx::{Sqlite, Transaction};

use super::OpError;
use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::preview::Preview;
use crate::rows::{self};
use crate::secret::random;
use crate::view;

/// What is to change about a preview; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct PreviewChange {
    /// Counted from now on.
    pub ttl: Option<TimeToLive>,
    /// Ready deployments that are kept, at least 1.
    pub keep: Option<u32>,
}

/// A preview that is to be there before anything is deployed to it.
#[derive(Clone, Debug)]
pub struct NewPreview {
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub environment: EnvironmentName,
    /// `None`: what the server says.
    pub ttl: Option<TimeToLive>,
}

/// What a preview must be like, whether it has to be made or not.
pub(crate) struct WantedPreview<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) namespace: &'a NamespaceName,
    pub(crate) environment: EnvironmentName,
    pub(crate) origin: &'a Origin,
    /// Where the project says; what the server says otherwise.
    pub(crate) keep: Option<u32>,
    /// The same.
    pub(crate) ttl: Option<TimeToLive>,
}

impl Control {
    /// Makes an empty preview, so that its address is known; one that is there already is as good.
    pub async fn create_preview(&self, new: NewPreview) -> Result<view::Preview, OpError> {
        self.create_project(&new.project).await?;
        let mut tx = self.db().begin().await?;
        if rows::preview::by_name(&mut *tx, &new.project, &new.namespace)
            .await?
            .is_none()
        {
            let wanted = WantedPreview {
                project: &new.project,
                namespace: &new.namespace,
                environment: new.environment,
                origin: &Origin::Files,
                keep: None,
                ttl: new.ttl,
            };
            self.ensure_preview(&mut tx, wanted).await?;
        }
        tx.commit().await?;
        self.after_change(&[]).await;
        self.find_preview(&new.project, &new.namespace).await
    }

    /// The preview that is wanted, made where it is not there yet; its project must be. Its time begins anew.
    pub(crate) async fn ensure_preview(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        wanted: WantedPreview<'_>,
    ) -> Result<Preview, OpError> {
        if let Some(preview) = rows::preview::by_name(&mut **tx, wanted.project, wanted.namespace).await? {
            rows::preview::touch(tx, &preview.id, wanted.environment, wanted.origin).await?;
            if let Some(keep) = wanted.keep {
                rows::preview::set_keep(&mut **tx, &preview.id, keep).await?;
            }
            let ttl = wanted.ttl.unwrap_or(preview.ttl);
            rows::preview::begin_life(&mut **tx, &preview.id, ttl, self.now()).await?;
            return Ok(preview);
        }
        let project = rows::project::by_name(&mut **tx, wanted.project).await?;
        let project = project.ok_or_else(|| OpError::not_found("project", wanted.project))?;
        let id = PreviewId::from_random(random()?);
        let row = rows::preview::NewPreview {
            id: &id,
            project: &project.id,
            namespace: wanted.namespace,
            environment: wanted.environment,
            origin: wanted.origin,
            keep: wanted.keep.unwrap_or(self.inner.policy.keep),
            now: self.now(),
        };
        rows::preview::insert(tx, row).await?;
        let policy = &self.inner.policy;
        let ttl = wanted
            .ttl
            .unwrap_or(policy.ttl_of(wanted.namespace, wanted.environment));
        rows::preview::begin_life(&mut **tx, &id, ttl, self.now()).await?;
        rows::host::claim_alias(tx, &id, wanted.project, wanted.namespace).await?;
        let event = NewEvent {
            kind: "preview.created",
            project: Some(wanted.project),
            namespace: Some(wanted.namespace),
            deployment: None,
            detail: Vec::new(),
        };
        rows::event::add(&mut **tx, self.now(), event).await?;
        let preview = rows::preview::by_id(&mut **tx, &id).await?;
        preview.ok_or_else(|| OpError::internal("the preview that was just written is not there"))
    }

    /// Every preview, newest first.
    pub async fn previews(&self) -> Result<Vec<view::Preview>, OpError> {
        let mut views = Vec::new();
        for row in rows::preview::all(self.db().read()).await? {
            views.push(self.view_preview(row).await?);
        }
        Ok(views)
    }

    /// One preview.
    pub async fn preview(&self, id: &PreviewId) -> Result<view::Preview, OpError> {
        let row = self.preview_row(id).await?;
        Ok(self.view_preview(row).await?)
    }

    /// The preview of a project in a namespace.
    pub async fn find_preview(
        &self,
        project: &ProjectName,
        namespace: &NamespaceName,
    ) -> Result<view::Preview, OpError> {
        let row = rows::preview::by_name(self.db().read(), project, namespace).await?;
        match row {
            Some(row) => Ok(self.view_preview(row).await?),
            None => Err(self.unknown_preview(project, namespace).await?),
        }
    }

    /// Says which of the two names is wrong.
    async fn unknown_preview(
        &self,
        project: &ProjectName,
        namespace: &NamespaceName,
    ) -> Result<OpError, OpError> {
        self.project_row(project).await?;
        let all = rows::preview::all(self.db().read()).await?;
        let own = all.iter().filter(|preview| preview.project == *project);
        let names = own.map(|preview| preview.namespace.as_str());
        let mut error = OpError::unknown("namespace", namespace.as_str(), names);
        error.message = format!("there is no preview of `{project}` in the namespace `{namespace}`");
        Ok(error)
    }

    /// Changes how long it lives and how much it keeps.
    pub async fn update_preview(
        &self,
        id: &PreviewId,
        change: PreviewChange,
    ) -> Result<view::Preview, OpError> {
        self.preview_row(id).await?;
        if change.keep == Some(0) {
            return Err(OpError::invalid(
                "invalid_keep",
                "at least 1 deployment is kept, and 0 was asked for",
            ));
        }
        let mut tx = self.db().begin().await?;
        if let Some(ttl) = change.ttl {
            rows::preview::begin_life(&mut *tx, id, ttl, self.now()).await?;
        }
        if let Some(keep) = change.keep {
            rows::preview::set_keep(&mut *tx, id, keep).await?;
        }
        tx.commit().await?;
        self.inner.work.ring();
        self.preview(id).await
    }

    /// Deletes the preview: its rows at once, everything outside by the passes.
    pub async fn delete_preview(&self, id: &PreviewId) -> Result<view::Preview, OpError> {
        let row = self.preview_row(id).await?;
        let shown = self.view_preview(row.clone()).await?;
        self.delete_preview_rows(&row, "preview.deleted").await?;
        Ok(shown)
    }

    /// Removes every row that calls for something of the preview; what is at work on it stops.
    pub(crate) async fn delete_preview_rows(&self, row: &Preview, kind: &'static str) -> Result<(), OpError> {
        let mut tx = self.db().begin().await?;
        let deployments = self.delete_preview_in(&mut tx, row, kind).await?;
        tx.commit().await?;
        self.after_change(&deployments).await;
        Ok(())
    }

    /// The same as part of a larger change; gives what is no longer wanted.
    pub(crate) async fn delete_preview_in(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        row: &Preview,
        kind: &'static str,
    ) -> Result<Vec<Deployment>, OpError> {
        let deployments = rows::deployment::of(&mut **tx, &row.id).await?;
        rows::host::bury(tx, &row.id, None, self.now()).await?;
        rows::preview::delete(tx, &row.id).await?;
        rows::variable::delete_of(tx, row.project.as_str(), Some(row.namespace.as_str())).await?;
        let event = NewEvent {
            kind,
            project: Some(&row.project),
            namespace: Some(&row.namespace),
            deployment: None,
            detail: Vec::new(),
        };
        rows::event::add(&mut **tx, self.now(), event).await?;
        Ok(deployments)
    }

    pub(super) async fn preview_row(&self, id: &PreviewId) -> Result<Preview, OpError> {
        let row = rows::preview::by_id(self.db().read(), id).await?;
        row.ok_or_else(|| OpError::not_found("preview", id))
    }
}
