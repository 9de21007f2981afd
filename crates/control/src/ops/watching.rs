//! Watching: somebody works on a preview, and its pages reload when it changes.
//!
//! It is a lease: whoever works says so again and again, and where he stops saying it, for whatever reason, it ends.

use model::PreviewId;

use super::OpError;
use crate::control::Control;
use crate::rows::{self};
use crate::view;

/// How long it holds without being said again. Whoever watches says it three times as often.
pub const WATCH_SECONDS: u64 = 15;

impl Control {
    /// Watches the preview from now on for [`WATCH_SECONDS`].
    pub async fn watch_preview(&self, id: &PreviewId) -> Result<view::Preview, OpError> {
        let until = self.now() + WATCH_SECONDS as i64 * 1_000;
        self.set_watched(id, Some(until)).await
    }

    /// Nobody works on the preview any more.
    pub async fn unwatch_preview(&self, id: &PreviewId) -> Result<view::Preview, OpError> {
        self.set_watched(id, None).await
    }

    async fn set_watched(&self, id: &PreviewId, until_ms: Option<i64>) -> Result<view::Preview, OpError> {
        let before = self.preview_row(id).await?;
        rows::preview::set_watched(self.db().write(), id, until_ms).await?;
        // Saying it again changes no route.
        if before.watched_until_ms.is_some() != until_ms.is_some() {
            self.put_out_table().await?;
        }
        self.preview(id).await
    }
}
