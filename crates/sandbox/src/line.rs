//! The platform's connection to one init, kept open between requests.
//!
//! Guards against answers that belong to another request: a connection is put back only after a whole exchange, so a
//! caller that stops waiting costs the connection, not the order.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Mutex;

use crate::control::{ANSWER_BYTES_MAX, Answer, Request};
use crate::state::SOCKET;
use crate::wire;

const ANSWER_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Line {
    directory: PathBuf,
    connection: Mutex<Option<UnixStream>>,
}

impl Line {
    pub(crate) fn new(directory: &Path) -> Line {
        Line {
            directory: directory.to_owned(),
            connection: Mutex::new(None),
        }
    }

    /// One exchange. All requests can be repeated, so one that meets a connection gone stale is asked again.
    pub(crate) async fn ask(&self, request: &Request) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let bytes = wire::encode(request)?;
        let exchange = async {
            let mut slot = self.connection.lock().await;
            if let Some(known) = slot.take()
                && let Ok(frame) = exchange(&known, &bytes).await
            {
                *slot = Some(known);
                return Ok::<_, io::Error>(frame);
            }
            let fresh = self.connect().await?;
            let frame = exchange(&fresh, &bytes).await?;
            *slot = Some(fresh);
            Ok(frame)
        };
        let frame: wire::Frame = tokio::time::timeout(ANSWER_WAIT, exchange)
            .await
            .map_err(io::Error::from)??;
        Ok((serde_json::from_slice(&frame.body)?, frame.fds))
    }

    /// By way of a descriptor of the directory, since a socket's path is limited to 107 bytes.
    async fn connect(&self) -> io::Result<UnixStream> {
        let directory = File::open(&self.directory)?;
        UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())).await
    }
}

async fn exchange(stream: &UnixStream, bytes: &[u8]) -> io::Result<wire::Frame> {
    wire::send_async(stream, bytes, &[]).await?;
    wire::receive_async(stream, ANSWER_BYTES_MAX).await
}
