//! An upgraded connection (WebSocket and whatever else): bytes both ways until one side ends, neither says anything for
//! too long, or the instance is put to sleep or dropped.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::download::cut;
use crate::activity::Ticket;

const CHUNK_BYTES: usize = 16 << 10;
/// Both sides have agreed when a tunnel begins; only the last bytes of the answer's head are still on their way.
const SWITCH_TIME: Duration = Duration::from_secs(10);

pub(super) struct Tunnel {
    pub(super) idle_time: Duration,
    pub(super) stop: CancellationToken,
    pub(super) ticket: Ticket,
}

impl Tunnel {
    /// `early` is what the application has said already.
    pub(super) async fn run(self, visitor: OnUpgrade, (application, early): (TcpStream, BytesMut)) {
        let mut visitor = match timeout(SWITCH_TIME, visitor).await {
            Ok(Ok(visitor)) => TokioIo::new(visitor),
            Ok(Err(error)) => return tracing::debug!(%error, "an upgrade was not completed"),
            Err(_) => return tracing::debug!("an upgrade took too long"),
        };
        let moved = AtomicBool::new(false);
        let talk = async {
            visitor.write_all(&early).await?;
            splice(visitor, application, &moved).await
        };
        tokio::select! {
            result = talk => {
                if let Err(error) = result {
                    tracing::debug!(%error, "an upgraded connection broke");
                }
            }
            () = idle(&moved, self.idle_time) => tracing::debug!("an upgraded connection was idle for too long"),
            reason = cut(&self.ticket, Some(self.stop.clone())) => tracing::debug!(%reason, "an upgraded connection was cut"),
        }
    }
}

async fn splice<A, B>(visitor: A, application: B, moved: &AtomicBool) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (from_visitor, to_visitor) = split(visitor);
    let (from_application, to_application) = split(application);
    let out = pass(from_visitor, to_application, moved);
    let back = pass(from_application, to_visitor, moved);
    tokio::try_join!(out, back).map(drop)
}

/// Passes bytes on until their end, which is passed on too.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &AtomicBool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        moved.store(true, Ordering::Relaxed);
        to.write_all(&chunk[..count]).await?;
        to.flush().await?;
    }
}

/// Comes back when nothing moved for `time`, or up to twice as long.
async fn idle(moved: &AtomicBool, time: Duration) {
    let mut looks = interval_at(Instant::now() + time, time);
    loop {
        looks.tick().await;
        if !moved.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}
