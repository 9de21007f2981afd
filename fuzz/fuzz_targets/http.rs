//! A request and an application's answer, both hostile, through the real edge over real sockets: there is an answer of
//! one of the statuses that the edge may give, and a part of a file is exactly that part.
//!
//! Input: path, host and header lines of the request; after a line `%%`, what the application answers.

#![no_main]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edge::{Dial, Edge, EdgeLinks, EdgeOptions, PlatformService};
use http::{Request, Response};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use model::route::{Kind, Readiness, Replica, Route, RouteTable, Target};
use model::tree::{Entry, Node};
use model::{DeploymentId, InstanceId, NamespaceName, ProjectName, ServiceName, Tree, TreePath};
use store::Store;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const MARK: &[u8] = b"\n%%\n";
const PAGE: &[u8] = b"<!doctype html><title>page</title><p>0123456789 abcdefghijklmnopqrstuvwxyz";
/// Nothing here takes longer; the limits of the edge are shorter.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(60);

static WORLD: LazyLock<World> = LazyLock::new(World::start);

fuzz_target!(|input: &[u8]| {
    let cut = input.windows(MARK.len()).position(|window| window == MARK);
    let (request, answer) = match cut {
        Some(cut) => (&input[..cut], &input[cut + MARK.len()..]),
        None => (input, &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"[..]),
    };
    *WORLD.answer.lock().unwrap() = answer.to_vec();
    let mut lines = request.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default().to_vec();
    let (path, host) = (next(), next());
    let mut head = [b"GET ", path.as_slice(), b" HTTP/1.1\r\nhost: ", &host, b"\r\n"].concat();
    for line in lines {
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    check(&WORLD.ask(&head));
});

fn check(answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let shown = || text.chars().take(400).collect::<String>();
    if !text.starts_with("HTTP/1.1 ") {
        // HTTP/2 preface, or a connection that was ended without a word for a head that is none.
        return;
    }
    let status: u16 = text[9..12].parse().unwrap_or_else(|_| panic!("{}", shown()));
    assert_ne!(status, 500, "{}", shown());
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        panic!("a head without an end: {}", shown());
    };
    let from_file = head.contains("x-cygni-deployment: dpl_") && head.contains("etag: ");
    let range = head.lines().find_map(|line| line.strip_prefix("content-range: bytes "));
    if let (206, true, Some(range)) = (status, from_file, range) {
        let (part, _) = range.split_once('/').unwrap();
        let (first, last) = part.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        if !head.contains("content-encoding") {
            assert_eq!(body.as_bytes(), &PAGE[first..=last], "{}", shown());
        }
    }
}

struct World {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
    _tables: watch::Sender<Arc<RouteTable>>,
    _wakes: mpsc::Receiver<InstanceId>,
}

impl World {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let answer: Arc<Mutex<Vec<u8>>> = Arc::default();
        let application = application(answer.clone());
        let (tables, table) = watch::channel(Arc::new(routes(&store)));
        let (acknowledged, _) = watch::channel(0);
        let (wake, wakes) = mpsc::channel(16);
        let mut options = EdgeOptions::new(vec!["127.0.0.1:0".parse().unwrap()], "localhost");
        let limits = &mut options.limits;
        for time in [
            &mut limits.request_head_time,
            &mut limits.request_body_stall_time,
            &mut limits.write_stall_time,
            &mut limits.response_head_time,
            &mut limits.stream_idle_time,
            &mut limits.hold_time,
        ] {
            *time = SHORT;
        }
        limits.pool_idle_max = 0;
        let links = EdgeLinks {
            tables: table,
            acknowledged,
            wakes: wake,
            dialer: Arc::new(Dialer(application)),
            platform: PlatformService::new(Platform),
            store,
        };
        let edge = Edge::bind(options, links).unwrap();
        let address = edge.local_addrs()[0];
        runtime.spawn(edge.run(CancellationToken::new()));
        Self {
            address,
            answer,
            _directory: directory,
            _tables: tables,
            _wakes: wakes,
            _runtime: runtime,
        }
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The edge may have answered and gone before all is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("no end after {PATIENCE:?}"),
            _ => answer,
        }
    }
}

/// Says what it is told to, to everybody, and closes.
fn application(answer: Arc<Mutex<Vec<u8>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(SHORT));
            let _ = stream.read(&mut [0; 64 << 10]);
            let said = answer.lock().unwrap().clone();
            let _ = stream.write_all(&said);
        }
    });
    address
}

fn routes(store: &Store) -> RouteTable {
    let entry = |path: &str, bytes: &[u8]| {
        let (digest, size_bytes) = store.put_blob(bytes, 1 << 20).unwrap();
        Entry {
            path: TreePath::new(path).unwrap(),
            node: Node::File { digest, size_bytes, executable: false },
        }
    };
    let files = vec![
        entry("index.html", PAGE),
        entry("about/index.html", PAGE),
        entry("assets/app-0a1b2c3d.js", PAGE),
        entry("empty.txt", b""),
    ];
    let tree = store.put_tree(&Tree::new(files).unwrap()).unwrap();
    let instance = |n| InstanceId::from_random([n; 10]);
    let served = |n, readiness| Target::Instances(vec![Replica { instance: instance(n), port: 3000, readiness }]);
    let targets = [
        ("site.localhost", Target::Static { tree, spa: false }),
        ("spa.localhost", Target::Static { tree, spa: true }),
        ("app.localhost", served(1, Readiness::Ready)),
        ("asleep.localhost", served(2, Readiness::Asleep)),
    ];
    let route = |target| Route {
        kind: Kind::Alias,
        project: ProjectName::new("project").unwrap(),
        namespace: NamespaceName::main(),
        service: ServiceName::web(),
        deployment: Some(DeploymentId::from_random([1; 10])),
        target,
        watched: false,
    };
    let routes = targets.into_iter().map(|(host, target)| (host.to_owned(), route(target)));
    RouteTable { generation: 1, routes: HashMap::from_iter(routes) }
}

struct Dialer(SocketAddr);

#[async_trait]
impl Dial for Dialer {
    async fn dial(&self, _: &InstanceId, _: u16) -> io::Result<tokio::net::TcpStream> {
        tokio::net::TcpStream::connect(self.0).await
    }
}

#[derive(Clone)]
struct Platform;

impl tower_service::Service<Request<edge::Body>> for Platform {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<edge::Body>) -> Self::Future {
        ready(Ok(Response::new(Full::from("platform"))))
    }
}
