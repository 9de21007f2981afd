//! An upgraded connection (WebSocket and whatever else): bytes both ways until one side ends, neither says anything for
//! too long, the instance is put to sleep or dropped, or the edge ends. In the last three cases both sides of a WebSocket
//! are told that it is going away, where that does not interrupt a frame.

use std::io;
use std::pin::pin;
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
use super::frames::{Frames, To};
use crate::activity::Ticket;

const CHUNK_BYTES: usize = 16 << 10;
/// Both sides have agreed when a tunnel begins; only the last bytes of the answer's head are still on their way.
const SWITCH_TIME: Duration = Duration::from_secs(10);
/// How long both sides may take to finish a frame, to take the last one, and to go.
const LEAVE_TIME: Duration = Duration::from_secs(1);

pub(super) struct Tunnel {
    pub(super) idle_time: Duration,
    pub(super) stop: CancellationToken,
    pub(super) ticket: Ticket,
    /// Whether the two sides speak in frames.
    pub(super) is_websocket: bool,
}

/// What the two directions share.
struct Talk {
    /// Whether anything passed since the last look.
    moved: AtomicBool,
    /// It must end.
    leave: CancellationToken,
}

impl Tunnel {
    /// `early` is what the application has said already.
    pub(super) async fn run(self, visitor: OnUpgrade, (application, early): (TcpStream, BytesMut)) {
        let visitor = match timeout(SWITCH_TIME, visitor).await {
            Ok(Ok(visitor)) => TokioIo::new(visitor),
            Ok(Err(error)) => return tracing::debug!(%error, "an upgrade was not completed"),
            Err(_) => return tracing::debug!("an upgrade took too long"),
        };
        let talk = Talk {
            moved: AtomicBool::new(false),
            leave: CancellationToken::new(),
        };
        let frames = |to| self.is_websocket.then(|| Frames::new(to));
        let (from_visitor, to_visitor) = split(visitor);
        let (from_application, to_application) = split(application);
        let out = talk.pass(
            from_visitor,
            to_application,
            (frames(To::Application), BytesMut::new()),
        );
        let back = talk.pass(from_application, to_visitor, (frames(To::Visitor), early));
        let mut talking = pin!(async { tokio::try_join!(out, back) });
        tokio::select! {
            result = &mut talking => {
                if let Err(error) = result {
                    tracing::debug!(%error, "an upgraded connection broke");
                }
                return;
            }
            () = idle(&talk.moved, self.idle_time) => tracing::debug!("an upgraded connection was idle for too long"),
            reason = cut(&self.ticket, Some(self.stop.clone())) => tracing::debug!(%reason, "an upgraded connection is cut"),
        }
        if self.is_websocket {
            talk.leave.cancel();
            // Whoever has not gone by then is cut.
            let _ = timeout(LEAVE_TIME, talking).await;
        }
    }
}

impl Talk {
    /// Passes bytes on until their end, which is passed on too, or until they must end.
    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        (mut frames, early): (Option<Frames>, BytesMut),
    ) -> io::Result<()> {
        if let Some(frames) = &mut frames {
            frames.pass(&early);
        }
        to.write_all(&early).await?;
        to.flush().await?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut leave = pin!(self.leave.cancelled());
        loop {
            let read = tokio::select! {
                biased;
                () = &mut leave => None,
                count = from.read(&mut chunk) => Some(count?),
            };
            let Some(count) = read else { break };
            if count == 0 {
                return to.shutdown().await;
            }
            self.moved.store(true, Ordering::Relaxed);
            let piece = &chunk[..count];
            if let Some(frames) = &mut frames {
                frames.pass(piece);
            }
            to.write_all(piece).await?;
            to.flush().await?;
        }
        let Some(mut frames) = frames else {
            return Ok(());
        };
        while !frames.is_between() {
            let count = from.read(&mut chunk).await?;
            if count == 0 {
                return to.shutdown().await;
            }
            let rest = frames.pass_one(&chunk[..count]);
            to.write_all(&chunk[..rest]).await?;
        }
        if let Some(word) = frames.farewell() {
            to.write_all(&word).await?;
        }
        to.shutdown().await?;
        // What is still said is heard: an end with unread bytes would take back the last word.
        while from.read(&mut chunk).await? > 0 {}
        Ok(())
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
