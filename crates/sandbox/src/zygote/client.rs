//! The platform's end: starts a zygote, asks it, starts another one when it is gone.
//!
//! Guards against answers that belong to another request: a connection is put back only after a whole exchange.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::{ANSWER_BYTES_MAX, ARGV0, Answer, Request};
use crate::wire;

/// Making a sandbox takes milliseconds; a zygote that is silent for this long is stuck.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    exe: PathBuf,
    connection: Mutex<Option<Connection>>,
}

struct Connection {
    stream: UnixStream,
    child: Child,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It holds nothing, and killed at the worst moment its unborn init ends by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    pub(crate) fn new(exe: PathBuf) -> Client {
        Client {
            exe,
            connection: Mutex::new(None),
        }
    }

    /// One exchange. An error means that the zygote is gone; the next exchange starts another.
    pub(crate) async fn ask(
        &self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        let bytes = wire::encode(request)?;
        let mut slot = self.connection.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let exchange = async {
            wire::send_async(&connection.stream, &bytes, fds).await?;
            wire::receive_async(&connection.stream, ANSWER_BYTES_MAX).await
        };
        let frame = tokio::time::timeout(ANSWER_WAIT, exchange)
            .await
            .map_err(io::Error::from)??;
        let answer = serde_json::from_slice(&frame.body)?;
        *slot = Some(connection);
        Ok((answer, frame.fds.into_iter().next()))
    }

    fn connect(&self) -> io::Result<Connection> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the platform's own program, not foreign code"
        )]
        let child = Command::new(&self.exe)
            .arg0(ARGV0)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Connection {
            stream: UnixStream::from_std(ours)?,
            child,
        })
    }
}
