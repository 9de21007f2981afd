//! One connection of a visitor: requests in, answers out, with the limits of heads and time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::options::EdgeLimits;
use crate::serve::Server;
use crate::stalling::Stalling;

/// Who sent a request; an extension of every request for the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// HTTP/1.1 only. The builder of hyper-util that tells HTTP/2 apart waits for the first bytes without a time limit, so
/// HTTP/2 without TLS needs a limit of its own there.
pub(crate) fn protocol(limits: &EdgeLimits) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_head_time)
        .max_buf_size(limits.request_head_bytes_max.max(8_192))
        .max_headers(limits.request_headers_max)
        .half_close(false)
        .keep_alive(true);
    builder
}

/// Serves `stream` until either side ends it; at the end of the edge, open requests are finished first.
pub(crate) async fn converse(server: Arc<Server>, builder: Builder, stream: TcpStream, peer: SocketAddr) {
    // Small answers must not wait for an acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "a connection ended before its first request");
        return;
    }
    let io = TokioIo::new(Stalling::new(stream, server.limits().write_stall_time));
    let stop = server.stop().clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(Peer(peer), request).await) }
    });
    let mut connection = std::pin::pin!(builder.serve_connection(io, service).with_upgrades());
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
