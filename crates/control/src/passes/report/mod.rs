//! *report*: what the forges show equals what the rows say; and what has been reached is announced.
//!
//! What is to be shown is rendered from rows, compared with what was told, and told where it differs: the newest content
//! wins, whatever came in between. Every repository is told by one hand at a time, no faster than its forge wants it, and
//! none waits for another's. A crash between telling and noting it leaves a row that says so; what may be there is looked
//! for then, and not made twice.

mod announce;
mod facts;
mod plan;
mod put;

use std::collections::HashMap;

use model::RepositoryId;

use crate::control::{Control, InHand};
use crate::forges::OpenForge;
use crate::rows::repository::{Repository, RepositoryState};
use crate::rows::{self};
use plan::{Listener, Plan, Then};
use put::Done;

pub(super) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// How soon what goes on is told again, in milliseconds. What has come to its end is told at once.
const PROGRESS_MS: i64 = 5_000;

/// What this run has told each repository. It is no fact: a new run compares everything once more.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    repositories: HashMap<RepositoryId, Listening>,
}

#[derive(Debug, Default)]
struct Listening {
    /// The state of the rows of which everything has been told.
    told_of: Option<String>,
    /// Not to be told anything before.
    not_before_ms: i64,
}

/// How far a round came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Everything has been told.
    Complete,
    /// Something was told, or noted.
    Told,
    /// Something is to be told later.
    Later,
}

impl Control {
    pub(super) async fn report(&self) {
        let done: Result<(), AnyError> = async {
            self.announce_all().await?;
            self.tell_repositories().await
        }
        .await;
        if let Err(error) = done {
            tracing::error!(%error, "what has been reached could not be told; it is told by the next pass");
        }
    }

    async fn tell_repositories(&self) -> Result<(), AnyError> {
        let repositories = rows::repository::all(self.db().read()).await?;
        let is_known = |id: &RepositoryId| repositories.iter().any(|repository| repository.id == *id);
        self.telling().repositories.retain(|id, _| is_known(id));
        for repository in repositories {
            let state = rows::told::state(self.db().read(), &repository.id).await?;
            let idle = {
                let mut telling = self.telling();
                let known = telling.repositories.entry(repository.id.clone()).or_default();
                known.not_before_ms > self.now() || known.told_of.as_ref() == Some(&state)
            };
            if idle || repository.state == RepositoryState::Gone {
                continue;
            }
            let Some(in_hand) = self.take_in_hand(&format!("told {}", repository.id)) else {
                continue;
            };
            let control = self.clone();
            self.inner
                .tasks
                .spawn(async move { control.tell(repository, state, in_hand).await });
        }
        Ok(())
    }

    /// One round for one repository: at the most one thing is told.
    async fn tell(&self, repository: Repository, state: String, in_hand: InHand) {
        let round = self.tell_held(&repository).await;
        drop(in_hand);
        match round {
            Ok(Round::Complete) => {
                let mut telling = self.telling();
                telling.repositories.entry(repository.id).or_default().told_of = Some(state);
            }
            Ok(Round::Told) => self.inner.work.ring(),
            // The next pass looks again.
            Ok(Round::Later) => {}
            Err(error) => {
                tracing::error!(repository = %repository.id, %error, "a repository could not be told; it is tried again");
            }
        }
    }

    async fn tell_held(&self, repository: &Repository) -> Result<Round, AnyError> {
        let forge = rows::forge::by_name(self.db().read(), &repository.forge).await?;
        if forge.is_none_or(|forge| forge.not_before_ms > self.now()) {
            return Ok(Round::Later);
        }
        // Why it cannot be used is noted by whoever asks it.
        let Ok(open) = self.forge(&repository.forge).await else {
            return Ok(Round::Later);
        };
        let plans = self.plans(repository, &open).await?;
        let mut later = false;
        for plan in plans {
            match self.next_step(&plan, repository, &open).await? {
                Done::Nothing => {}
                Done::Later => later = true,
                Done::Noted => return Ok(Round::Told),
                Done::Told => {
                    self.pause_telling(repository, &open);
                    return Ok(Round::Told);
                }
                Done::Stopped { wait_ms } => {
                    self.tell_not_before(&repository.id, self.now() + wait_ms);
                    return Ok(Round::Later);
                }
            }
        }
        Ok(if later { Round::Later } else { Round::Complete })
    }

    /// What is to be told, the longest waiting first.
    async fn plans(&self, repository: &Repository, open: &OpenForge) -> Result<Vec<Plan>, AnyError> {
        let reports = self.reports(repository).await?;
        let told = rows::told::of(self.db().read(), &repository.id).await?;
        let capabilities = open.forge.capabilities();
        let listener = Listener {
            repository: &repository.id,
            capabilities: &capabilities,
            installation: &self.inner.installation,
        };
        let mut plans = plan::plan(listener, &reports, &told);
        // What comes to its end before what begins, and what was told long ago before what was told just now.
        plans.sort_by_key(|plan| (plan.then == Then::Stay, plan.progress, plan.row.told_at_ms));
        Ok(plans)
    }

    /// Lets the forge rest for as long as it wants between two changes, then looks again.
    fn pause_telling(&self, repository: &Repository, open: &OpenForge) {
        let spacing = open.forge.capabilities().mutation_spacing;
        let spacing_ms = i64::try_from(spacing.as_millis()).unwrap_or(i64::MAX);
        self.tell_not_before(&repository.id, self.now().saturating_add(spacing_ms));
        let control = self.clone();
        // Nobody waits for this: a pass that comes first finds the same.
        tokio::spawn(async move {
            tokio::select! {
                () = control.inner.clock.sleep(spacing) => control.inner.work.ring(),
                () = control.inner.closing.cancelled() => {}
            }
        });
    }

    fn tell_not_before(&self, repository: &RepositoryId, at_ms: i64) {
        let mut telling = self.telling();
        telling
            .repositories
            .entry(repository.clone())
            .or_default()
            .not_before_ms = at_ms;
    }

    fn telling(&self) -> std::sync::MutexGuard<'_, Telling> {
        let telling = &self.inner.telling;
        telling.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
