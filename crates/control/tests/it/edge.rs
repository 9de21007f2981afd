//! A small edge for the stories: acknowledges tables, and answers as the real one would, from the store or from the
//! fake provider's real sockets.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use control::Clock;
use control::links::{Activity, Busy, Check, EdgeLinks, NoAnswer, Probe};
use model::route::{Kind, Readiness, Replica, Route, RouteTable, Target};
use model::tree::Node;
use model::{DeploymentId, InstanceId};
use provider::Provider;
use provider::fake::FakeProvider;
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use crate::faults::{How, Lifeline, Seam};

/// How late a table or its acknowledgement is when it is late: longer than control waits.
const LATE: Duration = Duration::from_secs(7);

/// What a visitor got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) body: String,
}

#[derive(Clone)]
pub(crate) struct FakeEdge {
    /// What it serves from.
    serving: Arc<watch::Sender<Arc<RouteTable>>>,
    /// What control has put out.
    newest: watch::Receiver<Arc<RouteTable>>,
    store: Store,
    provider: FakeProvider,
    line: Lifeline,
    turns: Arc<AtomicUsize>,
    /// Held so that control sees the channel open.
    _wakes: mpsc::Sender<InstanceId>,
    busy: Arc<Mutex<HashMap<InstanceId, Busy>>>,
}

/// What the edge of one life is made of.
pub(crate) struct EdgeParts {
    pub(crate) store: Store,
    pub(crate) provider: FakeProvider,
    pub(crate) clock: Clock,
    pub(crate) line: Lifeline,
    /// How busy instances are said to be.
    pub(crate) busy: Arc<Mutex<HashMap<InstanceId, Busy>>>,
}

impl FakeEdge {
    pub(crate) fn new(parts: EdgeParts) -> (Self, EdgeLinks) {
        let (tables, seen) = watch::channel(Arc::new(RouteTable::default()));
        let (acknowledge, acknowledged) = watch::channel(0);
        let (wakes, wanted) = mpsc::channel(16);
        let edge = Self {
            serving: Arc::new(watch::Sender::new(Arc::default())),
            newest: seen.clone(),
            store: parts.store,
            provider: parts.provider,
            line: parts.line,
            turns: Arc::default(),
            _wakes: wakes,
            busy: parts.busy,
        };
        tokio::spawn(edge.clone().take_tables(seen, acknowledge, parts.clock));
        let links = EdgeLinks {
            tables,
            acknowledged,
            wakes: wanted,
            activity: Arc::new(edge.clone()),
            probe: Arc::new(edge.clone()),
        };
        (edge, links)
    }

    async fn take_tables(
        self,
        mut tables: watch::Receiver<Arc<RouteTable>>,
        acknowledge: watch::Sender<u64>,
        clock: Clock,
    ) {
        while tables.changed().await.is_ok() {
            let how = self.line.strike(Seam::Table).await;
            match how {
                Some(How::Death | How::DeathAfter) => return self.line.die().await,
                // It takes the newest one when it is back.
                Some(How::Hung) => {
                    let _hanging = self.line.hang();
                    clock.sleep(LATE).await;
                }
                _ => {}
            }
            let table = tables.borrow_and_update().clone();
            self.demand_whole(&table);
            self.serving.send_replace(table.clone());
            if how == Some(How::AnswerLost) {
                let _hanging = self.line.hang();
                clock.sleep(LATE).await;
            }
            acknowledge.send_replace(table.generation);
        }
    }

    pub(crate) fn route(&self, host: &str) -> Option<Route> {
        self.serving.borrow().routes.get(host).cloned()
    }

    /// Returns when it serves from the newest table, after the first is there.
    pub(crate) async fn serves(&self) {
        let newest = self.newest.borrow().generation.max(1);
        // An error is only possible when the sender is gone, and we hold it.
        let _ = self
            .serving
            .subscribe()
            .wait_for(|table| table.generation >= newest)
            .await;
    }

