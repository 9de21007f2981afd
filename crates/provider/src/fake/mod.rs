//! A provider in memory, for tests of whoever uses one: real sockets on loopback, and failures on request.
//!
//! Guards against tests that pass only because the fake is kinder than the world: a call can fail, hang, or do its work
//! and still report a failure; an instance can exit, never listen or answer badly. It passes the same
//! [`contract`](crate::contract) as every other provider. It does *not* isolate anything and runs no command.

mod app;
mod script;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use model::{DeploymentId, InstanceId};
use sandbox::log::Line;
use tokio::net::TcpStream;

use self::app::App;
use self::script::Script;
pub use self::script::{Behaviour, Call, How};
use crate::{Capabilities, InstanceSpec, LogPage, NotReady, Observed, Phase, Provider, ProviderError, Usage};

/// Lines of one page of a log at the most.
const PAGE_LINES_MAX: usize = 1_000;
/// The port of an instance whose specification names none.
const PORT: u16 = 3000;

/// Instances in memory. Cheap to clone; all clones are the same provider, as after a restart of the platform.
#[derive(Clone, Default)]
pub struct FakeProvider {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    instances: BTreeMap<InstanceId, App>,
    /// Outlives the instances, as logs do.
    logs: BTreeMap<InstanceId, Arc<Mutex<Vec<Line>>>>,
    script: Script,
}

/// One instance as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeInstance {
    pub instance: InstanceId,
    pub deployment: DeploymentId,
    pub phase: Phase,
    /// Requests that it has answered since it started.
    pub requests: u64,
    /// The variables it was given, sorted by name.
    pub variables: BTreeMap<String, String>,
}

impl FakeProvider {
    /// An empty provider in which nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// All instances that exist, by id.
    pub fn instances(&self) -> Vec<FakeInstance> {
        self.state().instances.values().map(App::describe).collect()
    }

    /// The next call of the kind `call` goes wrong in the way of `how`. Several are used up in order.
    pub fn fail_next(&self, call: Call, how: How) {
        self.state().script.fail_next(call, how);
    }

    /// The `nth` call from now on, of whatever kind, goes wrong; 1 is the next.
    pub fn fail_nth(&self, nth: u64, how: How) {
        self.state().script.fail_nth(nth, how);
    }

    /// Forgets all failures that were asked for and did not happen yet.
    pub fn stop_failing(&self) {
        self.state().script.stop_failing();
    }

    /// Calls made so far, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state().script.calls()
    }

    /// Calls of one kind made so far.
    pub fn count(&self, call: Call) -> u64 {
        self.state().script.count(call)
    }

    /// Instances whose command holds `part` behave like `behaviour` from their next start on. The last rule that
    /// matches counts.
    pub fn behave(&self, part: &str, behaviour: Behaviour) {
        self.state().script.behave(part, behaviour);
    }

    /// The process of `instance` ends by itself, as in a crash.
    pub fn crash(&self, instance: &InstanceId, summary: &str) {
        if let Some(app) = self.state().instances.get_mut(instance) {
            app.exit(summary, false);
        }
    }

    /// `instance` is gone without anybody having asked, as after a restart of the machine.
    pub fn vanish(&self, instance: &InstanceId) {
        self.state().instances.remove(instance);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts the call and plays the failure that was asked for: `Err` before the work, or `Ok(true)` when the work is
    /// to be done and yet reported as failed.
    async fn enter(&self, call: Call, instance: Option<&InstanceId>) -> Result<bool, ProviderError> {
        let how = self.state().script.enter(call);
        match how {
            None => Ok(false),
            Some(How::DoneButFailed) => Ok(true),
            Some(How::Error) => Err(scripted(call, instance)),
            Some(How::Hang) => std::future::pending().await,
        }
    }

    /// Runs `work` on the state, under the failure asked for.
    async fn perform<T>(
        &self,
        call: Call,
        instance: &InstanceId,
        work: impl FnOnce(&mut State) -> Result<T, ProviderError> + Send,
    ) -> Result<T, ProviderError> {
        let spoiled = self.enter(call, Some(instance)).await?;
        let done = work(&mut self.state());
        if spoiled {
            Err(scripted(call, Some(instance)))
        } else {
            done
        }
    }
}

