//! Copies bytes between two connections, both ways, until both sides are done.
//!
//! The end of one direction is passed on as such (half-close) while the other goes on. A connection on which nothing
//! moves for the idle time is ended. An error on either side ends both with a reset, so that neither program takes a
//! cut connection for a complete one. Memory: two buffers of 32 KiB per connection.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

const BUFFER_BYTES: usize = 32 * 1_024;

/// Where the bytes of each direction are counted.
pub(super) trait Count {
    fn sent(&self, bytes: u64);
    fn received(&self, bytes: u64);
}

/// Copies until both directions have ended, one fails, or nothing moves for `idle`.
///
/// # Errors
/// The first error of either side, or `TimedOut`; both connections are then set to end with a reset.
pub(super) async fn relay(
    inside: &mut TcpStream,
    outside: &mut TcpStream,
    count: &impl Count,
    idle: Duration,
) -> io::Result<()> {
    let pulse = Pulse::new();
    let result = {
        let (from_inside, to_inside) = inside.split();
        let (from_outside, to_outside) = outside.split();
        let up = copy(from_inside, to_outside, &pulse, |bytes| count.sent(bytes));
        let down = copy(from_outside, to_inside, &pulse, |bytes| count.received(bytes));
        tokio::select! {
            done = async { tokio::try_join!(up, down) } => done.map(|_| ()),
            () = pulse.stopped(idle) => Err(io::ErrorKind::TimedOut.into()),
        }
    };
    if result.is_err() {
        // Failing means that the connection is already gone.
        let _ = inside.set_zero_linger();
        let _ = outside.set_zero_linger();
    }
    result
}

async fn copy(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    pulse: &Pulse,
    count: impl Fn(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        pulse.beat();
        if length == 0 {
            return to.shutdown().await;
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let written = to.write(rest).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            pulse.beat();
            // Counted when the other side took it, so that a figure never promises too much.
            count(u64::try_from(written).unwrap_or(u64::MAX));
            rest = &rest[written..];
        }
    }
}

/// When something last moved in either direction.
struct Pulse {
    start: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    fn new() -> Pulse {
        Pulse {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    fn beat(&self) {
        let since_start = self.start.elapsed().as_millis();
        self.last_ms
            .store(u64::try_from(since_start).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns when nothing has moved for `idle`.
    async fn stopped(&self, idle: Duration) {
        loop {
            let end = self.start + Duration::from_millis(self.last_ms.load(Relaxed)) + idle;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
