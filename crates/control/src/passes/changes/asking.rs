//! Asking a forge: there is a meaning for every way in which it does not answer. Nothing is lost by any of
//! them, and nothing is removed.

use forge::ForgeError;

use super::AnyError;
use crate::control::Control;
use crate::rows::repository::Repository;
use crate::rows::{self};

/// The first wait after a forge could not be reached, and the longest, in milliseconds.
const BACKOFF_MS: i64 = 2_000;
const BACKOFF_MAX_MS: i64 = 5 * 60 * 1_000;
/// How soon it is tried again where somebody has to do something first, in milliseconds.
pub(super) const TROUBLE_MS: i64 = 10 * 60 * 1_000;

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Whether anything became known or was done.
    pub(super) anything: bool,
    /// Questions that found no answer.
    pub(super) failures: u32,
}

/// Why a round did not come to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The forge cannot be asked about this repository now.
    ByForge(ForgeError),
    /// Our own state could not be read or written.
    Here(AnyError),
}

impl From<ForgeError> for Stopped {
    fn from(error: ForgeError) -> Self {
        Self::ByForge(error)
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Here(error.into())
    }
}

impl From<crate::ops::OpError> for Stopped {
    fn from(error: crate::ops::OpError) -> Self {
        Self::Here(error.into())
    }
}

/// How long to wait after so many failures in a row, in milliseconds.
pub(super) fn backoff_ms(attempts: u32) -> i64 {
    let doubled = BACKOFF_MS << attempts.saturating_sub(1).min(16);
    doubled.min(BACKOFF_MAX_MS)
}

impl Control {
    /// The forge could not be asked about the repository: when it is tried again follows from why.
    pub(super) async fn put_off(&self, repository: &Repository, error: &ForgeError) -> Result<(), AnyError> {
        let (db, now) = (self.db().write(), self.now());
        let trouble = error.to_string();
        tracing::warn!(repository = %repository.name, trouble, "a forge could not be asked; it is tried again");
        if let ForgeError::Limited { retry_after, .. } = error {
            let wait = i64::try_from(retry_after.as_millis()).unwrap_or(BACKOFF_MAX_MS);
            // It counts for whoever asks with the same credentials.
            rows::forge::note(db, &repository.forge, Some(&trouble), now.saturating_add(wait)).await?;
            return Ok(());
        }
        let attempts = repository.attempts.saturating_add(1);
        let wait = match error {
            ForgeError::Unavailable { .. } | ForgeError::Limited { .. } => backoff_ms(attempts),
            ForgeError::Denied { .. }
            | ForgeError::NotFound { .. }
            | ForgeError::Refused { .. }
            | ForgeError::Unsupported(_) => TROUBLE_MS,
        };
        rows::repository::set_failed(db, &repository.id, (&trouble, attempts), now + wait).await?;
        Ok(())
    }

    /// The same for what is wrong on this side.
    pub(super) async fn note_trouble(&self, repository: &Repository, trouble: &str) -> Result<(), AnyError> {
        let attempts = repository.attempts.saturating_add(1);
        let not_before = self.now() + TROUBLE_MS;
        let db = self.db().write();
        rows::repository::set_failed(db, &repository.id, (trouble, attempts), not_before).await?;
        Ok(())
    }

    /// It answers again.
    pub(super) async fn note_well(&self, repository: &Repository) -> Result<(), sqlx::Error> {
        let db = self.db();
        if repository.trouble.is_some() || repository.attempts > 0 {
            rows::repository::set_well(db.write(), &repository.id).await?;
        }
        let forge = rows::forge::by_name(db.read(), &repository.forge).await?;
        if forge.is_some_and(|forge| forge.trouble.is_some()) {
            rows::forge::note(db.write(), &repository.forge, None, 0).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let waits: Vec<i64> = [1, 2, 3, 8, 9, 1_000].into_iter().map(backoff_ms).collect();
        assert_eq!(waits, [2_000, 4_000, 8_000, 256_000, 300_000, 300_000]);
    }
}
