//! One step: run, watched and explained.
//!
//! Guards against steps that run, write or print for ever, and turns every end into what the project's author needs to
//! know. It does *not* know what a step is for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use model::failure::{Code, Stage};
use model::units::{format_bytes, format_millis};
use model::{Failure, Tree};
use sandbox::Ended;
use sandbox::log::{Level, Line};
use store::{Pace, Store, TooMuch};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::disk;
use super::environment::Phase;
use super::request::{BuildError, Observer};
use super::runner::{RunError, Runner, StepEnd, StepSpec};
use crate::diagnose::{Sources, explain};

/// Lines that are remembered for the failure.
const LINES_KEPT: usize = 400;
/// The sandbox keeps the time itself; this is for one that does not.
const GRACE: Duration = Duration::from_secs(10);
/// Hosts that are named in the log after a step.
const CONTACTS_SHOWN: usize = 20;
/// Lines on their way to the observer.
const LINES_WAITING: usize = 1_024;

/// What a step may use and how it is explained.
pub(super) struct Watch<'a> {
    pub(super) phase: Phase,
    /// What is run, for people.
    pub(super) title: &'a str,
    pub(super) deadline: Instant,
    /// What all steps together may take, for the message.
    pub(super) seconds_max: u32,
    pub(super) disk_bytes_max: u64,
    /// Directories whose content counts.
    pub(super) measured: Vec<PathBuf>,
    pub(super) store: &'a Store,
    pub(super) tree: &'a Tree,
    pub(super) root: &'a str,
}

/// A command that ended by itself, and not well.
pub(super) struct Unsuccessful {
    pub(super) failure: Failure,
    pub(super) how: Ended,
    pub(super) lines: Vec<String>,
}

/// How a step that could run ended.
pub(super) enum Outcome {
    Done,
    Unsuccessful(Unsuccessful),
}

/// Why we ended it ourselves.
enum Stopped {
    Disk(TooMuch),
    Time,
}

