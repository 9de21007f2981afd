//! The operations: each can be repeated, goes on to its end when its caller is gone, and is alone on its instance.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use model::InstanceId;
use sandbox::{Found, Sandbox, Spec};
use store::{Pace, TooMuch};
use tokio::net::TcpStream;

use super::instances::Known;
use super::specification::{LayError, Scratch, disk_limit, sandbox_spec, scratch_root};
use super::{LocalProvider, instance_of, live, sandbox_name};
use crate::{Capabilities, InstanceSpec, LogPage, NotReady, Observed, Phase, Provider, ProviderError, Usage};

/// How long a server may take to end by itself when it is removed.
const FAREWELL_TIME: Duration = Duration::from_secs(2);
const TERMINATE: i32 = 15;

impl LocalProvider {
    pub(super) async fn take_over(&self) -> Result<(), ProviderError> {
        let found = self
            .inner
            .host
            .found()
            .await
            .map_err(|error| ProviderError::List(error.to_string()))?;
        for found in found {
            let Some(instance) = instance_of(found.name()) else {
                continue;
            };
            let known = match found {
                Found::Running(sandbox) => {
                    // Whoever does not say is thawed at the next call for it.
                    let asleep = sandbox.status().await.is_ok_and(|status| status.frozen);
                    let limit_bytes = disk_limit(&self.inner.store, &instance);
                    self.watch(&instance, &sandbox, limit_bytes);
                    Known::Alive { sandbox, asleep }
                }
                Found::Ended { exit, .. } => Known::ended(&exit),
                Found::Broken { reason, .. } => {
                    tracing::warn!(%instance, reason, "an instance cannot be taken over");
                    Known::Ended {
                        summary: "was lost".to_owned(),
                        out_of_memory: false,
                    }
                }
            };
            self.inner.instances.set(&instance, known);
        }
        self.take_over_scratches()
    }

    /// A crash between the making or removing of a scratch directory and of its sandbox leaves the directory alone. It is
    /// shown as an instance that has ended, so that whoever knows the rows has it started again or removed.
    fn take_over_scratches(&self) -> Result<(), ProviderError> {
        let names = self.inner.store.scratches();
        let names = names.map_err(|error| ProviderError::List(error.to_string()))?;
        for instance in names.iter().filter_map(|name| name.parse::<InstanceId>().ok()) {
            if self.inner.instances.get(&instance).is_none() {
                let lost = Known::Ended {
                    summary: "was lost".to_owned(),
                    out_of_memory: false,
                };
                self.inner.instances.set(&instance, lost);
            }
        }
        Ok(())
    }

