//! Makes connections for the pool: reads the instance and the port back out of the key and asks the dialer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use model::InstanceId;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::Dial;

#[derive(Clone)]
pub(super) struct Connector {
    dialer: Arc<dyn Dial>,
    dial_time: Duration,
}

impl Connector {
    pub(super) fn new(dialer: Arc<dyn Dial>, dial_time: Duration) -> Self {
        Self { dialer, dial_time }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (instance, port) = parse(&uri).ok_or(io::ErrorKind::InvalidInput)?;
            let dialed = tokio::time::timeout(this.dial_time, this.dialer.dial(&instance, port));
            let stream = dialed
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}

fn parse(uri: &Uri) -> Option<(InstanceId, u16)> {
    Some((uri.host()?.parse().ok()?, uri.port_u16()?))
}
