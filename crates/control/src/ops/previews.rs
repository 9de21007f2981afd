//! Previews: shown, changed, deleted.

use model::{NamespaceName, PreviewId, ProjectName};

use super::OpError;
use crate::control::Control;
use crate::rows::event::NewEvent;
use crate::rows::preview::Preview;
use crate::rows::{self};
use crate::view;

/// What is to change about a preview; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct PreviewChange {
    /// `Some(None)`: it lives for ever.
    pub ttl_seconds: Option<Option<u64>>,
    /// Ready deployments that are kept, at least 1.
    pub keep: Option<u32>,
}

impl Control {
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
        let row = row.ok_or_else(|| OpError::not_found("preview", format!("{project} in {namespace}")))?;
        Ok(self.view_preview(row).await?)
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
        if let Some(ttl) = change.ttl_seconds {
            let at = ttl.map(|seconds| {
                self.now()
                    .saturating_add(seconds.saturating_mul(1_000).min(i64::MAX as u64) as i64)
            });
            rows::preview::set_expiry(&mut *tx, id, at).await?;
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
        let deployments = rows::deployment::of(self.db().read(), &row.id).await?;
        let mut tx = self.db().begin().await?;
        rows::host::bury(&mut tx, &row.id, None, self.now()).await?;
        rows::preview::delete(&mut tx, &row.id).await?;
        rows::variable::delete_of(&mut tx, row.project.as_str(), Some(row.namespace.as_str())).await?;
        let event = NewEvent {
            kind,
            project: Some(&row.project),
            namespace: Some(&row.namespace),
            deployment: None,
            detail: Vec::new(),
        };
        rows::event::add(&mut *tx, self.now(), event).await?;
        tx.commit().await?;
        self.after_change(&deployments).await;
        Ok(())
    }

    async fn preview_row(&self, id: &PreviewId) -> Result<Preview, OpError> {
        let row = rows::preview::by_id(self.db().read(), id).await?;
        row.ok_or_else(|| OpError::not_found("preview", id))
    }
}
