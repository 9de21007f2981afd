//! A handle to one running sandbox.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::control::{Listener, Usage};
use crate::egress::{Contact, Traffic};
use crate::error::ControlError;
use crate::exit::Exit;

/// One sandbox. Cheap to clone; the last handle of a leashed one ends it when dropped.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    pid: u32,
    directory: PathBuf,
}

impl Sandbox {
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Process id of its init, as the host sees it.
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Directory and prefix for [`crate::log::read`].
    pub fn log_path(&self) -> (&Path, &'static str) {
        (&self.inner.directory, crate::LOG_PREFIX)
    }

    /// Waits for the end, as long as it takes.
    pub async fn wait(&self) -> Exit {
        Exit::lost()
    }

    /// Sends a signal to the main process and its process group.
    pub async fn signal(&self, signal: i32) -> Result<(), ControlError> {
        let _ = signal;
        Err(ControlError::Ended)
    }

    /// Kills the whole tree; the exit is [`crate::Ended::Killed`]. Already ended is fine.
    pub async fn kill(&self) -> Result<(), ControlError> {
        Err(ControlError::Ended)
    }

    /// Stops all processes without ending them. Repeatable.
    pub async fn freeze(&self) -> Result<(), ControlError> {
        Err(ControlError::Ended)
    }

    pub async fn thaw(&self) -> Result<(), ControlError> {
        Err(ControlError::Ended)
    }

    /// Connects to a port inside: 127.0.0.1, then ::1, then the listener's own address.
    pub async fn dial(&self, port: u16) -> io::Result<TcpStream> {
        Err(io::Error::other(port.to_string()))
    }

    /// The TCP sockets that listen inside, without our own.
    pub async fn listeners(&self) -> Result<Vec<Listener>, ControlError> {
        Err(ControlError::Ended)
    }

    pub async fn usage(&self) -> Result<Usage, ControlError> {
        Err(ControlError::Ended)
    }

    /// What it reached or tried to reach outside; empty without a network.
    pub fn contacts(&self) -> Vec<Contact> {
        Vec::new()
    }

    /// Bytes through the egress gateway since this platform started or adopted it; none without a network.
    pub fn traffic(&self) -> Option<Traffic> {
        None
    }
}