    /// Does `work` to its end, whether or not the caller waits for it.
    async fn finish<T, F>(
        &self,
        what: &'static str,
        instance: &InstanceId,
        work: F,
    ) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        let failed = |error: tokio::task::JoinError| failed(what, instance, error);
        tokio::spawn(work).await.map_err(failed)?
    }

    async fn make_run(&self, spec: InstanceSpec) -> Result<(), ProviderError> {
        self.adopt().await?;
        let instance = &spec.instance;
        let _turn = self.inner.instances.turn(instance).await;
        if let Some(Known::Alive { sandbox, asleep }) = self.inner.instances.get(instance)
            && !sandbox.has_ended()
            && self.is_of(&spec).await
        {
            if asleep {
                sandbox
                    .thaw()
                    .await
                    .map_err(|error| failed("waking", instance, error))?;
                self.inner.instances.set(
                    instance,
                    Known::Alive {
                        sandbox,
                        asleep: false,
                    },
                );
            }
            return Ok(());
        }
        self.clear(instance).await?;
        let told = self
            .lay_out(&spec)
            .await
            .map_err(|error| failed("start", instance, error))?;
        let sandbox = self
            .inner
            .host
            .spawn(told)
            .await
            .map_err(|error| failed("start", instance, error))?;
        self.watch(instance, &sandbox, Some(spec.limits.disk_bytes));
        self.inner.instances.set(
            instance,
            Known::Alive {
                sandbox,
                asleep: false,
            },
        );
        Ok(())
    }

    async fn is_of(&self, spec: &InstanceSpec) -> bool {
        let (store, spec) = (self.inner.store.clone(), spec.clone());
        let look = move || Scratch::open(&store, &spec.instance).is_ok_and(|scratch| scratch.is_of(&spec));
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }

    /// Everything an instance stands on. What it wrote before stays, unless that was too much.
    async fn lay_out(&self, spec: &InstanceSpec) -> Result<Spec, LayError> {
        let (store, spec) = (self.inner.store.clone(), spec.clone());
        let lay = move || {
            let root = scratch_root(&store, &spec.instance);
            if store::measure(&[root.join("upper"), root.join("home")], spec.limits.disk_bytes).is_err() {
                store.remove_scratch(spec.instance.as_str())?;
            }
            let scratch = Scratch::open(&store, &spec.instance)?;
            scratch.mark(&spec)?;
            sandbox_spec(&store, &spec, &scratch)
        };
        tokio::task::spawn_blocking(lay).await.map_err(io::Error::other)?
    }

    /// Removes the sandbox and keeps its log. Absent is fine.
    async fn clear(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        if let Some(Known::Alive { sandbox, .. }) = self.inner.instances.get(instance) {
            sandbox
                .kill()
                .await
                .map_err(|error| failed("end", instance, error))?;
        }
        let (this, id) = (self.clone(), instance.clone());
        let keep = move || this.inner.logs.keep(&id, &this.directory(&id));
        let kept = tokio::task::spawn_blocking(keep)
            .await
            .map_err(io::Error::other)
            .flatten();
        if let Err(error) = kept {
            // A log is no reason to leave a process behind.
            tracing::warn!(%instance, %error, "the log of an instance is lost");
        }
        let removed = self.inner.host.remove(&sandbox_name(instance)).await;
        removed.map_err(|error| failed("removal", instance, error))?;
        self.inner.instances.forget(instance);
        Ok(())
    }

    async fn take_away(&self, instance: InstanceId) -> Result<(), ProviderError> {
        self.adopt().await?;
        let _turn = self.inner.instances.turn(&instance).await;
        if let Some(Known::Alive {
            sandbox,
            asleep: false,
        }) = self.inner.instances.get(&instance)
        {
            // It may want to say goodbye; asleep it could not.
            if sandbox.signal(TERMINATE).await.is_ok() {
                let _ = tokio::time::timeout(FAREWELL_TIME, sandbox.wait()).await;
            }
        }
        self.clear(&instance).await?;
        let (store, id) = (self.inner.store.clone(), instance.clone());
        let remove = move || {
            live::tidy(&store, &id);
            store.remove_scratch(id.as_str())
        };
        let removed = tokio::task::spawn_blocking(remove)
            .await
            .map_err(|error| failed("removal", &instance, error))?;
        removed.map_err(|error| failed("removal", &instance, error))
    }

    async fn put_to_sleep(&self, instance: InstanceId) -> Result<(), ProviderError> {
        self.adopt().await?;
        let _turn = self.inner.instances.turn(&instance).await;
        match self.inner.instances.get(&instance) {
            None => Err(ProviderError::Absent(instance)),
            Some(Known::Alive {
                sandbox,
                asleep: false,
            }) if !sandbox.has_ended() => {
                sandbox
                    .freeze()
                    .await
                    .map_err(|error| failed("sleep", &instance, error))?;
                self.inner.instances.set(
                    &instance,
                    Known::Alive {
                        sandbox,
                        asleep: true,
                    },
                );
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    /// Notes the end of `sandbox`, and brings it about when it writes more than `disk_bytes`.
    fn watch(&self, instance: &InstanceId, sandbox: &Sandbox, disk_bytes: Option<u64>) {
        let (this, instance, sandbox) = (self.clone(), instance.clone(), sandbox.clone());
        tokio::spawn(async move {
            let end = tokio::select! {
                exit = sandbox.wait() => Known::ended(&exit),
                why = this.until_too_much(&instance, &sandbox, disk_bytes) => {
                    // Whoever reads the log should know; one that cannot be told is ended all the same.
                    let _ = sandbox.note(&format!("It {why}, and was ended")).await;
                    if let Err(error) = sandbox.kill().await {
                        tracing::warn!(%instance, %error, "an instance that writes too much goes on");
                    }
                    Known::Ended { summary: why.to_string(), out_of_memory: false }
                }
            };
            this.inner.instances.note_end(&instance, &sandbox, end);
        });
    }

    async fn until_too_much(
        &self,
        instance: &InstanceId,
        sandbox: &Sandbox,
        disk_bytes: Option<u64>,
    ) -> TooMuch {
        let Some(limit_bytes) = disk_bytes else {
            return std::future::pending().await;
        };
        let root = scratch_root(&self.inner.store, instance);
        let mut pace = Pace::new(&self.inner.store);
        loop {
            tokio::time::sleep(pace.interval()).await;
            if !pace.is_due() {
                continue;
            }
            let directories = [root.join("upper"), root.join("home")];
            let look = tokio::task::spawn_blocking(move || store::measure(&directories, limit_bytes));
            let unlinked_bytes = sandbox.usage().await.map_or(0, |usage| usage.unlinked_bytes);
            match look.await {
                Ok(Ok(bytes)) if bytes.saturating_add(unlinked_bytes) > limit_bytes => return TooMuch::Bytes,
                Ok(Err(why)) => return why,
                Ok(Ok(_)) | Err(_) => {}
            }
            pace.looked();
        }
    }

    /// Where the sandbox of `instance` has its log; unless it is alive, only by name.
    fn directory(&self, instance: &InstanceId) -> PathBuf {
        self.inner.host.directory_of(&sandbox_name(instance))
    }

    async fn alive(&self, instance: &InstanceId) -> Result<Sandbox, ProviderError> {
        self.adopt().await?;
        match self.inner.instances.get(instance) {
            Some(Known::Alive { sandbox, .. }) => Ok(sandbox),
            _ => Err(ProviderError::Absent(instance.clone())),
        }
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "local".to_owned(),
            sleep: true,
            survives_platform: true,
            usage: true,
        }
    }

    async fn ensure(&self, spec: &InstanceSpec) -> Result<(), ProviderError> {
        let (this, wanted) = (self.clone(), spec.clone());
        self.finish(
            "start",
            &spec.instance,
            async move { this.make_run(wanted).await },
        )
        .await
    }

    async fn ready(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<u16, NotReady> {
        self.adopt().await?;
        self.find_port(instance, port, timeout).await
    }

    async fn sleep(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let (this, id) = (self.clone(), instance.clone());
        self.finish("sleep", instance, async move { this.put_to_sleep(id).await })
            .await
    }

    async fn observe(&self, instance: &InstanceId) -> Result<Observed, ProviderError> {
        self.adopt().await?;
        let phase = match self.inner.instances.get(instance) {
            Some(known) => known.phase().await,
            None => Phase::Absent,
        };
        Ok(Observed {
            instance: instance.clone(),
            phase,
        })
    }

    async fn list(&self) -> Result<Vec<Observed>, ProviderError> {
        self.adopt().await?;
        let mut all = Vec::new();
        for (instance, known) in self.inner.instances.all() {
            let phase = known.phase().await;
            all.push(Observed { instance, phase });
        }
        Ok(all)
    }

    async fn remove(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let (this, id) = (self.clone(), instance.clone());
        self.finish("removal", instance, async move { this.take_away(id).await })
            .await
    }

    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream> {
        let sandbox = self
            .alive(instance)
            .await
            .map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        sandbox.dial(port).await
    }

    async fn logs(&self, instance: &InstanceId, from: u64) -> Result<LogPage, ProviderError> {
        self.adopt().await?;
        let live = self
            .inner
            .instances
            .get(instance)
            .map(|_| self.directory(instance));
        let (this, id) = (self.clone(), instance.clone());
        let read = move || this.inner.logs.read(&id, live.as_deref(), from);
        let page = tokio::task::spawn_blocking(read)
            .await
            .map_err(io::Error::other)
            .flatten();
        page.map_err(|error| failed("reading the log", instance, error))
    }

    async fn usage(&self, instance: &InstanceId) -> Result<Usage, ProviderError> {
        let usage = self.alive(instance).await?.usage().await;
        let usage = usage.map_err(|error| failed("measuring", instance, error))?;
        Ok(Usage {
            cpu_ms: usage.cpu_ms,
            memory_bytes: usage.memory_bytes,
            pids: usage.pids,
        })
    }
}

fn failed(what: &'static str, instance: &InstanceId, error: impl std::error::Error) -> ProviderError {
    ProviderError::Failed {
        what,
        instance: instance.clone(),
        why: error.to_string(),
    }
}
