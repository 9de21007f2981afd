//! Catching up: what nobody told is found by listing, at the start and now and then.
//!
//! Guards against an outage that is read as "no pull requests": a list only says what to look at, each one that is missing
//! from it is looked at by itself, and where suddenly most are missing, somebody is asked before anything goes.

use forge::change::RepositoryName;
use forge::source::{PullRequest, Repository as Truth};
use forge::{ForgeError, Listing};

use super::AnyError;
use super::asking::{Asked, Stopped, TROUBLE_MS};
use crate::changes::{Head, Truth as HeadTruth};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::rows::event::NewEvent;
use crate::rows::head::HeadRow;
use crate::rows::repository::{Repository, RepositoryState};
use crate::rows::{self};

/// How often the open pull requests of a repository are listed, in milliseconds.
const LIST_EVERY_MS: i64 = 10 * 60 * 1_000;
/// How often deliveries that failed are asked for again, in milliseconds.
const REDELIVER_EVERY_MS: i64 = 3_600 * 1_000;
/// How far back, in milliseconds; forges forget them after a few days.
const REDELIVER_BACK_MS: i64 = 3 * 24 * 3_600 * 1_000;
/// So many may vanish at once without anybody asking.
const VANISH_MAX: usize = 3;

impl Control {
    pub(super) fn is_list_due(&self, repository: &Repository) -> bool {
        let listed = self
            .following()
            .repositories
            .get(&repository.id)
            .is_some_and(|known| known.listed);
        let at = repository.listed_at_ms.unwrap_or(0);
        !listed || repository.listed < repository.wanted_list || self.now() - at >= LIST_EVERY_MS
    }

    pub(super) async fn catch_up(
        &self,
        repository: &Repository,
        open: &OpenForge,
        asked: &mut Asked,
    ) -> Result<(), Stopped> {
        let Some(truth) = self.find_repository(repository, open).await? else {
            self.note_caught_up(repository);
            asked.anything = true;
            return Ok(());
        };
        rows::repository::set_truth(self.db().write(), &repository.id, &truth).await?;
        let tag = repository.listed_tag.as_deref();
        let listing = open.forge.open_pull_requests(&truth.reference, tag);
        match listing.await? {
            Listing::Unchanged => self.note_listed(repository, (tag, None)).await?,
            Listing::All { items, tag } => {
                self.note_listed(repository, (tag.as_deref(), Some(&items)))
                    .await?
            }
        }
        self.note_well(repository).await?;
        self.note_caught_up(repository);
        asked.anything = true;
        Ok(())
    }

    fn note_caught_up(&self, repository: &Repository) {
        let mut following = self.following();
        let known = following.repositories.entry(repository.id.clone());
        known.or_default().listed = true;
    }

