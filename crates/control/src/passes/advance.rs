//! *advance*: takes a lease on every unfinished deployment that is due, and drives it from state to state.
//!
//! A step is repeatable: after a crash it is done again from its state. Whoever decides otherwise meanwhile (a newer
//! change, a person) changes the row first; the step then finds that its state or its lease is gone, and stops.

use model::DeploymentId;
use model::deployment::{Event, State};
use model::failure::{Blame, Code, Failure};
use model::limits::ATTEMPTS_MAX;
use tokio_util::sync::CancellationToken;

use crate::control::{Control, Drive};
use crate::journal::Journal;
use crate::lease::{self, Lease};
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::instance::Wanted;
use crate::rows::{self};
use crate::variables::GiveError;

/// Deployments that are moved forward at the same time; the others wait in their rows.
const LEASES_MAX: usize = 256;
const BACKOFF_MS: i64 = 2_000;
/// How soon a deployment that has to wait is looked at again.
const LOOK_AGAIN_MS: i64 = 2_000;

/// Why a step did not lead to the next state.
#[derive(Debug)]
pub(super) enum Stop {
    /// Somebody else decided meanwhile; nothing is left to do here.
    Lost,
    /// It has to wait for something that comes by itself.
    Waits { reason: String },
    /// It failed; whether it is tried again follows from whose turn it is.
    Failed(Box<Failure>),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Failure::new(
            Code::PlatformError,
            format!("the state could not be read or written: {error}"),
        )
        .into()
    }
}

impl From<GiveError> for Stop {
    fn from(error: GiveError) -> Self {
        Failure::new(Code::PlatformError, error.to_string()).into()
    }
}

/// A deployment in the hands of one driver.
pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) cancel: CancellationToken,
    pub(super) journal: Journal,
}

impl Control {
    pub(super) async fn advance(&self) {
        if let Err(error) = self.take_due().await {
            tracing::error!(%error, "deployments could not be looked at");
        }
    }

