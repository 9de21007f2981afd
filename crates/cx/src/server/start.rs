//! Puts the parts together, runs them, and ends them in the right order.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use builder::{Builder, BuilderOptions, SandboxRunner};
use control::links::forges_within;
use control::{Clock, Control, ControlOptions, Disk, PublicAddress};
use edge::{Edge, EdgeOptions, PlatformService};
use forge::settings::Reach;
use model::Digest;
use model::route::RouteTable;
use provider::Provider;
use provider::local::{LocalOptions, LocalProvider};
use sandbox::{Host, HostOptions};
use store::Store;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{SessionKey, WebOptions};

use super::data::DataDir;
use super::links::{Dialer, Load};
use super::options::ServerOptions;
use super::platform::Platform;
use super::probe::EdgeProbe;
use super::sender::HttpSender;
use crate::exit::Fault;

/// Requests to wake an instance that wait for control.
const WAKES: usize = 1_024;
/// Raised when the base system that builds see changes in a way that matters to them.
const BASE_ID: &str = "base-1";

/// A server that runs in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// Where the dashboard is.
    pub(crate) dashboard_url: String,
    pub(crate) provider: Arc<dyn Provider>,
    control: Control,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// Held to the end: nobody else may use the directory before we are done.
    data: DataDir,
}

/// What everything else stands on.
struct Ground {
    data: DataDir,
    store: Store,
    provider: Arc<dyn Provider>,
    builder: Builder,
    /// Whether this machine keeps sandboxes within their limits.
    limits_hold: bool,
}

impl Server {
    /// Starts everything; the server answers when this returns.
    pub(crate) async fn start(options: &ServerOptions) -> anyhow::Result<Self> {
        let ground = Ground::prepare(options).await?;
        let (tables, tables_there) = watch::channel(Arc::new(RouteTable::default()));
        let (acknowledge, acknowledged) = watch::channel(0);
        let (wake, wakes) = mpsc::channel(WAKES);
        let platform = Platform::default();
        let edge_links = edge::EdgeLinks {
            tables: tables_there,
            acknowledged: acknowledge,
            wakes: wake,
            dialer: Arc::new(Dialer(Arc::clone(&ground.provider))),
            platform: PlatformService::new(platform.clone()),
            store: ground.store.clone(),
        };
        let edge = bind(options, edge_links)?;
        let address = *edge.local_addrs().first().context("the edge listens nowhere")?;
        let links = control::links::EdgeLinks {
            tables,
            acknowledged,
            wakes,
            activity: Arc::new(Load(edge.activity())),
            probe: Arc::new(EdgeProbe::new(reachable(address))?),
        };
        let control = Control::open(control_options(options, &ground, links, address)?).await?;
        let shutdown = CancellationToken::new();
        let dashboard_url = dashboard_url(options, address);
        let web = WebOptions {
            control: control.clone(),
            hosts: platform_hosts(options),
            dashboard_url: dashboard_url.clone(),
            webhook_forge: options.webhook_forge.clone(),
            session: SessionKey::from_token(&ground.data.token),
            closing: shutdown.clone(),
        };
        platform.fill(match &options.rehearsal {
            Some(told) => web::rehearsal(web, told.clone()),
            None => web::service(web),
        });
        let passes = control.clone();
        let until = shutdown.clone();
        let mut tasks = vec![tokio::spawn(edge.run(shutdown.clone()))];
        if options.rehearsal.is_none() {
            tasks.push(tokio::spawn(async move { passes.run(until).await }));
        }
        let Ground { data, provider, .. } = ground;
        let token = data.token.clone();
        Ok(Self {
            address: reachable(address),
            token,
            dashboard_url,
            provider,
            control,
            shutdown,
            tasks,
            data,
        })
    }

    /// Lets open requests finish and stops builds; instances go on running and are found again at the next start.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!("a part of the server ended badly: {error}");
            }
        }
        self.control.close().await;
        tracing::info!("stopped; {} is free", self.data.path().display());
    }
}

