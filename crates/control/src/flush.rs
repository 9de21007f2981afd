//! One flush of a file for all who wait for it at the same time: a burst costs a few, not one each.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// The flushes of one file.
pub(crate) struct Flushes {
    file: PathBuf,
    /// How many have asked so far.
    asked: AtomicU64,
    /// How many of them are answered. Held while the file is flushed.
    answered: Mutex<u64>,
}

impl Flushes {
    pub(crate) fn of(file: PathBuf) -> Self {
        Self {
            file,
            asked: AtomicU64::new(0),
            answered: Mutex::new(0),
        }
    }

    /// Returns when a flush that began after this call has ended.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= number {
            return Ok(());
        }
        // Whoever has asked by now has written before.
        let all = self.asked.load(Ordering::SeqCst);
        let file = self.file.clone();
        let flushed = tokio::task::spawn_blocking(move || File::open(file)?.sync_data()).await;
        flushed.map_err(io::Error::other)??;
        *answered = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn those_who_wait_together_are_answered_together() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "x").unwrap();
        let flushes = Arc::new(Flushes::of(path.clone()));
        // Nobody is answered while somebody else flushes.
        let held = flushes.answered.lock().await;
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let flushes = flushes.clone();
                tokio::spawn(async move { flushes.flush().await })
            })
            .collect();
        while flushes.asked.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        drop(held);
        let mut waiting = waiting.into_iter();
        waiting.next().unwrap().await.unwrap().unwrap();
        // The first flush was for all three: there need be no file any more.
        std::fs::remove_file(&path).unwrap();
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        // Who comes later is not answered by what was flushed before.
        assert_eq!(flushes.flush().await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
