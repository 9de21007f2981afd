//! *changes*: from what forges tell to deployments.
//!
//! Deliveries become marks on heads; heads that are marked are looked at; from what is true, and from nothing else, it is
//! decided what every project wants; and that is made so. A delivery that is lost, late or doubled therefore changes only
//! when something is noticed, never what is there in the end; what nobody told is found by listing now and then.
//!
//! Every repository is in one hand at a time, and none waits for another one's forge. This does *not* know how a forge
//! is talked to, and tells it nothing but reactions to commands.

mod asking;
mod carry_out;
mod catch_up;
mod command;
mod look;
mod rehearse;
mod take;

use std::collections::HashMap;

use model::RepositoryId;

use self::asking::{Asked, Stopped};
use crate::control::{Control, InHand};
use crate::forges::OpenForge;
use crate::rows::repository::{Repository, RepositoryState};
use crate::rows::{self};

pub(super) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Heads of one repository that are looked at in one round; the others come in the next one.
const LOOKS_MAX: usize = 50;
/// Looks of one round that may fail before the rest of it is put off: the forge is not well.
const FAILURES_MAX: u32 = 3;
/// How often is looked for what may be forgotten, in milliseconds.
const FORGET_EVERY_MS: i64 = 10 * 60 * 1_000;
/// How long what has ended is remembered, in milliseconds: what is told about it late still finds it.
const ENDED_KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// How long it is remembered what was delivered and asked for, in milliseconds: a forge may send it again for so long.
const TOLD_KEPT_MS: i64 = 90 * 24 * 3_600 * 1_000;

/// What this run of the platform has done about each repository. It is no fact: a new run does everything once more.
#[derive(Debug, Default)]
pub(crate) struct Following {
    repositories: HashMap<RepositoryId, Followed>,
    /// When what ended long ago is next forgotten.
    forget_at_ms: i64,
    /// Not to be asked for failed deliveries again before.
    redeliver_after_ms: HashMap<String, i64>,
}

#[derive(Debug, Default)]
struct Followed {
    listed: bool,
    /// The state of the rows that everything was decided from and carried out for.
    carried_out: Option<String>,
}

impl Control {
    pub(super) async fn changes(&self) {
        let done: Result<(), AnyError> = async {
            self.take_deliveries().await?;
            self.follow_repositories().await?;
            self.ask_for_failed_deliveries().await?;
            self.forget_ended_changes().await
        }
        .await;
        if let Err(error) = done {
            tracing::error!(%error, "changes could not be looked at; the next pass continues");
        }
    }

    async fn follow_repositories(&self) -> Result<(), AnyError> {
        for repository in rows::repository::all(self.db().read()).await? {
            if !self.has_work(&repository).await? {
                continue;
            }
            let name = format!("repository {}", repository.id);
            let Some(in_hand) = self.take_in_hand(&name) else {
                continue;
            };
            let control = self.clone();
            self.inner
                .tasks
                .spawn(async move { control.follow(repository.id, in_hand).await });
        }
        Ok(())
    }

    async fn has_work(&self, repository: &Repository) -> Result<bool, AnyError> {
        if !self.is_carried_out(repository).await? {
            return Ok(true);
        }
        let forge = rows::forge::by_name(self.db().read(), &repository.forge).await?;
        let now = self.now();
        if repository.not_before_ms > now || forge.is_none_or(|forge| forge.not_before_ms > now) {
            return Ok(false);
        }
        if rows::project_repository::of_repository(self.db().read(), &repository.id)
            .await?
            .is_empty()
        {
            return Ok(false);
        }
        if self.is_list_due(repository) {
            return Ok(true);
        }
        let looks = rows::head::due(self.db().read(), &repository.id, now, 1).await?;
        let commands = rows::command::undone(self.db().read(), &repository.id).await?;
        Ok(!looks.is_empty() || commands.iter().any(|command| command.not_before_ms <= now))
    }

    /// One round for one repository.
    async fn follow(&self, id: RepositoryId, in_hand: InHand) {
        let done = self.follow_held(&id).await;
        drop(in_hand);
        match done {
            // Others may have waited for the hand.
            Ok(true) => {
                self.inner.work.ring();
                self.inner.news.ring();
            }
            Ok(false) => {}
            // Without a ring: what cannot be done now is tried by the next pass and not at once for ever.
            Err(error) => {
                tracing::error!(repository = %id, %error, "a repository could not be followed; it is tried again");
            }
        }
    }

    /// Whether anything was done.
    async fn follow_held(&self, id: &RepositoryId) -> Result<bool, AnyError> {
        let Some(repository) = rows::repository::by_id(self.db().read(), id).await? else {
            return Ok(false);
        };
        let asked = match self.forge(&repository.forge).await {
            Ok(open) => self.ask_all(&repository, &open).await?,
            Err(error) => {
                self.note_trouble(&repository, &error.message).await?;
                Asked::default()
            }
        };
        let carried_out = self.carry_out(id).await?;
        Ok(asked.anything || carried_out)
    }

    /// Everything that the forge has to be asked for, until it cannot be asked any more.
    async fn ask_all(&self, repository: &Repository, open: &OpenForge) -> Result<Asked, AnyError> {
        let mut asked = Asked::default();
        let now = self.now();
        let forge = rows::forge::by_name(self.db().read(), &repository.forge).await?;
        let projects = rows::project_repository::of_repository(self.db().read(), &repository.id).await?;
        let is_later = repository.not_before_ms > now || forge.is_none_or(|forge| forge.not_before_ms > now);
        if is_later || projects.is_empty() {
            return Ok(asked);
        }
        let ended = async {
            let mut current = repository.clone();
            if self.is_list_due(repository) {
                self.catch_up(repository, open, &mut asked).await?;
                match rows::repository::by_id(self.db().read(), &repository.id).await? {
                    Some(row) => current = row,
                    None => return Ok(()),
                }
            }
            if current.state == RepositoryState::Gone {
                return Ok(());
            }
            self.look_at_all(&current, open, &mut asked).await?;
            self.do_commands(&current, open, &mut asked).await
        }
        .await;
        match ended {
            Ok(()) => {}
            Err(Stopped::ByForge(error)) => self.put_off(repository, &error).await?,
            Err(Stopped::Here(error)) => return Err(error),
        }
        Ok(asked)
    }

    /// What has ended is forgotten in time; what it is made of went before.
    async fn forget_ended_changes(&self) -> Result<(), AnyError> {
        let now = self.now();
        if now < self.following().forget_at_ms {
            return Ok(());
        }
        rows::head::forget_over(self.db().write(), now - ENDED_KEPT_MS).await?;
        rows::delivery::forget(self.db().write(), now - TOLD_KEPT_MS).await?;
        rows::command::forget(self.db().write(), now - TOLD_KEPT_MS).await?;
        self.following().forget_at_ms = now + FORGET_EVERY_MS;
        Ok(())
    }

    fn following(&self) -> std::sync::MutexGuard<'_, Following> {
        let following = &self.inner.following;
        following
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