impl Watch<'_> {
    /// Runs `spec` and tells `observer` every line.
    pub(super) async fn run(
        &self,
        runner: &dyn Runner,
        spec: StepSpec,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Outcome, BuildError> {
        let stop = cancel.child_token();
        let stopped = OnceLock::new();
        let free_bytes = self.free_bytes();
        let (sender, receiver) = mpsc::channel(LINES_WAITING);
        let ran = async {
            tokio::select! {
                end = runner.run(spec, sender, &stop) => end,
                never = self.guard(&stop, &stopped) => match never {},
            }
        };
        let (end, lines) = tokio::join!(ran, listen(receiver, observer));
        if let Ok(end) = &end {
            tell_contacts(&end.contacts, observer);
        }
        if cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        match stopped.get() {
            Some(Stopped::Disk(why)) => return Err(self.too_much_written(*why, lines).into()),
            Some(Stopped::Time) => return Err(self.too_late(lines).into()),
            None => {}
        }
        if matches!(&end, Ok(StepEnd { hoarded: true, .. })) {
            return Err(self.too_much_written(TooMuch::Bytes, lines).into());
        }
        // A fast disk takes a lot between two looks.
        let written = free_bytes.saturating_sub(self.free_bytes());
        if written > self.disk_bytes_max / 2
            && let Err(why) = self.measure().await
        {
            return Err(self.too_much_written(why, lines).into());
        }
        self.judge(end, lines)
    }

    fn judge(&self, end: Result<StepEnd, RunError>, lines: Vec<String>) -> Result<Outcome, BuildError> {
        let command = self.title;
        let end =
            end.map_err(|error| Failure::new(Code::SandboxFailed, error.to_string()).at(self.stage()))?;
        let code = match end.exit.how {
            Ended::Exited { code: 0 } => return Ok(Outcome::Done),
            Ended::Exited { .. } | Ended::Signalled { .. } => match self.phase {
                Phase::Source => Code::SourceUnreachable,
                Phase::Install => Code::InstallFailed,
                Phase::Build => Code::BuildFailed,
            },
            Ended::OutOfMemory => Code::OutOfMemory,
            Ended::TimedOut => return Err(self.too_late(lines).into()),
            Ended::LeashLost | Ended::Killed | Ended::Lost => {
                let message = format!("`{command}` {}", end.exit.how);
                return Err(Failure::new(Code::SandboxFailed, message).at(self.stage()).into());
            }
        };
        let mut message = format!("`{command}` {}", end.exit.how);
        if disk::is_full(&self.measured) && lines.iter().any(|line| says_full(line)) {
            let message = format!("{message}: the server's disk is full");
            return Err(Failure::new(Code::DiskFull, message)
                .at(self.stage())
                .excerpt(lines)
                .into());
        }
        let refused: Vec<&str> = end
            .contacts
            .iter()
            .filter(|(_, allowed)| !allowed)
            .map(|(name, _)| name.as_str())
            .take(5)
            .collect();
        if !refused.is_empty() {
            message = format!("{message}; it was not let through to {}", refused.join(", "));
        }
        let failure = Failure::new(code, message).at(self.stage());
        let sources = Sources {
            tree: self.tree,
            root: self.root,
        };
        let unsuccessful = Unsuccessful {
            how: end.exit.how,
            failure: explain(failure, &lines, sources).excerpt(lines.clone()),
            lines,
        };
        Ok(Outcome::Unsuccessful(unsuccessful))
    }

    /// Ends the step when it writes too much or does not end in time. Never returns.
    async fn guard(&self, stop: &CancellationToken, stopped: &OnceLock<Stopped>) -> std::convert::Infallible {
        let mut pace = Pace::new(self.store);
        let mut ticks = tokio::time::interval(pace.interval());
        let late = tokio::time::sleep_until((self.deadline + GRACE).into());
        tokio::pin!(late);
        let why = loop {
            tokio::select! {
                () = &mut late => break Stopped::Time,
                _ = ticks.tick() => {
                    if !pace.is_due() {
                        continue;
                    }
                    if let Err(why) = self.measure().await {
                        break Stopped::Disk(why);
                    }
                    pace.looked();
                }
            }
        };
        let _ = stopped.set(why);
        stop.cancel();
        std::future::pending().await
    }

    /// On the whole disk; 0 where it cannot be told.
    fn free_bytes(&self) -> u64 {
        self.store.room().map_or(0, |room| room.free_bytes)
    }

    async fn measure(&self) -> Result<u64, TooMuch> {
        let (dirs, max) = (self.measured.clone(), self.disk_bytes_max);
        let measured = tokio::task::spawn_blocking(move || store::measure(&dirs, max)).await;
        measured.unwrap_or(Ok(0))
    }

    fn stage(&self) -> Stage {
        match self.phase {
            Phase::Source => Stage::Source,
            Phase::Install => Stage::Install,
            Phase::Build => Stage::Build,
        }
    }

    fn too_late(&self, lines: Vec<String>) -> Failure {
        let (title, limit) = (self.title, format_millis(u64::from(self.seconds_max) * 1_000));
        let failure = match self.phase {
            Phase::Source => Failure::new(Code::TimedOut, format!("{title} took longer than {limit}"))
                .hint("See whether the forge answers, and keep large files out of the repository."),
            Phase::Install | Phase::Build => {
                let message = format!("`{title}` was ended because the build took longer than {limit}");
                Failure::new(Code::TimedOut, message)
            }
        };
        failure.at(self.stage()).excerpt(lines)
    }

    fn too_much_written(&self, why: TooMuch, lines: Vec<String>) -> Failure {
        let message = match why {
            TooMuch::Bytes => format!(
                "the {} wrote more than {}",
                self.phase.name(),
                format_bytes(self.disk_bytes_max)
            ),
            TooMuch::Entries | TooMuch::Depth => format!("the {} {why}", self.phase.name()),
        };
        let code = match self.phase {
            Phase::Source => Code::SourceInvalid,
            Phase::Install | Phase::Build => Code::DiskLimit,
        };
        Failure::new(code, message).at(self.stage()).excerpt(lines)
    }
}

/// How programs say that nothing more can be written.
fn says_full(line: &str) -> bool {
    ["No space left on device", "ENOSPC"]
        .iter()
        .any(|words| line.contains(words))
}

/// Says in the log where the step has been on the network.
fn tell_contacts(contacts: &[(String, bool)], observer: &dyn Observer) {
    for (allowed, level, word) in [(true, Level::Info, "Contacted"), (false, Level::Warn, "Refused")] {
        let names: BTreeSet<&str> = contacts
            .iter()
            .filter(|contact| contact.1 == allowed)
            .map(|contact| contact.0.as_str())
            .collect();
        if names.is_empty() {
            continue;
        }
        let shown: Vec<&str> = names.iter().take(CONTACTS_SHOWN).copied().collect();
        let more = match names.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        observer.line(level, &format!("{word} {}{more}", shown.join(", ")));
    }
}

/// Passes lines on until the sender is gone, and keeps the last ones.
async fn listen(mut lines: mpsc::Receiver<Line>, observer: &dyn Observer) -> Vec<String> {
    let mut kept = std::collections::VecDeque::with_capacity(LINES_KEPT);
    while let Some(line) = lines.recv().await {
        observer.line(line.level, &line.text);
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line.text);
    }
    kept.into()
}
