//! What the server takes on its disk, and what is left.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use store::Taken;

use super::OpError;
use crate::control::Control;
use crate::view;

/// How old an answer may be, in milliseconds: whoever asks again and again does not have everything read each time.
const COUNTED_MS: i64 = 30_000;

/// The parts as they were last counted, and when.
pub(crate) type Counted = Option<(i64, BTreeMap<String, view::UsagePart>)>;

impl Control {
    /// What the server takes on its disk. Room is told as it is now; the rest was counted within the last half minute.
    pub async fn usage(&self) -> Result<view::Usage, OpError> {
        let room = self.inner.disk.room().map_err(OpError::internal)?;
        Ok(view::Usage {
            free_bytes: room.free_bytes,
            total_bytes: room.total_bytes,
            floor_bytes: self.inner.policy.floor(room.total_bytes),
            parts: self.parts().await?,
            collected: self.inner.collecting.lock().await.newest,
        })
    }

    async fn parts(&self) -> Result<BTreeMap<String, view::UsagePart>, OpError> {
        // Held while it is counted: of many who ask at once, one counts.
        let mut counted = self.inner.counted.lock().await;
        let now = self.now();
        if let Some((at, parts)) = &*counted
            && now - at < COUNTED_MS
        {
            return Ok(parts.clone());
        }
        let (store, logs, database) = (
            self.inner.store.clone(),
            self.inner.logs.clone(),
            self.inner.database.clone(),
        );
        let count = move || {
            let usage = store.usage();
            let files = add(usage.blobs, usage.manifests);
            let parts = [
                ("files", files),
                ("layers", usage.layers),
                ("scratch", add(usage.scratch, usage.staging)),
                ("logs", below(&logs)),
                ("database", of_database(&database)),
            ];
            let shown = |(name, taken): (&str, Taken)| (name.to_owned(), part(taken));
            parts.into_iter().map(shown).collect::<BTreeMap<_, _>>()
        };
        let parts = tokio::task::spawn_blocking(count)
            .await
            .map_err(OpError::internal)?;
        *counted = Some((now, parts.clone()));
        Ok(parts)
    }
}

fn part(taken: Taken) -> view::UsagePart {
    view::UsagePart {
        bytes: taken.bytes,
        files: taken.files,
    }
}

fn add(one: Taken, other: Taken) -> Taken {
    Taken {
        bytes: one.bytes + other.bytes,
        files: one.files + other.files,
    }
}

/// Files in the directories of `dir`: logs lie no deeper.
fn below(dir: &Path) -> Taken {
    let directories = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let files = directories.flat_map(|entry| std::fs::read_dir(entry.path()).into_iter().flatten().flatten());
    files
        .map(|file| of_file(&file.path()))
        .fold(Taken::default(), add)
}

/// The database with what belongs to it.
fn of_database(database: &Path) -> Taken {
    let beside = |ending: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        of_file(&PathBuf::from(name))
    };
    ["", "-wal", "-shm"]
        .into_iter()
        .map(beside)
        .fold(Taken::default(), add)
}

/// What vanished meanwhile takes nothing.
fn of_file(path: &Path) -> Taken {
    std::fs::symlink_metadata(path).map_or(Taken::default(), |metadata| Taken {
        bytes: metadata.blocks() * 512,
        files: 1,
    })
}
