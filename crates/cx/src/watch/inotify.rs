//! The kernel's word that something happened in a directory (inotify(7)).
//!
//! One watch for each directory that travels, none for what lies in those that do not. Reading is not reported, so that
//! our own looking is no sign of a change; nor is writing before the file is closed, so that half of it is not deployed.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::upload::FoundDirectory;

/// Bytes of events that are read at a time.
const BUFFER_BYTES: usize = 16 << 10;

/// What is watched.
#[derive(Debug)]
pub(super) struct Inotify {
    queue: AsyncFd<OwnedFd>,
    /// Watches of directories that travel, and which directory it was.
    directories: HashMap<PathBuf, (i32, u64)>,
    /// Watches of which only one name matters.
    names: HashMap<i32, &'static str>,
}

impl Inotify {
    /// Needs a tokio runtime.
    pub(super) fn open() -> io::Result<Self> {
        let queue = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "what it warns of are types that close a descriptor early; an `OwnedFd` does not, and the other \
                      way in is unsafe"
        )]
        let queue = AsyncFd::new(queue)?;
        Ok(Self {
            queue,
            directories: HashMap::new(),
            names: HashMap::new(),
        })
    }

    /// Watches exactly `wanted`, beside single names. Says whether there is anything new to watch.
    pub(super) fn follow(&mut self, wanted: &[FoundDirectory]) -> io::Result<bool> {
        let there: HashMap<&Path, u64> = wanted
            .iter()
            .map(|directory| (directory.path.as_path(), directory.inode))
            .collect();
        let queue = &self.queue;
        // The old ones first: a directory that was moved is the same to the kernel, whatever it is called.
        self.directories.retain(|path, (watch, inode)| {
            let stays = there.get(path.as_path()) == Some(inode);
            if !stays {
                // Of one that is gone the kernel has dropped it already.
                let _ = remove_watch(queue, *watch);
            }
            stays
        });
        let mut more = false;
        for FoundDirectory { path, inode } in wanted {
            if self.directories.contains_key(path) {
                continue;
            }
            match add_watch(queue, path.as_path(), signs() | WatchFlags::ONLYDIR) {
                Ok(watch) => drop(self.directories.insert(path.clone(), (watch, *inode))),
                // It went meanwhile; its parent tells.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
            more = true;
        }
        Ok(more)
    }

    /// Watches for `name` in `directory` alone.
    pub(super) fn follow_name(&mut self, directory: &Path, name: &'static str) -> io::Result<()> {
        let watch = add_watch(&self.queue, directory, signs())?;
        self.names.insert(watch, name);
        Ok(())
    }

    /// Waits for a sign that something changed. Can be dropped without loss.
    pub(super) async fn sign(&self) -> io::Result<()> {
        loop {
            let mut ready = self.queue.readable().await?;
            match ready.try_io(|queue| self.drain(queue.as_fd())) {
                Ok(Ok(true)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    /// Takes what has come; whether any of it matters.
    fn drain(&self, queue: std::os::fd::BorrowedFd<'_>) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(queue, &mut buffer);
        let mut matters = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) if matters => return Ok(true),
                Err(error) => return Err(error.into()),
            };
            // After an overflow anything may have happened.
            let overflow = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let named = || match self.names.get(&event.wd()) {
                Some(name) => event
                    .file_name()
                    .is_some_and(|given| given.to_bytes() == name.as_bytes()),
                None => !event.events().contains(ReadFlags::IGNORED),
            };
            matters |= overflow || named();
            if reader.is_buffer_empty() && matters {
                return Ok(true);
            }
        }
    }
}

fn signs() -> WatchFlags {
    WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
}
