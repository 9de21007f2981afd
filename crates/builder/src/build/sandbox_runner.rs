//! The real runner: leashed sandboxes, which end with the platform.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use model::inside::{APP_DIRECTORY, HOME_DIRECTORY};
use model::limits::LOG_BYTES_MAX;
use model::network::Egress;
use sandbox::egress::{Contact, Policy, Verdict};
use sandbox::log::{self, Cursor, Line};
use sandbox::{Host, Lifetime, LogOptions, Mount, Sandbox, Spec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::environment::CACHE_DIRECTORY;
use super::runner::{RunError, Runner, StepEnd, StepSpec};

/// How often the log is looked at while a step runs.
const LOG_INTERVAL: Duration = Duration::from_millis(50);
/// How often is looked at what a step keeps open.
const HOARD_INTERVAL: Duration = Duration::from_secs(2);
/// Lines that are taken from a log at once.
const PAGE_LINES: usize = 1_000;

/// Runs steps on one host.
pub struct SandboxRunner {
    host: Host,
    /// Registries besides the well-known ones.
    registries: Vec<String>,
}

impl SandboxRunner {
    /// `registries` are names that an install may reach besides the public registries: the operator's own.
    pub fn new(host: Host, registries: Vec<String>) -> Self {
        Self { host, registries }
    }

    /// Removes what steps of an earlier platform left: they ended with it, and nobody will run them again by that name.
    /// To be called before the first step.
    pub async fn remove_leftovers(&self) -> Result<(), RunError> {
        let found = self
            .host
            .found()
            .await
            .map_err(|error| RunError::Start(error.to_string()))?;
        for name in found
            .iter()
            .map(|found| found.name())
            .filter(|name| is_step(name))
        {
            let removed = self.host.remove(name).await;
            removed.map_err(|error| RunError::Lost(error.to_string()))?;
        }
        Ok(())
    }

    fn spec(&self, step: StepSpec) -> Spec {
        let mut spec = Spec::new(step.name, ["/bin/sh".to_owned(), "-c".to_owned(), step.command]);
        spec.cwd = step.directory;
        spec.env = step.environment;
        let writable = |source: PathBuf, target: &str| Mount::Writable {
            source,
            target: target.to_owned(),
        };
        spec.mounts = vec![
            Mount::Overlay {
                lowers: step.lowers,
                upper: step.upper,
                work: step.work,
                target: APP_DIRECTORY.to_owned(),
            },
            writable(step.home, HOME_DIRECTORY),
            writable(step.cache, CACHE_DIRECTORY),
            writable(step.temporary, "/tmp"),
        ];
        let toolchains = step.toolchains.into_iter();
        spec.mounts.extend(toolchains.map(|mount| Mount::ReadOnly {
            source: mount.source,
            target: mount.target,
        }));
        spec.limits = step.limits;
        spec.opened = step.opened;
        spec.egress = policy(&step.egress, &self.registries);
        spec.lifetime = Lifetime::Leashed;
        spec.log = LogOptions {
            bytes_max: LOG_BYTES_MAX,
            redact: step.secrets,
        };
        spec.hostname = "build".to_owned();
        spec
    }
}

#[async_trait]
impl Runner for SandboxRunner {
    async fn run(
        &self,
        step: StepSpec,
        output: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, RunError> {
        let (name, hoard_bytes_max) = (step.name.clone(), step.limits.file_bytes_max);
        let start = |error: &dyn std::error::Error| RunError::Start(error.to_string());
        // One that a crash left has the same name; absent is fine.
        self.host.remove(&name).await.map_err(|error| start(&error))?;
        let sandbox = self
            .host
            .spawn(self.spec(step))
            .await
            .map_err(|error| start(&error))?;
        let (stop, hoarded) = (cancel.child_token(), OnceLock::new());
        let guard = async {
            until_hoarded(&sandbox, hoard_bytes_max).await;
            let _ = hoarded.set(());
            stop.cancel();
            std::future::pending().await
        };
        let exit = tokio::select! {
            exit = follow(&sandbox, &output, &stop) => exit,
            exit = guard => exit,
        };
        let contacts = sandbox
            .contacts()
            .into_iter()
            .map(|contact| contact_name(&contact))
            .collect();
        drop(sandbox);
        self.host
            .remove(&name)
            .await
            .map_err(|error| RunError::Lost(error.to_string()))?;
        Ok(StepEnd {
            exit,
            contacts,
            hoarded: hoarded.get().is_some(),
        })
    }
}

/// Whether a sandbox is one of ours: steps are named after their build and their phase.
fn is_step(sandbox: &str) -> bool {
    ["-source", "-install", "-build"]
        .iter()
        .any(|phase| sandbox.ends_with(phase))
}

/// Returns when the files that were deleted and are still open take more than one file may: no directory shows them, so
/// whoever measures directories does not see them.
async fn until_hoarded(sandbox: &Sandbox, bytes_max: u64) {
    let mut ticks = tokio::time::interval(HOARD_INTERVAL);
    loop {
        ticks.tick().await;
        let hoard = sandbox.usage().await.map_or(0, |usage| usage.unlinked_bytes);
        if hoard > bytes_max {
            return;
        }
    }
}

/// Forwards the log until the end of the sandbox, which cancelling brings about.
async fn follow(sandbox: &Sandbox, output: &mpsc::Sender<Line>, cancel: &CancellationToken) -> sandbox::Exit {
    let mut cursor = Cursor::default();
    let mut ticks = tokio::time::interval(LOG_INTERVAL);
    let mut killed = false;
    let end = sandbox.wait();
    tokio::pin!(end);
    let exit = loop {
        tokio::select! {
            exit = &mut end => break exit,
            () = cancel.cancelled(), if !killed => {
                killed = true;
                if let Err(error) = sandbox.kill().await {
                    tracing::debug!(%error, "a cancelled step had ended");
                }
            }
            _ = ticks.tick() => cursor = forward(sandbox, output, cursor).await,
        }
    };
    forward(sandbox, output, cursor).await;
    exit
}

/// Sends all complete lines from `cursor` on and gives the next cursor.
async fn forward(sandbox: &Sandbox, output: &mpsc::Sender<Line>, mut cursor: Cursor) -> Cursor {
    let (dir, prefix) = sandbox.log_path();
    loop {
        match log::read(dir, prefix, cursor, PAGE_LINES) {
            Ok(page) if page.lines.is_empty() => return page.next,
            Ok(page) => {
                cursor = page.next;
                for line in page.lines {
                    // A receiver that is gone wants no more of it.
                    if output.send(line).await.is_err() {
                        return cursor;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(sandbox = sandbox.name(), %error, "the log of a step cannot be read");
                return cursor;
            }
        }
    }
}

/// The name, or the address where no name led to it, and whether it was let through.
fn contact_name(contact: &Contact) -> (String, bool) {
    let address = || contact.address.map(|address| address.to_string());
    let name = contact.name.clone().or_else(address).unwrap_or_default();
    (name, contact.verdict == Verdict::Allowed)
}

fn policy(egress: &Egress, registries: &[String]) -> Policy {
    match egress {
        Egress::None => Policy::None,
        Egress::Registries => Policy::registries(registries),
        Egress::Names(names) => Policy::Names(names.clone()),
        Egress::Public => Policy::Public,
    }
}