    async fn take_due(&self) -> Result<(), sqlx::Error> {
        self.release_left().await?;
        let now = self.now();
        for deployment in rows::deployment::unfinished(self.db().read()).await? {
            let held_here = deployment.lease_boot.as_deref() == Some(&self.inner.boot);
            if held_here || deployment.not_before_ms > now {
                continue;
            }
            let cancel = CancellationToken::new();
            if !self.register(&deployment, &cancel) {
                break;
            }
            match lease::take(self.db(), &deployment.id, &self.inner.boot).await {
                Ok(Some(lease)) => {
                    self.inner.work.ring();
                    let control = self.clone();
                    self.inner
                        .tasks
                        .spawn(async move { control.drive(lease, cancel).await });
                }
                Ok(None) => self.unregister(&deployment),
                Err(error) => {
                    self.unregister(&deployment);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// A lease that nobody stands behind any more would keep its deployment from everybody: its holder died, or could
    /// not write that it let go.
    async fn release_left(&self) -> Result<(), sqlx::Error> {
        for id in rows::deployment::leased(self.db().read()).await? {
            if !self.is_driven(&id) {
                self.let_go(&id).await?;
            }
        }
        Ok(())
    }

    /// Gives the lease back. What is finished has no phase that goes on, even where its end could not be noted.
    async fn let_go(&self, id: &DeploymentId) -> Result<(), sqlx::Error> {
        let mut tx = self.db().begin().await?;
        let row = rows::deployment::by_id(&mut *tx, id).await?;
        if row.is_some_and(|row| !row.state.is_unfinished()) {
            rows::phase::end_running(&mut *tx, id, self.now()).await?;
        }
        rows::deployment::drop_lease(&mut tx, id).await?;
        tx.commit().await?;
        self.inner.work.ring();
        self.inner.news.ring();
        Ok(())
    }

    fn is_driven(&self, id: &DeploymentId) -> bool {
        self.drives().contains_key(id)
    }

    fn register(&self, deployment: &Deployment, cancel: &CancellationToken) -> bool {
        let since_ms = self.now();
        let mut drives = self.drives();
        if drives.len() >= LEASES_MAX {
            return false;
        }
        let cancel = cancel.clone();
        drives.insert(deployment.id.clone(), Drive { cancel, since_ms });
        true
    }

    fn unregister(&self, deployment: &Deployment) {
        self.drives().remove(&deployment.id);
    }

    async fn drive(&self, lease: Lease, cancel: CancellationToken) {
        let id = lease.deployment().clone();
        let driven = self.drive_held(lease, cancel).await;
        self.drives().remove(&id);
        match driven {
            Ok(()) => self.inner.work.ring(),
            // Without a ring: what cannot be written now is tried by the next pass and not at once for ever.
            Err(error) => {
                tracing::error!(deployment = %id, %error, "a deployment could not be moved forward; it is tried again");
            }
        }
    }

    async fn drive_held(&self, lease: Lease, cancel: CancellationToken) -> Result<(), sqlx::Error> {
        let Some(deployment) = rows::deployment::by_id(self.db().read(), lease.deployment()).await? else {
            return Ok(());
        };
        let from_the_start = matches!(deployment.state, State::Queued | State::Building);
        rows::phase::forget_undone(self.db().write(), &deployment.id, from_the_start).await?;
        let secrets = self
            .given(&deployment)
            .await
            .map(|given| given.secrets)
            .unwrap_or_default();
        let journal = Journal::open(self, &deployment, &secrets);
        let held = Held {
            lease,
            cancel,
            journal,
        };
        let ended = held.journal.with_phases(self.steps(&held)).await;
        match ended {
            Ok(()) | Err(Stop::Lost) => {}
            Err(Stop::Waits { reason }) => self.wait_for_turn(&held, &reason).await?,
            Err(Stop::Failed(failure)) => self.settle_failure(&held, *failure).await?,
        }
        self.let_go(&deployment.id).await
    }

    /// One step after the other until the deployment is finished.
    async fn steps(&self, held: &Held) -> Result<(), Stop> {
        loop {
            let row = rows::deployment::by_id(self.db().read(), held.lease.deployment()).await?;
            let Some(deployment) = row.filter(|_| !held.cancel.is_cancelled()) else {
                return Err(Stop::Lost);
            };
            match deployment.state {
                State::Queued | State::Building => self.build_step(&deployment, held).await?,
                State::Deploying => self.deploy_step(&deployment, held).await?,
                State::Ready | State::Failed | State::Cancelled | State::Retired => return Ok(()),
            }
            self.inner.news.ring();
        }
    }

    /// Notes once what it waits for; it is looked at again soon.
    async fn wait_for_turn(&self, held: &Held, reason: &str) -> Result<(), sqlx::Error> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let noted = rows::deployment::set_waiting(&mut tx, &held.lease, reason, now + LOOK_AGAIN_MS).await?;
        let deployment = rows::deployment::by_id(&mut *tx, held.lease.deployment()).await?;
        if let (true, Some(deployment)) = (noted, &deployment) {
            let event = NewEvent::about("deployment.waiting", deployment);
            let event = event.detail(vec![("reason", reason.to_owned())]);
            rows::event::add(&mut *tx, now, event).await?;
        }
        tx.commit().await?;
        if noted {
            held.journal.info(&format!("Waiting: {reason}"));
            self.inner.news.ring();
        }
        Ok(())
    }

    /// A failure of the platform is tried again with back-off, up to a limit; one of the project never.
    async fn settle_failure(&self, held: &Held, failure: Failure) -> Result<(), sqlx::Error> {
        let Some(deployment) = rows::deployment::by_id(self.db().read(), held.lease.deployment()).await?
        else {
            return Ok(());
        };
        let attempts = deployment.attempts + 1;
        if failure.blame == Blame::Platform && attempts < ATTEMPTS_MAX {
            let not_before_ms = self.now() + (BACKOFF_MS << (attempts - 1));
            tracing::warn!(deployment = %deployment.id, message = failure.message, attempts, "tried again later");
            held.journal.info(&format!(
                "{}; attempt {attempts} of {ATTEMPTS_MAX}, trying again",
                failure.message
            ));
            return rows::deployment::postpone(self.db().write(), &held.lease, attempts, not_before_ms).await;
        }
        self.fail(&deployment, held, &failure).await
    }

    async fn fail(&self, deployment: &Deployment, held: &Held, failure: &Failure) -> Result<(), sqlx::Error> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        if !rows::deployment::step(&mut tx, &held.lease, deployment.state, Event::Failed, now).await? {
            return Ok(());
        }
        rows::deployment::set_failure(&mut tx, &deployment.id, failure).await?;
        rows::phase::end_running(&mut *tx, &deployment.id, now).await?;
        rows::instance::want_all(&mut *tx, &deployment.id, Wanted::Gone, None).await?;
        rows::host::bury(&mut tx, &deployment.preview, Some(&deployment.id), now).await?;
        let code = ("code", failure.code.as_str().to_owned());
        let event = NewEvent::about("deployment.failed", deployment)
            .detail(vec![code, ("message", failure.message.clone())]);
        rows::event::add(&mut *tx, now, event).await?;
        tx.commit().await?;
        self.inner.news.ring();
        builder::Observer::line(&held.journal, sandbox::log::Level::Error, &failure.message);
        if let Err(error) = self.publish().await {
            tracing::warn!(%error, "the routes after a failed deployment are published by the next pass");
        }
        Ok(())
    }
}