impl State {
    fn ensure(&mut self, spec: &InstanceSpec) -> io::Result<()> {
        if let Some(app) = self.instances.get_mut(&spec.instance)
            && app.keeps(spec)
        {
            app.wake();
            return Ok(());
        }
        let log = self.logs.entry(spec.instance.clone()).or_default().clone();
        let behaviour = self.script.behaviour(&spec.server.command);
        self.instances
            .insert(spec.instance.clone(), App::start(spec, behaviour, log)?);
        Ok(())
    }

    fn app(&mut self, instance: &InstanceId) -> Result<&mut App, ProviderError> {
        self.instances
            .get_mut(instance)
            .ok_or_else(|| ProviderError::Absent(instance.clone()))
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "fake".to_owned(),
            sleep: true,
            survives_platform: true,
            usage: true,
        }
    }

    async fn ensure(&self, spec: &InstanceSpec) -> Result<(), ProviderError> {
        let failed = |error: io::Error| ProviderError::Failed {
            what: "start",
            instance: spec.instance.clone(),
            why: error.to_string(),
        };
        self.perform(Call::Ensure, &spec.instance, |state| {
            state.ensure(spec).map_err(failed)
        })
        .await
    }

    async fn ready(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<u16, NotReady> {
        let found = self.perform(Call::Ready, instance, |state| {
            let app = state.app(instance)?;
            Ok((app.phase(), app.port(port)))
        });
        match found.await? {
            (
                Phase::Exited {
                    summary,
                    out_of_memory,
                },
                _,
            ) => Err(NotReady::Exited {
                summary,
                out_of_memory,
            }),
            (_, Some(port)) => Ok(port),
            // Time is not spent: who tests a time-out does not want to wait for it.
            (_, None) => Err(NotReady::NeverListened {
                waited_seconds: timeout.as_secs(),
                seen: Vec::new(),
            }),
        }
    }

    async fn sleep(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        self.perform(Call::Sleep, instance, |state| {
            state.app(instance)?.sleep();
            Ok(())
        })
        .await
    }

    async fn observe(&self, instance: &InstanceId) -> Result<Observed, ProviderError> {
        self.perform(Call::Observe, instance, |state| {
            let phase = state.instances.get(instance).map_or(Phase::Absent, App::phase);
            Ok(Observed {
                instance: instance.clone(),
                phase,
            })
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Observed>, ProviderError> {
        if self.enter(Call::List, None).await? {
            return Err(scripted(Call::List, None));
        }
        let observed = |app: &App| {
            let FakeInstance { instance, phase, .. } = app.describe();
            Observed { instance, phase }
        };
        Ok(self.state().instances.values().map(observed).collect())
    }

    async fn remove(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        self.perform(Call::Remove, instance, |state| {
            state.instances.remove(instance);
            Ok(())
        })
        .await
    }

    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream> {
        let address = {
            let state = self.state();
            let app = state.instances.get(instance);
            app.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?
                .address(port)?
        };
        TcpStream::connect(address).await
    }

    async fn logs(&self, instance: &InstanceId, from: u64) -> Result<LogPage, ProviderError> {
        self.perform(Call::Logs, instance, |state| {
            let Some(log) = state.logs.get(instance) else {
                return Ok(LogPage {
                    lines: Vec::new(),
                    next: from,
                });
            };
            let log = log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let start = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
            let end = log.len().min(start + PAGE_LINES_MAX);
            Ok(LogPage {
                lines: log[start..end].to_vec(),
                next: end as u64,
            })
        })
        .await
    }

    async fn usage(&self, instance: &InstanceId) -> Result<Usage, ProviderError> {
        self.perform(Call::Usage, instance, |state| {
            let requests = state.app(instance)?.describe().requests;
            Ok(Usage {
                cpu_ms: requests,
                memory_bytes: 1 << 20,
                pids: 1,
            })
        })
        .await
    }
}

fn scripted(call: Call, instance: Option<&InstanceId>) -> ProviderError {
    let why = "the test asked for this failure".to_owned();
    match instance {
        Some(instance) => ProviderError::Failed {
            what: call.name(),
            instance: instance.clone(),
            why,
        },
        None => ProviderError::List(why),
    }
}
