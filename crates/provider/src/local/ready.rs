//! Which port of an instance takes requests.
//!
//! The port that is known, or the one that was given in `PORT`, is taken as soon as it answers. Any other one, the
//! lowest first, must have been there for a while: a debugger or a helper may listen before the server does. What takes
//! connections and does not answer in HTTP is not taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::InstanceId;
use sandbox::{ControlError, Listener, Sandbox};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::instances::Known;
use super::probe::speaks_http;
use super::{LocalProvider, environment};
use crate::{NotReady, Phase, ProviderError};

/// How often is looked at first, and how often later.
const LOOK_TIME: Duration = Duration::from_millis(5);
const LOOK_TIME_LATER: Duration = Duration::from_millis(50);
const EAGER_TIME: Duration = Duration::from_secs(2);
/// How long another port than the expected ones must have been there.
const OTHER_PORT_TIME: Duration = Duration::from_secs(1);
/// After a port did not answer in HTTP.
const ASK_AGAIN_TIME: Duration = Duration::from_millis(250);

/// What was learnt of the ports so far.
struct Search {
    sandbox: Sandbox,
    /// In the order of preference.
    expected: Vec<u16>,
    since: BTreeMap<u16, Instant>,
    seen: BTreeSet<Listener>,
    answering: BTreeSet<u16>,
    /// When to ask a port next; none while it is being asked.
    ask_at: BTreeMap<u16, Option<Instant>>,
    asking: JoinSet<(u16, bool)>,
}

impl LocalProvider {
    /// See [`crate::Provider::ready`].
    pub(super) async fn find_port(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        time: Duration,
    ) -> Result<u16, NotReady> {
        let absent = || ProviderError::Absent(instance.clone());
        let sandbox = match self.inner.instances.get(instance).ok_or_else(absent)? {
            Known::Alive { sandbox, .. } => sandbox,
            Known::Ended {
                summary,
                out_of_memory,
            } => {
                return Err(NotReady::Exited {
                    summary,
                    out_of_memory,
                });
            }
        };
        let mut expected: Vec<u16> = port.into_iter().collect();
        expected.push(environment::PORT);
        let mut search = Search::new(sandbox.clone(), expected);
        let found = tokio::select! {
            found = timeout_at(Instant::now() + time, search.run()) => found,
            exit = sandbox.wait() => return Err(exited(&Known::ended(&exit)).await),
        };
        match found {
            Ok(Ok(port)) => Ok(port),
            Ok(Err(ControlError::Ended)) => Err(exited(&Known::ended(&sandbox.wait().await)).await),
            Ok(Err(error)) => {
                let why = error.to_string();
                Err(ProviderError::Failed {
                    what: "asking",
                    instance: instance.clone(),
                    why,
                }
                .into())
            }
            Err(_) => Err(NotReady::NeverListened {
                waited_seconds: time.as_secs(),
                seen: search.names(),
            }),
        }
    }
}

async fn exited(end: &Known) -> NotReady {
    match end.phase().await {
        Phase::Exited {
            summary,
            out_of_memory,
        } => NotReady::Exited {
            summary,
            out_of_memory,
        },
        _ => NotReady::Exited {
            summary: "ended".to_owned(),
            out_of_memory: false,
        },
    }
}

impl Search {
    fn new(sandbox: Sandbox, expected: Vec<u16>) -> Self {
        Self {
            sandbox,
            expected,
            since: BTreeMap::new(),
            seen: BTreeSet::new(),
            answering: BTreeSet::new(),
            ask_at: BTreeMap::new(),
            asking: JoinSet::new(),
        }
    }

    async fn run(&mut self) -> Result<u16, ControlError> {
        let begun = Instant::now();
        loop {
            self.look().await?;
            if let Some(port) = self.choose() {
                return Ok(port);
            }
            let eager = begun.elapsed() < EAGER_TIME;
            tokio::select! {
                Some(Ok((port, answers))) = self.asking.join_next() => self.learn(port, answers),
                () = sleep(if eager { LOOK_TIME } else { LOOK_TIME_LATER }) => {}
            }
        }
    }

    /// Looks at the sockets, and asks those that are due.
    async fn look(&mut self) -> Result<(), ControlError> {
        let now = Instant::now();
        let listeners = self.sandbox.listeners().await?;
        let ports: BTreeSet<u16> = listeners.iter().map(|listener| listener.port).collect();
        self.seen = listeners.into_iter().collect();
        self.since.retain(|port, _| ports.contains(port));
        self.answering.retain(|port| ports.contains(port));
        for port in ports {
            self.since.entry(port).or_insert(now);
            let ask_at = self.ask_at.entry(port).or_insert(Some(now));
            if ask_at.is_some_and(|at| at <= now) && !self.answering.contains(&port) {
                *ask_at = None;
                let sandbox = self.sandbox.clone();
                self.asking
                    .spawn(async move { (port, speaks_http(sandbox, port).await) });
            }
        }
        Ok(())
    }

    fn learn(&mut self, port: u16, answers: bool) {
        self.ask_at.insert(port, Some(Instant::now() + ASK_AGAIN_TIME));
        if answers {
            self.answering.insert(port);
        }
    }

    fn choose(&self) -> Option<u16> {
        let expected = self.expected.iter().find(|port| self.answering.contains(port));
        let old = |port: &&u16| {
            self.since
                .get(port)
                .is_some_and(|since| since.elapsed() >= OTHER_PORT_TIME)
        };
        expected.or_else(|| self.answering.iter().find(old)).copied()
    }

    fn names(&self) -> Vec<String> {
        let name =
            |listener: &Listener| std::net::SocketAddr::new(listener.address, listener.port).to_string();
        self.seen.iter().map(name).collect()
    }
}
