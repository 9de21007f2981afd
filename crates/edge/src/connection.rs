//! One connection of a visitor: requests in, answers out, with the limits of heads and time.
//!
//! HTTP/1.1, and HTTP/2 without TLS where the visitor begins with it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::alarm::Alarm;
use crate::answer::Answer;
use crate::opening::{self, Version};
use crate::options::EdgeLimits;
use crate::pace::Pace;
use crate::sendfile::Regions;
use crate::serve::Server;
use crate::stalling::Stalling;

/// Header fields that the library takes unless it is told otherwise.
const HEADERS_USUAL: usize = 100;
/// Streams that a visitor opened and reset before anybody looked at them; more end the connection.
const RESET_UNSEEN_MAX: usize = 20;
/// Streams that we had to reset for mistakes of the visitor; more end the connection.
const RESET_FAULTY_MAX: usize = 256;
/// Bytes of one answer that wait for an HTTP/2 visitor.
const SEND_BYTES_MAX: usize = 256 << 10;

/// Who sent a request; an extension of every request for the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// How connections are spoken with; made once.
#[derive(Clone)]
pub(crate) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    pub(crate) fn new(limits: &EdgeLimits) -> Self {
        let mut http1 = http1::Builder::new();
        // The time of heads is watched here, and not with a timer for every request.
        http1
            .max_buf_size(limits.request_head_bytes_max.max(8_192))
            .header_read_timeout(None)
            .writev(true)
            .half_close(false)
            .keep_alive(true);
        // The library's own bound needs no memory to be prepared for every head.
        if limits.request_headers_max != HEADERS_USUAL {
            http1.max_headers(limits.request_headers_max);
        }
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(u32::try_from(limits.request_head_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESET_UNSEEN_MAX)
            .max_local_error_reset_streams(RESET_FAULTY_MAX)
            .max_send_buf_size(SEND_BYTES_MAX);
        Self { http1, http2 }
    }
}

/// A connection as the two versions have it.
trait Graceful: Future<Output = hyper::Result<()>> {
    /// Finishes open requests and takes no more.
    fn finish(self: Pin<&mut Self>);
}

impl<S, B> Graceful for http1::UpgradeableConnection<TokioIo<Stalling>, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<crate::BoxError>,
    B: http_body::Body<Data = bytes::Bytes, Error = crate::BoxError> + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Graceful for http2::Connection<TokioIo<Stalling>, S, TokioExecutor>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Future: Send + 'static,
    S::Error: Into<crate::BoxError>,
    B: http_body::Body<Data = bytes::Bytes, Error = crate::BoxError> + Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Serves `stream` until either side ends it; at the end of the edge, open requests are finished first.
pub(crate) async fn converse(
    (server, worker): (Arc<Server>, usize),
    protocols: Protocols,
    mut stream: TcpStream,
    peer: SocketAddr,
) {
    let limits = server.limits();
    // Small answers must not wait for an acknowledgement of the one before.
    let opened = async {
        stream.set_nodelay(true)?;
        timeout(limits.request_head_time, opening::read(&mut stream)).await?
    };
    let (version, early) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return tracing::debug!(%peer, %error, "a connection ended before its first request"),
    };
    let regions = Arc::new(Regions::default());
    let io = TokioIo::new(Stalling::new(
        stream,
        early,
        limits.write_stall_time,
        regions.clone(),
    ));
    let sends_files = version == Version::Http1;
    let pace = Pace::new();
    let service = {
        let (server, pace) = (server.clone(), pace.clone());
        service_fn(move |request: Request<Incoming>| {
            let (server, open) = (server.clone(), pace.open());
            let regions = sends_files.then(|| regions.clone());
            async move {
                let response = server.answer((Peer(peer), worker), request).await;
                Ok::<Response<Answer>, Infallible>(response.map(|body| Answer::new(body, open, regions)))
            }
        })
    };
    let result = match version {
        Version::Http1 => {
            let connection = protocols.http1.serve_connection(io, service).with_upgrades();
            supervise(&server, &pace, connection).await
        }
        Version::Http2 => {
            let connection = protocols.http2.serve_connection(io, service);
            supervise(&server, &pace, connection).await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// Runs a connection until its end, until it has been without an open request for too long (whether it is silent or a
/// head does not come to its end), or until the edge ends.
async fn supervise(server: &Server, pace: &Pace, connection: impl Graceful) -> hyper::Result<()> {
    let idle_max = server.limits().request_head_time;
    let mut connection = pin!(connection);
    let mut stop = pin!(server.stop().cancelled());
    let mut stopping = false;
    let mut alarm = Alarm::default();
    alarm.set(idle_max);
    poll_fn(|context| {
        if let Poll::Ready(result) = connection.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        if !stopping && stop.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().finish();
            if let Poll::Ready(result) = connection.as_mut().poll(context) {
                return Poll::Ready(result);
            }
        }
        while alarm.poll(context).is_ready() {
            match pace.idle_since().map(|since| since + idle_max) {
                Some(end) if end <= Instant::now() => return Poll::Ready(Ok(())),
                Some(end) => alarm.set_at(end),
                None => alarm.set(idle_max),
            }
        }
        Poll::Pending
    })
    .await
}
