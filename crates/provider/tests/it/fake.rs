//! The fake provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use model::artifact::Server;
use model::network::Egress;
use model::plan::Health;
use model::{DeploymentId, Digest, InstanceId, PreviewId, ServiceName};
use provider::contract::{PROMISES, Subject};
use provider::fake::{Behaviour, Call, FakeProvider, How};
use provider::{InstanceSpec, NotReady, Phase, Provider};

use crate::{Test, run};

pub(crate) const TESTS: &[Test] = &[
    ("fake::failures_come_as_asked_for", failures),
    ("fake::the_nth_call_fails_whatever_it_is", nth),
    ("fake::instances_behave_as_scripted", behaviours),
];

#[derive(Default)]
struct Fake {
    provider: FakeProvider,
    next: AtomicU8,
}

/// A specification of instance `n` with nothing behind it.
pub(crate) fn bare_spec(n: u8) -> InstanceSpec {
    InstanceSpec {
        instance: InstanceId::from_random([n; 10]),
        preview: PreviewId::from_random([n; 10]),
        deployment: DeploymentId::from_random([n; 10]),
        service: ServiceName::web(),
        replica: 1,
        server: Server {
            source: Digest::of(b""),
            layers: Vec::new(),
            toolchains: Vec::new(),
            root: String::new(),
            command: "node server.js".to_owned(),
            port: None,
            health: Health::default(),
            variables: Default::default(),
        },
        live: None,
        variables: Vec::new(),
        secrets: Vec::new(),
        limits: Default::default(),
        egress: Egress::None,
    }
}

impl Subject for Fake {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(self.provider.clone())
    }

    fn spec(&self) -> InstanceSpec {
        bare_spec(self.next.fetch_add(1, Ordering::SeqCst))
    }

    fn spec_that_exits(&self) -> InstanceSpec {
        let summary = "ended with exit code 3".to_owned();
        let exit = Behaviour::Exit {
            line: "no".to_owned(),
            summary,
            out_of_memory: false,
        };
        self.provider.behave("exits", exit);
        let mut spec = self.spec();
        spec.server.command = "exits".to_owned();
        spec
    }
}

pub(crate) fn contract() -> Vec<Trial> {
    let trial = |promise: &provider::contract::Promise| {
        let promise = *promise;
        Trial::test(format!("fake::contract::{}", promise.name), move || {
            run(promise.check(&Fake::default())).map_err(Failed::from)
        })
    };
    PROMISES.iter().map(trial).collect()
}

fn failures() {
    run(async {
        let provider = FakeProvider::new();
        let spec = bare_spec(1);
        provider.fail_next(Call::Ensure, How::Error);
        assert!(provider.ensure(&spec).await.is_err());
        assert!(provider.instances().is_empty());
        provider.fail_next(Call::Ensure, How::DoneButFailed);
        assert!(provider.ensure(&spec).await.is_err());
        assert_eq!(provider.instances().len(), 1);
        provider.fail_next(Call::List, How::Hang);
        let hanging = tokio::time::timeout(Duration::from_millis(20), provider.list()).await;
        assert!(hanging.is_err());
        assert_eq!(provider.list().await.unwrap().len(), 1);
        assert_eq!(
            (
                provider.count(Call::Ensure),
                provider.count(Call::List),
                provider.calls()
            ),
            (2, 2, 4)
        );
    });
}

fn nth() {
    run(async {
        let provider = FakeProvider::new();
        let spec = bare_spec(1);
        provider.fail_nth(2, How::Error);
        assert!(provider.ensure(&spec).await.is_ok());
        assert!(provider.observe(&spec.instance).await.is_err());
        assert!(provider.observe(&spec.instance).await.is_ok());
    });
}

fn behaviours() {
    run(async {
        let provider = FakeProvider::new();
        provider.behave("quiet", Behaviour::NeverListen);
        let mut spec = bare_spec(1);
        spec.server.command = "quiet".to_owned();
        provider.ensure(&spec).await.unwrap();
        let ready = provider.ready(&spec.instance, None, Duration::from_secs(7)).await;
        assert!(
            matches!(
                ready,
                Err(NotReady::NeverListened {
                    waited_seconds: 7,
                    ..
                })
            ),
            "{ready:?}"
        );
        provider.crash(&spec.instance, "was killed");
        assert!(matches!(provider.instances()[0].phase, Phase::Exited { .. }));
        provider.vanish(&spec.instance);
        assert_eq!(
            provider.observe(&spec.instance).await.unwrap().phase,
            Phase::Absent
        );
    });
}
