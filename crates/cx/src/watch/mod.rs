//! Sees what changes in a directory that is deployed, by the same rules by which it is uploaded.
//!
//! The kernel says that something happened in a directory; what it is, is found by reading the directory again, of which
//! only what changed is hashed. So nothing has to be concluded from the kernel's words: files that editors replace by
//! renaming, moved trees, new directories, changed ignore files and a queue that ran over all come out right.
//!
//! Guards against watching what never travels (dependencies, build output), against running out of watches (then it looks
//! every half second), against writers that never pause, and against half-written files: those are read again. It does
//! *not* know what a change leads to.

mod eyes;
mod inotify;
mod pace;

use std::time::{Duration, Instant};

use model::Tree;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::eyes::Eyes;
use self::pace::Pace;
use crate::exit::fault_of;
use crate::upload::{Manifest, Scanner, Source};

/// Changes that wait to be taken; whoever takes them is never far behind.
const QUEUE: usize = 1;
/// How often it is read again because files changed while they were read, before it is left to the next change.
const AGAIN_MAX: usize = 50;
const AGAIN: Duration = Duration::from_millis(20);

/// Something that was seen.
#[derive(Debug)]
pub(crate) enum Seen {
    /// The directory is other than it was.
    Changed(Change),
    /// It cannot be read as it is now.
    Trouble(anyhow::Error),
    /// The person should know how it is looked at.
    Note(String),
}

/// A new state of the directory.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) manifest: Manifest,
    /// When the first sign of it came.
    pub(crate) since: Instant,
}

/// Watches until it is dropped.
pub(crate) struct Watch {
    seen: mpsc::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Reads the directory and sees everything that changes from then on.
    pub(crate) async fn start(source: Source) -> anyhow::Result<(Self, Manifest)> {
        let (mut scanner, first) = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let mut scanner = Scanner::new(&source)?;
            let first = scanner.scan()?;
            scanner.save();
            Ok((scanner, first))
        })
        .await??;
        let (sender, seen) = mpsc::channel(QUEUE);
        let (eyes, note) = Eyes::open(scanner.root(), &first.directories);
        let mut last = first.tree.clone();
        let task = tokio::spawn(async move {
            if let Some(note) = note
                && sender.send(Seen::Note(note)).await.is_err()
            {
                return;
            }
            let mut watching = Watching {
                eyes,
                sender,
                trouble: None,
            };
            // What happened before the kernel was asked is seen by looking once more.
            let mut since = Instant::now();
            while let Some(next) = watching.look(&mut scanner, &mut last, since).await {
                since = next;
            }
        });
        Ok((Self { seen, task }, first))
    }

    /// What is seen next. Can be dropped without loss.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watching {
    eyes: Eyes,
    sender: mpsc::Sender<Seen>,
    /// What was said last of a directory that cannot be read; once is enough.
    trouble: Option<String>,
}

impl Watching {
    /// Reads the directory, tells what is new, and waits for the next sign of a change; gives its time.
    async fn look(&mut self, scanner: &mut Scanner, last: &mut Tree, since: Instant) -> Option<Instant> {
        match self.read(scanner).await {
            Ok(manifest) => {
                self.trouble = None;
                if manifest.tree != *last {
                    last.clone_from(&manifest.tree);
                    let change = Change { manifest, since };
                    self.sender.send(Seen::Changed(change)).await.ok()?;
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    self.trouble = Some(text);
                    self.sender.send(Seen::Trouble(error)).await.ok()?;
                }
            }
        }
        self.eyes.sign().await;
        let mut pace = Pace::new(Instant::now());
        while let Some(left) = pace.left(Instant::now()) {
            if tokio::time::timeout(left, self.eyes.sign()).await.is_ok() {
                pace.sign(Instant::now());
            }
        }
        Some(pace.since())
    }

    /// What is there, with an eye on every directory of it.
    async fn read(&mut self, scanner: &mut Scanner) -> anyhow::Result<Manifest> {
        let mut tries = 0;
        loop {
            tries += 1;
            let read = tokio::task::block_in_place(|| scanner.scan());
            match read {
                Ok(manifest) => {
                    let (more, note) = self.eyes.follow(&manifest.directories);
                    if let Some(note) = note {
                        // Whoever does not listen any more does not need it.
                        let _ = self.sender.send(Seen::Note(note)).await;
                    }
                    // Something may have been written to a new directory before there was an eye on it.
                    if !more || tries >= AGAIN_MAX {
                        return Ok(manifest);
                    }
                }
                Err(error) if fault_of(&error).code == "file_changed" && tries < AGAIN_MAX => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;
