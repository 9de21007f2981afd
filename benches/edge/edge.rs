//! The edge alone, as `cargo xtask bench edge` measures it: the real listener, route table and store, with a dialer that
//! connects to one upstream, and no platform behind it.
//!
//! `edge-alone LISTEN UPSTREAM HOSTS WORKERS DIRECTORY`: ports, the number of hosts in the route table, and a directory whose
//! `files` are served at `files.localhost`; the store is made beside them. All other hosts lead to the upstream.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use edge::{Dial, Edge, EdgeLinks, EdgeOptions, PlatformService};
use http::{Request, Response};
use model::route::{Kind, Readiness, Replica, Route, RouteTable, Target};
use model::{DeploymentId, InstanceId, NamespaceName, ProjectName, ServiceName};
use store::{ImportLimits, Store};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// Every instance is the one upstream.
struct Upstream(SocketAddr);

#[async_trait]
impl Dial for Upstream {
    async fn dial(&self, _: &InstanceId, _: u16) -> io::Result<TcpStream> {
        TcpStream::connect(self.0).await
    }
}

/// The platform's own hosts are not measured.
#[derive(Clone)]
struct NoPlatform;

impl Service<Request<edge::Body>> for NoPlatform {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<edge::Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(String::new())))
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, hosts, workers, directory] = arguments.as_slice() else {
        anyhow::bail!("usage: edge-alone LISTEN UPSTREAM HOSTS WORKERS DIRECTORY");
    };
    let local = |port: &str| anyhow::Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)));
    let directory = Path::new(directory);
    let store = Store::open(&directory.join(format!("store-{listen}")))?;
    let table = table(&store, &directory.join("files"), hosts.parse()?)?;
    let (_tables, there) = watch::channel(Arc::new(table));
    let (wakes, _woken) = mpsc::channel(1);
    let links = EdgeLinks {
        tables: there,
        acknowledged: watch::Sender::new(0),
        wakes,
        dialer: Arc::new(Upstream(local(upstream)?)),
        platform: PlatformService::new(NoPlatform),
        store,
    };
    let mut options = EdgeOptions::new(vec![local(listen)?], "localhost");
    options.workers = workers.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        Edge::bind(options, links)?.run(CancellationToken::new()).await;
        Ok(())
    })
}

/// `app-0.localhost` and so on lead to the upstream, `files.localhost` to the files.
fn table(store: &Store, files: &Path, hosts: usize) -> anyhow::Result<RouteTable> {
    let limits = ImportLimits {
        entries_max: 1_000,
        file_bytes_max: 1 << 30,
        bytes_max: 1 << 30,
    };
    let tree = store.put_tree(&store.import(files, limits)?)?;
    let route = |number: usize, target| -> anyhow::Result<Route> {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Ok(Route {
            kind: Kind::Alias,
            project: ProjectName::new("bench")?,
            namespace: NamespaceName::main(),
            service: ServiceName::web(),
            deployment: Some(DeploymentId::from_random(random)),
            target,
            watched: false,
        })
    };
    let mut table = RouteTable::default();
    for number in 0..hosts {
        let mut random = [1; 10];
        random[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let target = Target::Instances(vec![Replica {
            instance: InstanceId::from_random(random),
            port: 3000,
            readiness: Readiness::Ready,
        }]);
        table
            .routes
            .insert(format!("app-{number}.localhost"), route(number, target)?);
    }
    let target = Target::Static { tree, spa: false };
    table
        .routes
        .insert("files.localhost".to_owned(), route(hosts, target)?);
    Ok(table)
}
