//! How long control waits for what runs instances. A call that never comes back would hold its deployment, its instance or
//! a whole pass for ever; after its time it counts as failed and is made again, which every call of a provider allows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::InstanceId;
use provider::{Capabilities, InstanceSpec, LogPage, NotReady, Observed, Provider, ProviderError, Usage};
use tokio::net::TcpStream;

use crate::clock::Clock;

/// Starting materialises a source and mounts layers, which a busy disk makes slow.
const START_MAX: Duration = Duration::from_secs(120);
/// Ending kills every process and removes what was written.
const REMOVE_MAX: Duration = Duration::from_secs(120);
/// Freezing, looking, reading a page of a log.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// What a provider may take beyond the time that it was given.
const GRACE: Duration = Duration::from_secs(10);

/// A provider whose calls end in time.
pub(crate) struct Patient {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) clock: Clock,
}

impl Patient {
    async fn within<T>(
        &self,
        at_most: Duration,
        (what, instance): (&'static str, &InstanceId),
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let late = || ProviderError::Failed {
            what,
            instance: instance.clone(),
            why: no_answer(at_most),
        };
        self.clock
            .within(at_most, call)
            .await
            .unwrap_or_else(|| Err(late()))
    }
}

fn no_answer(within: Duration) -> String {
    format!("no answer came within {} s", within.as_secs())
}

#[async_trait]
impl Provider for Patient {
    fn capabilities(&self) -> Capabilities {
        self.provider.capabilities()
    }

    async fn ensure(&self, spec: &InstanceSpec) -> Result<(), ProviderError> {
        let call = self.provider.ensure(spec);
        self.within(START_MAX, ("start", &spec.instance), call).await
    }

    async fn ready(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<u16, NotReady> {
        let call = self.provider.ready(instance, port, timeout);
        let late = || ProviderError::Failed {
            what: "looking for the port",
            instance: instance.clone(),
            why: no_answer(timeout + GRACE),
        };
        self.clock
            .within(timeout + GRACE, call)
            .await
            .unwrap_or_else(|| Err(late().into()))
    }

    async fn sleep(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let call = self.provider.sleep(instance);
        self.within(LOOK_MAX, ("freezing", instance), call).await
    }

    async fn observe(&self, instance: &InstanceId) -> Result<Observed, ProviderError> {
        let call = self.provider.observe(instance);
        self.within(LOOK_MAX, ("observation", instance), call).await
    }

    async fn list(&self) -> Result<Vec<Observed>, ProviderError> {
        let listed = self.clock.within(LOOK_MAX, self.provider.list()).await;
        listed.unwrap_or_else(|| Err(ProviderError::List(no_answer(LOOK_MAX))))
    }

    async fn remove(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let call = self.provider.remove(instance);
        self.within(REMOVE_MAX, ("removal", instance), call).await
    }

    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream> {
        self.provider.dial(instance, port).await
    }

    async fn logs(&self, instance: &InstanceId, from: u64) -> Result<LogPage, ProviderError> {
        let call = self.provider.logs(instance, from);
        self.within(LOOK_MAX, ("reading the log", instance), call).await
    }

    async fn usage(&self, instance: &InstanceId) -> Result<Usage, ProviderError> {
        let call = self.provider.usage(instance);
        self.within(LOOK_MAX, ("measuring", instance), call).await
    }
}
