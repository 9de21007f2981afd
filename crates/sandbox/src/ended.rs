//! Waiting for the end of a process that is not a child.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::io::unix::AsyncFd;

/// A descriptor of an init; readable when it has ended.
pub(crate) struct Ending(AsyncFd<OwnedFd>);

impl Ending {
    pub(crate) fn new(pidfd: OwnedFd) -> io::Result<Ending> {
        // SAFETY: the descriptor is owned, so it stays the same one until the AsyncFd is dropped with it.
        Ok(Ending(unsafe { AsyncFd::register(pidfd)? }))
    }

    pub(crate) async fn wait(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }
}

impl AsFd for Ending {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
