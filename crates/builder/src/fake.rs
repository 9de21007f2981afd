//! A runner that isolates nothing because it runs nothing: commands are looked up in a script.
//!
//! For tests of whoever builds: installs and builds write the files that the script says, fail as it says, or hang until
//! they are cancelled. Everything else (detection, keys, layers, artifacts) is real.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use model::commit::CommitSha;
use sandbox::log::{Level, Line};
use sandbox::{Ended, Exit};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::build::fetch;
use crate::build::{RunError, Runner, StepEnd, StepSpec};

/// What a command does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Files that it writes, by path below the app's directory.
    pub writes: Vec<(String, String)>,
    /// Lines that it prints.
    pub prints: Vec<String>,
    pub end: End,
}

/// How it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    #[default]
    Success,
    Exit(i32),
    OutOfMemory,
    /// Only when it is cancelled.
    Never,
    /// The sandbox could not be started.
    NoSandbox,
}

/// Runs scripts instead of commands. Clones share everything.
#[derive(Clone, Default)]
pub struct FakeRunner {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    scripts: Mutex<HashMap<String, Vec<Script>>>,
    ran: Mutex<Vec<StepSpec>>,
    changed: Notify,
}

impl FakeRunner {
    /// From now on the command `command` does `script`. Given several times, each is used once and the last for ever. A
    /// command without a script does nothing and succeeds.
    pub fn on(&self, command: &str, script: Script) {
        locked(&self.state.scripts)
            .entry(command.to_owned())
            .or_default()
            .push(script);
    }

    /// From now on fetching `commit` does `script`; what it writes is the source.
    pub fn on_fetch(&self, commit: &CommitSha, script: Script) {
        self.on(&fetch::command(commit), script);
    }

    /// Every step that was run, in order.
    pub fn steps(&self) -> Vec<StepSpec> {
        locked(&self.state.ran).clone()
    }

    /// The commands of all steps that were run, in order.
    pub fn commands(&self) -> Vec<String> {
        locked(&self.state.ran)
            .iter()
            .map(|step| step.command.clone())
            .collect()
    }

    /// Returns when at least `count` steps have been started.
    pub async fn started(&self, count: usize) {
        loop {
            let changed = self.state.changed.notified();
            if locked(&self.state.ran).len() >= count {
                return;
            }
            changed.await;
        }
    }

    fn script(&self, command: &str) -> Script {
        let mut scripts = locked(&self.state.scripts);
        match scripts.get_mut(command) {
            Some(scripts) if scripts.len() > 1 => scripts.remove(0),
            Some(scripts) => scripts.first().cloned().unwrap_or_default(),
            None => Script::default(),
        }
    }
}

#[async_trait]
impl Runner for FakeRunner {
    async fn run(
        &self,
        step: StepSpec,
        output: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, RunError> {
        let (script, upper) = (self.script(&step.command), step.upper.clone());
        locked(&self.state.ran).push(step);
        self.state.changed.notify_waiters();
        for text in script.prints {
            // The test may have stopped listening.
            let _ = output
                .send(Line {
                    at_ms: now_ms(),
                    level: Level::Out,
                    text,
                })
                .await;
        }
        for (path, text) in script.writes {
            write(upper.join(path), text).map_err(|error| RunError::Start(error.to_string()))?;
        }
        let how = match script.end {
            End::Success => Ended::Exited { code: 0 },
            End::Exit(code) => Ended::Exited { code },
            End::OutOfMemory => Ended::OutOfMemory,
            End::NoSandbox => return Err(RunError::Start("the fake has none".to_owned())),
            End::Never => {
                cancel.cancelled().await;
                Ended::Killed
            }
        };
        Ok(StepEnd {
            exit: Exit {
                how,
                at_ms: now_ms(),
                cpu_ms: 1,
                memory_peak_bytes: 1,
            },
            contacts: Vec::new(),
            hoarded: false,
        })
    }
}

fn write(path: PathBuf, text: String) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
