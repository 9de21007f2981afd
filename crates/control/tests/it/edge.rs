//! A small edge for the stories: acknowledges tables, and answers as the real one would, from the store or from the
//! fake provider's real sockets.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use control::links::{Activity, Busy, Check, EdgeLinks, NoAnswer, Probe};
use model::route::{Route, RouteTable, Target};
use model::tree::Node;
use model::{DeploymentId, InstanceId};
use provider::Provider;
use provider::fake::FakeProvider;
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

/// What a visitor got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) body: String,
}

#[derive(Clone)]
pub(crate) struct FakeEdge {
    tables: watch::Receiver<Arc<RouteTable>>,
    store: Store,
    provider: FakeProvider,
    /// Held so that control sees the channel open.
    _wakes: mpsc::Sender<InstanceId>,
    pub(crate) busy: Arc<Mutex<HashMap<InstanceId, Busy>>>,
}

impl FakeEdge {
    pub(crate) fn new(store: &Store, provider: &FakeProvider) -> (Self, EdgeLinks) {
        let (tables, seen) = watch::channel(Arc::new(RouteTable::default()));
        let (acknowledge, acknowledged) = watch::channel(0);
        let (wakes, wanted) = mpsc::channel(16);
        let busy = Arc::default();
        let edge = Self {
            tables: seen.clone(),
            store: store.clone(),
            provider: provider.clone(),
            _wakes: wakes,
            busy,
        };
        tokio::spawn(async move {
            let mut seen = seen;
            while seen.changed().await.is_ok() {
                acknowledge.send_replace(seen.borrow_and_update().generation);
            }
        });
        let links = EdgeLinks {
            tables,
            acknowledged,
            wakes: wanted,
            activity: Arc::new(edge.clone()),
            probe: Arc::new(edge.clone()),
        };
        (edge, links)
    }

    pub(crate) fn route(&self, host: &str) -> Option<Route> {
        self.tables.borrow().routes.get(host).cloned()
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
            Target::Instance { instance, port, .. } => match self.ask(instance, *port).await {
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
