//! What the edge is told at its start: where to listen, its limits, and the ends of the channels it holds.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::InstanceId;
use model::route::RouteTable;
use store::Store;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::PlatformService;

/// More do not pay unless somebody asks for them.
const WORKERS_MAX: usize = 16;

/// Where the edge listens and what it calls its own.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// The domain below which hosts of previews lie; named on pages.
    pub domain: String,
    /// Hosts that the platform itself answers for, without port: the bare domain, the dashboard's host, `127.0.0.1`,
    /// `[::1]`.
    pub platform_hosts: Vec<String>,
    /// What visitors see: `http`, or `https` where something in front of the edge ends TLS. Told to applications.
    pub public_scheme: String,
    /// The port that visitors use where their `Host` names none; `None`: that of the scheme.
    pub public_port: Option<u16>,
    /// Addresses behind which many visitors stand, such as this machine's own and those of proxies: the bound of
    /// connections for each address does not hold for them.
    pub many_visitors: Vec<IpAddr>,
    /// Threads that serve, each with an event loop of its own; at least one.
    pub workers: usize,
    pub limits: EdgeLimits,
}

/// Every bound of the edge. Nothing that a visitor or an application does goes beyond one of these.
#[derive(Clone, Debug)]
pub struct EdgeLimits {
    /// Connections of visitors at a time; further ones wait in the system's queue.
    pub connections_max: usize,
    /// Connections of one address at a time; further ones are ended at once.
    pub connections_per_address_max: usize,
    /// Requests of one HTTP/2 connection at a time; further ones are refused.
    pub streams_max: u32,
    /// How long the head of a request may take, and how long a kept connection may stay without one; counted from the
    /// end of the request before.
    pub request_head_time: Duration,
    /// Bytes of a request's head; at least 8,192. More is answered with 431.
    pub request_head_bytes_max: usize,
    /// Header fields of a request. More is answered with 431.
    pub request_headers_max: usize,
    /// How long the body of a request may stand still.
    pub request_body_stall_time: Duration,
    /// Bytes of a request's body.
    pub request_body_bytes_max: u64,
    /// How long a visitor may take nothing of what is sent to him.
    pub write_stall_time: Duration,
    /// How long a connection to an instance may take to be made.
    pub dial_time: Duration,
    /// How long an application may take to begin its answer, counted from the last byte of the request.
    pub response_head_time: Duration,
    /// How long an answer that has begun, or an upgraded connection, may stay silent.
    pub stream_idle_time: Duration,
    /// Requests that wait for sleeping instances at a time.
    pub held_max: usize,
    /// How long a request waits for a sleeping instance.
    pub hold_time: Duration,
    /// Requests and upgraded connections of one instance at a time.
    pub instance_requests_max: u64,
    /// How long a connection to an instance is kept unused. Below the 5 seconds after which Node closes its side.
    pub pool_idle_time: Duration,
    /// Unused connections that each worker keeps to one instance.
    pub pool_idle_max: usize,
    /// How long open requests may go on at the end of the edge.
    pub drain_time: Duration,
}

/// The ends of the channels that the edge holds.
pub struct EdgeLinks {
    /// Tables to serve from, the newest one only.
    pub tables: watch::Receiver<Arc<RouteTable>>,
    /// Told the generation that is served from.
    pub acknowledged: watch::Sender<u64>,
    /// Told the instances that a request waits for, or that did not take a connection. One instance can come many times.
    pub wakes: mpsc::Sender<InstanceId>,
    pub dialer: Arc<dyn Dial>,
    /// Answers for the platform's own hosts.
    pub platform: PlatformService,
    /// Files of static targets.
    pub store: Store,
}

/// Connects to instances.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// A new connection to `port` inside `instance`.
    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream>;
}

impl EdgeOptions {
    /// Listens on `listen`, with the bare `domain` and the loopback addresses as the platform's own hosts.
    pub fn new(listen: Vec<SocketAddr>, domain: &str) -> Self {
        Self {
            listen,
            domain: domain.to_owned(),
            platform_hosts: [domain, "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
            public_scheme: "http".to_owned(),
            public_port: None,
            many_visitors: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            workers: std::thread::available_parallelism()
                .map_or(1, NonZero::get)
                .min(WORKERS_MAX),
            limits: EdgeLimits::default(),
        }
    }
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_address_max: 512,
            streams_max: 100,
            request_head_time: Duration::from_secs(30),
            request_head_bytes_max: 64 << 10,
            request_headers_max: 100,
            request_body_stall_time: Duration::from_secs(60),
            request_body_bytes_max: 4 << 30,
            write_stall_time: Duration::from_secs(60),
            dial_time: Duration::from_secs(5),
            response_head_time: Duration::from_secs(60),
            stream_idle_time: Duration::from_secs(3_600),
            held_max: 1_000,
            hold_time: Duration::from_secs(30),
            instance_requests_max: 1_000,
            pool_idle_time: Duration::from_secs(4),
            pool_idle_max: 64,
            drain_time: Duration::from_secs(10),
        }
    }
}
