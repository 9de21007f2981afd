//! An edge with everything around it that a test needs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge::{Activity, Dial, Edge, EdgeLinks, EdgeOptions, Peer, PlatformService};
use http::{Request, Response};
use http_body_util::Full;
use model::route::{Kind, Readiness, Replica, Route, RouteTable, Target};
use model::tree::{Entry, Node};
use model::{DeploymentId, Digest, InstanceId, NamespaceName, ProjectName, ServiceName, Tree, TreePath};
use store::Store;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) wakes: mpsc::Receiver<InstanceId>,
    pub(crate) activity: Activity,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    tables: Option<watch::Sender<Arc<RouteTable>>>,
    acknowledged: watch::Receiver<u64>,
    _directory: tempfile::TempDir,
}

/// Connects to applications of the test.
#[derive(Default)]
pub(crate) struct Dialer {
    addresses: Mutex<HashMap<InstanceId, SocketAddr>>,
    pub(crate) dials: AtomicUsize,
}

impl Dialer {
    pub(crate) fn point(&self, instance: &InstanceId, address: SocketAddr) {
        self.addresses.lock().unwrap().insert(instance.clone(), address);
    }
}

#[async_trait]
impl Dial for Dialer {
    async fn dial(&self, instance: &InstanceId, _port: u16) -> io::Result<TcpStream> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        let address = self.addresses.lock().unwrap().get(instance).copied();
        TcpStream::connect(address.ok_or(io::ErrorKind::NotFound)?).await
    }
}

/// Answers for the platform's own hosts, and tells whom it was asked by.
#[derive(Clone)]
struct Platform;

impl tower_service::Service<Request<edge::Body>> for Platform {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<edge::Body>) -> Self::Future {
        let peer = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.0.ip().to_string());
        let text = format!("platform {} {}", request.uri().path(), peer.unwrap_or_default());
        ready(Ok(Response::new(Full::from(text))))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut EdgeOptions)) -> Self {
        let directory = directory();
        let mut options = EdgeOptions::new(vec!["127.0.0.1:0".parse().unwrap()], "localhost");
        // One, so that connections to applications are used again; `switching.rs` has more.
        options.workers = 1;
        adjust(&mut options);
        let (links, ends) = links(directory.path());
        let edge = Edge::bind(options, links).unwrap();
        let shutdown = CancellationToken::new();
        Self {
            address: edge.local_addrs()[0],
            store: ends.store,
            dialer: ends.dialer,
            wakes: ends.wakes,
            activity: edge.activity(),
            running: tokio::spawn(edge.run(shutdown.clone())),
            shutdown,
            tables: Some(ends.tables),
            acknowledged: ends.acknowledged,
            _directory: directory,
        }
    }

    /// Publishes a table with `routes` and waits until it is served from.
    pub(crate) async fn publish(&mut self, routes: Vec<(&str, Target)>) {
        let routes = routes
            .into_iter()
            .map(|(host, target)| (host.to_owned(), route(target)))
            .collect();
        self.put_out(routes).await;
    }

    /// The same with somebody at work on each of them.
    pub(crate) async fn publish_watched(&mut self, routes: Vec<(&str, Target)>) {
        let watched = |target| Route {
            watched: true,
            ..route(target)
        };
        let routes = routes
            .into_iter()
            .map(|(host, target)| (host.to_owned(), watched(target)))
            .collect();
        self.put_out(routes).await;
    }

    async fn put_out(&mut self, routes: HashMap<String, Route>) {
        let generation = *self.acknowledged.borrow() + 1;
        self.tables
            .as_ref()
            .unwrap()
            .send_replace(Arc::new(RouteTable { generation, routes }));
        let acknowledged = self.acknowledged.wait_for(|seen| *seen == generation);
        tokio::time::timeout(PATIENCE, acknowledged)
            .await
            .expect("acknowledged in time")
            .unwrap();
    }

    /// Whoever makes tables is gone.
    pub(crate) fn lose_control(&mut self) {
        self.tables = None;
    }

    /// What is said when an edge shall listen on `address`.
    pub(crate) fn bind_error(address: SocketAddr) -> String {
        let directory = directory();
        let (links, _ends) = links(directory.path());
        let Err(error) = Edge::bind(EdgeOptions::new(vec![address], "localhost"), links) else {
            panic!("two edges listen on {address}");
        };
        error.to_string()
    }

    /// A tree of `files` in the store.
    pub(crate) fn tree(&self, files: &[(&str, &[u8])]) -> Digest {
        let entry = |(path, bytes): &(&str, &[u8])| {
            let (digest, size_bytes) = self.store.put_blob(*bytes, 1 << 30).unwrap();
            Entry {
                path: TreePath::new(path).unwrap(),
                node: Node::File {
                    digest,
                    size_bytes,
                    executable: false,
                },
            }
        };
        self.store
            .put_tree(&Tree::new(files.iter().map(entry).collect()).unwrap())
            .unwrap()
    }

    /// Waits until `instance` has `count` open requests.
    pub(crate) async fn until_in_flight(&self, instance: &InstanceId, count: u64) {
        until(|| self.activity.of(instance).in_flight == count).await;
    }
}

/// In memory where there is such a place: a store writes to its disk when it is opened, and nothing here is about disks.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// The test's ends of the links.
struct Ends {
    store: Store,
    dialer: Arc<Dialer>,
    wakes: mpsc::Receiver<InstanceId>,
    tables: watch::Sender<Arc<RouteTable>>,
    acknowledged: watch::Receiver<u64>,
}

fn links(directory: &Path) -> (EdgeLinks, Ends) {
    let store = Store::open(directory).unwrap();
    let (tables, table_receiver) = watch::channel(Arc::new(RouteTable::default()));
    let (acknowledge, acknowledged) = watch::channel(0);
    let (wake, wakes) = mpsc::channel(16);
    let dialer = Arc::new(Dialer::default());
    let links = EdgeLinks {
        tables: table_receiver,
        acknowledged: acknowledge,
        wakes: wake,
        dialer: dialer.clone(),
        platform: PlatformService::new(Platform),
        store: store.clone(),
    };
    (
        links,
        Ends {
            store,
            dialer,
            wakes,
            tables,
            acknowledged,
        },
    )
}

/// Waits until `condition` holds, looking again and again.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let looking = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("the condition holds in time");
}

pub(crate) fn instance(n: u8) -> InstanceId {
    InstanceId::from_random([n; 10])
}

/// The deployment of every route whose target names no instance, and of that which begins with instance `n`.
pub(crate) fn deployment(n: u8) -> DeploymentId {
    DeploymentId::from_random([n; 10])
}

pub(crate) fn awake(n: u8) -> Target {
    balanced(&[n])
}

pub(crate) fn asleep(n: u8) -> Target {
    Target::Instances(vec![replica(n, Readiness::Asleep)])
}

/// Instances that are all ready.
pub(crate) fn balanced(numbers: &[u8]) -> Target {
    Target::Instances(numbers.iter().map(|n| replica(*n, Readiness::Ready)).collect())
}

pub(crate) fn replica(n: u8, readiness: Readiness) -> Replica {
    Replica {
        instance: instance(n),
        port: 3000,
        readiness,
    }
}

fn route(target: Target) -> Route {
    let number = match &target {
        Target::Instances(all) => (0..=255).find(|n| instance(*n) == all[0].instance).unwrap_or(0),
        _ => 0,
    };
    Route {
        kind: Kind::Alias,
        project: ProjectName::new("project").unwrap(),
        namespace: NamespaceName::main(),
        service: ServiceName::web(),
        deployment: Some(deployment(number)),
        target,
        watched: false,
    }
}