impl Ground {
    async fn prepare(options: &ServerOptions) -> anyhow::Result<Self> {
        let data = DataDir::open(&options.data, options.sudo)?;
        let store = Store::open(&data.join("store"))?;
        let mut host_options = HostOptions::new(data.join("sandboxes"));
        // Several servers of one machine share its cgroups, and each must know its own.
        let mark = Digest::of(data.path().as_os_str().as_encoded_bytes()).hex();
        host_options.cgroup_prefix = format!("cygni-{}-", &mark[..8]);
        host_options.ca_bundle.clone_from(&options.ca_bundle);
        let host = Host::start(host_options).await.map_err(|error| {
            Fault::failed("cannot_isolate", error.to_string())
                .hint("`cx doctor` says what this machine lacks")
        })?;
        let provider = provider(&data, &store, &host).await?;
        let limits_hold = host.capabilities().limits_hold();
        let runner = SandboxRunner::new(host, options.own_registries());
        runner
            .remove_leftovers()
            .await
            .context("what interrupted builds left could not be removed")?;
        let builder = Builder::new(BuilderOptions {
            store: store.clone(),
            runner: Arc::new(runner),
            registries: options.registries.clone(),
            proxy: options.proxy.clone(),
            toolchain_search: options.toolchain_search.clone(),
            installation_key: *Digest::of(&[b"builds".as_slice(), &data.key].concat()).as_bytes(),
            base_id: BASE_ID.to_owned(),
        });
        builder
            .remove_leftovers()
            .context("what interrupted builds left could not be removed")?;
        Ok(Self {
            data,
            store,
            provider,
            builder,
            limits_hold,
        })
    }
}

/// Runs instances on this machine, those of an earlier server first.
async fn provider(data: &DataDir, store: &Store, host: &Host) -> anyhow::Result<Arc<dyn Provider>> {
    let local = LocalProvider::new(LocalOptions {
        host: host.clone(),
        store: store.clone(),
        logs_dir: data.join("logs"),
    });
    local
        .adopt()
        .await
        .context("the instances that run here could not be taken over")?;
    Ok(Arc::new(local))
}

fn bind(options: &ServerOptions, links: edge::EdgeLinks) -> Result<Edge, Fault> {
    let mut edge = EdgeOptions::new(options.listen.clone(), &options.domain);
    edge.platform_hosts = platform_hosts(options);
    Edge::bind(edge, links).map_err(|error| {
        // The edge knows no hints; what to do stands behind the semicolon.
        let text = error.to_string();
        let (what, todo) = text
            .split_once("; ")
            .unwrap_or((&text, "choose another address with --listen"));
        Fault::failed("cannot_listen", what).hint(todo)
    })
}

fn control_options(
    options: &ServerOptions,
    ground: &Ground,
    links: control::links::EdgeLinks,
    address: SocketAddr,
) -> anyhow::Result<ControlOptions> {
    Ok(ControlOptions {
        commit_check: None,
        database: ground.data.join("state.db"),
        logs: ground.data.join("logs"),
        master_key: ground.data.key,
        token: ground.data.token.clone(),
        public: PublicAddress {
            scheme: "http",
            domain: options.domain.clone(),
            port: public_port(address),
        },
        platform_url: dashboard_url(options, address),
        forges: options.forges.clone(),
        open_forge: forges_within(Reach {
            proxy: options.proxy.clone(),
            ..Reach::default()
        }),
        store: ground.store.clone(),
        builder: ground.builder.clone(),
        provider: Arc::clone(&ground.provider),
        links,
        sender: Arc::new(HttpSender::new(options.proxy.as_deref())?),
        clock: Clock::system(),
        disk: Disk::of(&ground.store),
        policy: options.policy.clone(),
        limits_hold: ground.limits_hold,
        builds_max: options.builds_max,
        builds_per_project_max: options.builds_per_project_max,
    })
}

/// The hosts that API and dashboard answer for.
fn platform_hosts(options: &ServerOptions) -> Vec<String> {
    let mut hosts = vec![
        options.dashboard_host.clone(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
    ];
    let public = options.public_url.as_ref().and_then(|url| url.host_str());
    hosts.extend(public.map(str::to_owned));
    hosts.dedup();
    hosts
}

/// Where the dashboard is reached from outside, which only the operator knows where something stands in front of us.
fn dashboard_url(options: &ServerOptions, address: SocketAddr) -> String {
    if let Some(url) = &options.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let port = public_port(address).map_or_else(String::new, |port| format!(":{port}"));
    format!("http://{}{port}", options.dashboard_host)
}

fn public_port(address: SocketAddr) -> Option<u16> {
    (address.port() != 80).then_some(address.port())
}

/// An address that listens everywhere is reached at loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match (address.ip().is_unspecified(), address.is_ipv4()) {
        (false, _) => address,
        (true, true) => SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, address.port())),
        (true, false) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}