    /// Fetches `/` of `host`.
    pub(crate) async fn get(&self, host: &str) -> Answer {
        let Some(route) = self.route(host) else {
            return Answer {
                status: 404,
                deployment: None,
                body: "unknown host".to_owned(),
            };
        };
        let (status, body) = match &route.target {
            Target::Static { tree, .. } => self.file(tree),
            Target::Instances(all) => match self.ask_one_of(all).await {
                Ok(answer) => answer,
                Err(error) => (502, error.to_string()),
            },
            Target::Notice(notice) => (503, format!("{notice:?}")),
        };
        Answer {
            status,
            deployment: route.deployment,
            body,
        }
    }

    fn file(&self, tree: &model::Digest) -> (u16, String) {
        let tree = self
            .store
            .tree(tree)
            .expect("the tree of a route is in the store");
        let Some(Node::File { digest, .. }) = tree.get("index.html") else {
            return (404, String::new());
        };
        let mut body = String::new();
        self.store
            .open_blob(digest)
            .unwrap()
            .read_to_string(&mut body)
            .unwrap();
        (200, body)
    }

    /// Those that are ready take turns, and one takes over for another that is not reached.
    async fn ask_one_of(&self, all: &[Replica]) -> std::io::Result<(u16, String)> {
        let ready: Vec<&Replica> = all
            .iter()
            .filter(|replica| replica.readiness == Readiness::Ready)
            .collect();
        let mut asked = if ready.is_empty() {
            all.iter().collect()
        } else {
            ready
        };
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) % asked.len();
        asked.rotate_left(turn);
        let mut answer = Err(std::io::ErrorKind::NotFound.into());
        for replica in asked {
            answer = self.ask(&replica.instance, replica.port).await;
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    async fn ask(&self, instance: &InstanceId, port: u16) -> std::io::Result<(u16, String)> {
        let mut stream = self.provider.dial(instance, port).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await?;
        stream.shutdown().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let body = text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
            .to_owned();
        Ok((status, body))
    }
}

#[async_trait]
impl Probe for FakeEdge {
    async fn answer(&self, check: &Check) -> Result<(), NoAnswer> {
        let refused = || {
            Err(NoAnswer::Edge {
                deployment: check.deployment.clone(),
                why: "the story wants it".to_owned(),
            })
        };
        self.line.call(Seam::Probe, self.ask_for(check), refused).await
    }
}

impl FakeEdge {
    /// An alias leads where the pinned address of its deployment leads, or to a notice.
    fn demand_whole(&self, table: &RouteTable) {
        let pinned: HashMap<&DeploymentId, &Target> = table
            .routes
            .values()
            .filter(|route| route.kind == Kind::Pinned)
            .filter_map(|route| Some((route.deployment.as_ref()?, &route.target)))
            .collect();
        for (host, route) in table.routes.iter().filter(|(_, route)| route.kind == Kind::Alias) {
            let whole = match &route.deployment {
                Some(deployment) => pinned.get(deployment) == Some(&&route.target),
                None => matches!(route.target, Target::Notice(_)),
            };
            self.line
                .demand(whole, || format!("{host} is half-switched: {route:?}"));
        }
    }

    async fn ask_for(&self, check: &Check) -> Result<(), NoAnswer> {
        let path = check.health.path.clone().unwrap_or_else(|| "/".to_owned());
        let answer = self.get(&check.host).await;
        if answer.deployment.as_ref() != Some(&check.deployment) {
            let why = format!("{answer:?}");
            return Err(NoAnswer::Edge {
                deployment: check.deployment.clone(),
                why,
            });
        }
        let healthy = match check.health.path {
            None => answer.status < 500,
            Some(_) => (200..400).contains(&answer.status),
        };
        if healthy {
            Ok(())
        } else {
            Err(NoAnswer::Unhealthy {
                path,
                status: answer.status,
            })
        }
    }
}

impl Activity for FakeEdge {
    fn of(&self, instance: &InstanceId) -> Busy {
        self.busy
            .lock()
            .unwrap()
            .get(instance)
            .copied()
            .unwrap_or_default()
    }
}
