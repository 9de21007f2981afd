//! Telling one thing: what came of it is noted, and says when it is told again.

use forge::{ForgeError, Message};

use super::plan::{Plan, Then};
use super::{AnyError, PROGRESS_MS};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::rows::repository::Repository;
use crate::rows::told::{Told, digest};
use crate::rows::{self};

/// The first wait after a forge could not be reached, and the longest, in milliseconds.
const BACK_OFF_MS: i64 = 2_000;
const BACK_OFF_MS_MAX: i64 = 5 * 60 * 1_000;
/// How soon it is tried again where somebody has to do something first, in milliseconds.
const DENIED_MS: i64 = 10 * 60 * 1_000;

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// There was nothing to do.
    Nothing,
    /// Something is to be done later.
    Later,
    /// The rows are different now.
    Noted,
    /// The forge was changed.
    Told,
    /// The forge cannot be told anything for a while.
    Stopped { wait_ms: i64 },
}

impl Control {
    /// Does what is next about one message.
    pub(super) async fn next_step(
        &self,
        plan: &Plan,
        repository: &Repository,
        open: &OpenForge,
    ) -> Result<Done, AnyError> {
        let row = &plan.row;
        let is_over = row.is_told() || row.is_refused();
        // Or nobody was ever told of it.
        if (plan.then == Then::Forget && is_over) || (plan.then != Then::Stay && !row.begun) {
            rows::told::delete(self.db().write(), row).await?;
            return Ok(Done::Noted);
        }
        if is_over {
            return match plan.then {
                Then::Stay | Then::Forget => Ok(Done::Nothing),
                Then::Withdraw => self.take_back(row, repository, open).await,
            };
        }
        let now = self.now();
        let is_soon = plan.progress && now < row.told_at_ms + PROGRESS_MS;
        if row.not_before_ms > now || is_soon {
            return Ok(Done::Later);
        }
        self.put(row, repository, open).await
    }

    async fn put(&self, row: &Told, repository: &Repository, open: &OpenForge) -> Result<Done, AnyError> {
        // One that is there from before, of whatever row, is better found than made once more: a pull request can open
        // again, and a commit come back.
        let search = row.begun || matches!(row.message, Message::Comment(_) | Message::Check(_));
        let mut row = row.clone();
        row.begun = true;
        rows::told::set(self.db().write(), &row).await?;
        let reference = repository.reference();
        let known = row.outside_id.clone();
        let call = open.forge.put(&reference, &row.message, known.as_deref(), search);
        match call.await {
            Ok(id) => {
                row.outside_id = Some(id);
                row.digest = Some(digest(&row.message));
                row.told_at_ms = self.now();
                (row.refused, row.trouble) = (None, None);
                (row.attempts, row.not_before_ms) = (0, 0);
                rows::told::set(self.db().write(), &row).await?;
                Ok(Done::Told)
            }
            Err(error) => self.note_untold(row, (repository, &error)).await,
        }
    }

    async fn take_back(
        &self,
        row: &Told,
        repository: &Repository,
        open: &OpenForge,
    ) -> Result<Done, AnyError> {
        if row.not_before_ms > self.now() {
            return Ok(Done::Later);
        }
        if let Some(known) = &row.outside_id {
            let reference = repository.reference();
            let call = open.forge.withdraw(&reference, &row.message, known);
            match call.await {
                Ok(())
                | Err(
                    ForgeError::NotFound { .. } | ForgeError::Refused { .. } | ForgeError::Unsupported(_),
                ) => {}
                Err(error) => return self.note_untold(row.clone(), (repository, &error)).await,
            }
        }
        rows::told::delete(self.db().write(), row).await?;
        Ok(Done::Told)
    }

    /// It could not be told: when it is tried again follows from why.
    async fn note_untold(
        &self,
        mut row: Told,
        (repository, error): (&Repository, &ForgeError),
    ) -> Result<Done, AnyError> {
        let now = self.now();
        tracing::warn!(repository = %repository.name, key = row.key, %error, "a forge could not be told");
        row.trouble = Some(error.to_string());
        row.attempts = row.attempts.saturating_add(1);
        let done = match error {
            ForgeError::Limited { retry_after, .. } => {
                let wait_ms = i64::try_from(retry_after.as_millis()).unwrap_or(BACK_OFF_MS_MAX);
                let until = now.saturating_add(wait_ms);
                // It counts for whoever asks with the same credentials.
                rows::forge::note(
                    self.db().write(),
                    &repository.forge,
                    row.trouble.as_deref(),
                    until,
                )
                .await?;
                Done::Stopped { wait_ms }
            }
            ForgeError::Unavailable { .. } => {
                let wait_ms = (BACK_OFF_MS << row.attempts.saturating_sub(1).min(16)).min(BACK_OFF_MS_MAX);
                row.not_before_ms = now + wait_ms;
                Done::Stopped { wait_ms }
            }
            ForgeError::Denied { .. } => {
                row.not_before_ms = now + DENIED_MS;
                Done::Noted
            }
            // What it is known by has gone: it is looked for once, and made anew.
            ForgeError::NotFound { .. } if row.outside_id.take().is_some() => Done::Noted,
            // Asking again with the same content would be answered the same.
            ForgeError::NotFound { .. } | ForgeError::Refused { .. } | ForgeError::Unsupported(_) => {
                row.refused = Some(digest(&row.message));
                Done::Noted
            }
        };
        rows::told::set(self.db().write(), &row).await?;
        Ok(done)
    }
}