    /// The repository by the name that it has now. `None`: it is gone for good, as said and as seen.
    async fn find_repository(
        &self,
        repository: &Repository,
        open: &OpenForge,
    ) -> Result<Option<Truth>, Stopped> {
        let ask = async |name: &RepositoryName| open.forge.repository(name).await;
        let by_name = ask(&repository.name).await;
        let is_it = |truth: &Truth| truth.reference.id == repository.outside_id;
        let missing = match by_name {
            Ok(truth) if is_it(&truth) => return Ok(Some(truth)),
            Ok(_) => ForgeError::NotFound {
                what: format!("{} is another repository now, and this one", repository.name),
            },
            Err(error @ ForgeError::NotFound { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if let Some(said) = &repository.said_name {
            match ask(said).await {
                Ok(truth) if is_it(&truth) => return Ok(Some(truth)),
                Ok(_) | Err(ForgeError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !repository.said_gone {
            return Err(missing.into());
        }
        let reference = repository.reference();
        match open.forge.open_pull_requests(&reference, None).await {
            Err(ForgeError::NotFound { .. }) => {}
            Ok(_) => return Err(missing.into()),
            Err(error) => return Err(error.into()),
        }
        self.end_repository(repository).await?;
        Ok(None)
    }

    /// The forge said that it was deleted, and everything of it is missing.
    async fn end_repository(&self, repository: &Repository) -> Result<(), sqlx::Error> {
        let mut tx = self.db().begin().await?;
        for row in rows::head::of(&mut *tx, &repository.id).await? {
            rows::head::set_truth(&mut tx, &row, &HeadTruth::Gone, self.now()).await?;
        }
        let state = RepositoryState::Gone;
        rows::repository::set_state(&mut *tx, &repository.id, state, None).await?;
        let listed = (repository.wanted_list, None);
        rows::repository::set_listed(&mut *tx, &repository.id, listed, self.now()).await?;
        tx.commit().await
    }

    /// What is new or different is looked at, and so is what is open here and missing there.
    async fn note_listed(
        &self,
        repository: &Repository,
        (tag, items): (Option<&str>, Option<&[PullRequest]>),
    ) -> Result<(), Stopped> {
        let mut tx = self.db().begin().await?;
        let known = rows::head::of(&mut *tx, &repository.id).await?;
        let mut looks: Vec<Head> = followed_branches(&known, &repository.default_branch);
        if let Some(items) = items {
            let vanished = vanished(&known, items);
            let open = known.iter().filter(|row| is_open_pull(row)).count();
            if vanished.len() > VANISH_MAX && vanished.len() * 2 > open && !repository.drop_accepted {
                drop(tx);
                return Ok(self.hold(repository, (vanished.len(), open)).await?);
            }
            looks.extend(vanished);
            let same = |item: &PullRequest| {
                let head = Head::PullRequest(item.number);
                let row = known.iter().find(|row| row.head == head);
                row.is_some_and(|row| row.truth == Some(HeadTruth::PullRequest(item.clone())))
            };
            let different = items.iter().filter(|item| !same(item));
            looks.extend(different.map(|item| Head::PullRequest(item.number)));
        }
        for head in &looks {
            rows::head::want_look(&mut tx, &repository.id, (head, &repository.default_branch)).await?;
        }
        let listed = (repository.wanted_list, tag);
        rows::repository::set_listed(&mut *tx, &repository.id, listed, self.now()).await?;
        rows::repository::set_drop_accepted(&mut *tx, &repository.id, false).await?;
        if repository.state == RepositoryState::Held {
            let state = RepositoryState::Active;
            rows::repository::set_state(&mut *tx, &repository.id, state, None).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Nothing of the repository is removed until somebody says that it is right, or the list is whole again.
    async fn hold(
        &self,
        repository: &Repository,
        (vanished, open): (usize, usize),
    ) -> Result<(), sqlx::Error> {
        let reason = format!(
            "{vanished} of {open} open pull requests are suddenly missing; nothing is removed until `cx git resume {}`",
            repository.name
        );
        let (id, now) = (&repository.id, self.now());
        let mut tx = self.db().begin().await?;
        // Without a tag: what is the same the next time is missing the next time.
        rows::repository::set_listed(&mut *tx, id, (repository.wanted_list, None), now).await?;
        rows::repository::set_state(&mut *tx, id, RepositoryState::Held, Some(&reason)).await?;
        if repository.state != RepositoryState::Held {
            tracing::error!(repository = %repository.name, reason, "a repository is held");
            let name = repository.name.to_string();
            let event = NewEvent {
                kind: "repository.held",
                project: None,
                namespace: None,
                deployment: None,
                detail: vec![("repository", name), ("reason", reason)],
            };
            rows::event::add(&mut *tx, now, event).await?;
        }
        tx.commit().await
    }

    /// Deliveries that did not reach us are asked for again, where a forge keeps them.
    pub(super) async fn ask_for_failed_deliveries(&self) -> Result<(), AnyError> {
        for forge in rows::forge::all(self.db().read()).await? {
            let now = self.now();
            let after = self.following().redeliver_after_ms.get(&forge.name).copied();
            let due =
                now - forge.redelivered_at_ms >= REDELIVER_EVERY_MS && after.is_none_or(|after| after <= now);
            if !due || forge.not_before_ms > now {
                continue;
            }
            let Ok(open) = self.forge(&forge.name).await else {
                continue;
            };
            let Some(in_hand) = self.take_in_hand(&format!("deliveries {}", forge.name)) else {
                continue;
            };
            // A failure, too, waits for its next turn.
            let later = now + TROUBLE_MS;
            self.following()
                .redeliver_after_ms
                .insert(forge.name.clone(), later);
            let control = self.clone();
            self.inner.tasks.spawn(async move {
                if let Err(error) = control.redeliver(&forge, &open).await {
                    tracing::warn!(forge = forge.name, %error, "failed deliveries could not be asked for again");
                }
                drop(in_hand);
            });
        }
        Ok(())
    }

    async fn redeliver(&self, forge: &rows::forge::Forge, open: &OpenForge) -> Result<(), AnyError> {
        let now = self.now();
        if open.forge.capabilities().redelivery {
            let before = forge.redelivered_at_ms.max(forge.created_at_ms) - REDELIVER_EVERY_MS;
            let since = before.max(now - REDELIVER_BACK_MS);
            let again = open.forge.redeliver_failed(since).await?;
            if again > 0 {
                tracing::info!(
                    forge = forge.name,
                    again,
                    "failed deliveries were asked for again"
                );
            }
        }
        rows::forge::set_redelivered(self.db().write(), &forge.name, now).await?;
        Ok(())
    }
}

fn is_open_pull(row: &HeadRow) -> bool {
    matches!(&row.truth, Some(HeadTruth::PullRequest(pull)) if pull.open)
}

/// What is open here and missing in the list.
fn vanished(known: &[HeadRow], items: &[PullRequest]) -> Vec<Head> {
    let listed = |row: &&HeadRow| {
        items
            .iter()
            .any(|item| row.head == Head::PullRequest(item.number))
    };
    let open = known.iter().filter(|row| is_open_pull(row));
    open.filter(|row| !listed(row))
        .map(|row| row.head.clone())
        .collect()
}

/// Branches have no list; the default branch is always followed, since it says which others are.
fn followed_branches(known: &[HeadRow], default_branch: &str) -> Vec<Head> {
    let default = Head::Branch(default_branch.to_owned());
    let branches = known
        .iter()
        .filter(|row| row.head.number().is_none() && !row.over);
    let mut heads: Vec<Head> = branches.map(|row| row.head.clone()).collect();
    if !heads.contains(&default) {
        heads.push(default);
    }
    heads
}
