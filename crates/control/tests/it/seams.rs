//! The provider and the runner of the stories, with a [`Lifeline`] between control and them. What they start lives outside
//! of the platform and survives it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use builder::fake::FakeRunner;
use builder::{RunError, Runner, StepEnd, StepSpec};
use model::InstanceId;
use model::route::{Kind, Readiness, RouteTable, Target};
use provider::fake::FakeProvider;
use provider::{Capabilities, InstanceSpec, LogPage, NotReady, Observed, Provider, ProviderError, Usage};
use sandbox::log::Line;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::faults::{Lifeline, Seam};

pub(crate) struct OutsideProvider {
    pub(crate) provider: FakeProvider,
    pub(crate) line: Lifeline,
    /// Where the applications live.
    pub(crate) outside: tokio::runtime::Handle,
    /// The newest table that control has put out.
    pub(crate) tables: watch::Receiver<Arc<RouteTable>>,
}

impl OutsideProvider {
    async fn call<T: Send>(
        &self,
        (what, instance): (&'static str, &InstanceId),
        work: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let refused = || Err(refusal(what, instance));
        self.line.call(Seam::Provider(what), work, refused).await
    }

    /// No request may meet an instance that goes to rest: it is taken out of the routes first.
    fn demand_unused(&self, instance: &InstanceId, what: &str) {
        let tables = self.tables.borrow();
        let mut aliases = tables
            .routes
            .iter()
            .filter(|(_, route)| route.kind == Kind::Alias);
        let user = aliases.find(|(_, route)| {
            matches!(&route.target, Target::Instances(all) if all.iter().any(|used| used.instance == *instance && used.readiness != Readiness::Asleep))
        });
        self.line.demand(user.is_none(), || {
            format!("{what} of {instance}, which {user:?} leads to")
        });
    }
}

fn refusal(what: &'static str, instance: &InstanceId) -> ProviderError {
    ProviderError::Failed {
        what,
        instance: instance.clone(),
        why: "the story wants it".to_owned(),
    }
}

#[async_trait]
impl Provider for OutsideProvider {
    fn capabilities(&self) -> Capabilities {
        self.provider.capabilities()
    }

    async fn ensure(&self, spec: &InstanceSpec) -> Result<(), ProviderError> {
        let (provider, started) = (self.provider.clone(), spec.clone());
        let outside = self.outside.clone();
        let work = async move {
            let started = outside.spawn(async move { provider.ensure(&started).await });
            started.await.unwrap()
        };
        self.call(("ensure", &spec.instance), work).await
    }

    async fn ready(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<u16, NotReady> {
        let work = self.provider.ready(instance, port, timeout);
        let refused = || Err(refusal("ready", instance).into());
        self.line.call(Seam::Provider("ready"), work, refused).await
    }

    async fn sleep(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        self.demand_unused(instance, "sleep");
        self.call(("sleep", instance), self.provider.sleep(instance))
            .await
    }

    async fn observe(&self, instance: &InstanceId) -> Result<Observed, ProviderError> {
        self.call(("observe", instance), self.provider.observe(instance))
            .await
    }

    async fn list(&self) -> Result<Vec<Observed>, ProviderError> {
        let refused = || Err(ProviderError::List("the story wants it".to_owned()));
        let seam = Seam::Provider("list");
        self.line.call(seam, self.provider.list(), refused).await
    }

    async fn remove(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        self.demand_unused(instance, "removal");
        self.call(("remove", instance), self.provider.remove(instance))
            .await
    }

    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream> {
        self.provider.dial(instance, port).await
    }

    async fn logs(&self, instance: &InstanceId, from: u64) -> Result<LogPage, ProviderError> {
        self.call(("logs", instance), self.provider.logs(instance, from))
            .await
    }

    async fn usage(&self, instance: &InstanceId) -> Result<Usage, ProviderError> {
        self.call(("usage", instance), self.provider.usage(instance))
            .await
    }
}

pub(crate) struct OutsideRunner {
    pub(crate) runner: FakeRunner,
    pub(crate) line: Lifeline,
}

#[async_trait]
impl Runner for OutsideRunner {
    async fn run(
        &self,
        step: StepSpec,
        output: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, RunError> {
        let work = self.runner.run(step, output, cancel);
        let refused = || Err(RunError::Lost("the story wants it".to_owned()));
        self.line.call(Seam::Runner, work, refused).await
    }
}
