//! What survives a power cut.
//!
//! Files are not synced one by one, which would cost a disk flush for each. [`Store::put_tree`] syncs the whole file
//! system once, before the manifest is named; so a manifest on disk implies its blobs. What was written after the last
//! sync may be torn by a power cut (not by a crash of the platform: the kernel still has it). `synced` holds the boot
//! in which it was written, and its time is that of the last sync: the first start in another boot checks the hash of
//! every younger blob, and drops younger layers and directories of trees, which can be made again.
//!
//! It does *not* guard against a disk that loses what it said it wrote.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::Store;

/// Clocks of files are coarse, and may be set back a little.
const MARGIN: Duration = Duration::from_secs(10);

impl Store {
    /// Returns when everything written before is on disk. Costs nothing when nothing was.
    pub fn sync(&self) -> io::Result<()> {
        let _one = self
            .inner
            .sync
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if !self.inner.unsynced.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let since = SystemTime::now();
        let synced = File::open(self.directory())
            .and_then(|dir| Ok(rustix::fs::syncfs(&dir)?))
            .and_then(|()| {
                File::options()
                    .write(true)
                    .open(self.area("synced"))?
                    .set_modified(since)
            });
        if synced.is_err() {
            self.inner.unsynced.store(true, Ordering::SeqCst);
        }
        synced
    }

    /// Checks what was written after the last sync, if the machine was restarted since. Then notes this boot.
    pub(crate) fn recover(&self) -> io::Result<()> {
        let path = self.area("synced");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        match fs::read_to_string(&path) {
            Ok(text) if text == boot => return Ok(()),
            Ok(_) => self.check_since(fs::metadata(&path)?.modified()? - MARGIN)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.check_since(SystemTime::UNIX_EPOCH)?
            }
            Err(error) => return Err(error),
        }
        let mut file = tempfile::Builder::new()
            .prefix("synced-")
            .tempfile_in(self.area("staging"))?;
        file.write_all(boot.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        self.inner.unsynced.store(true, Ordering::SeqCst);
        self.sync()
    }

    fn check_since(&self, since: SystemTime) -> io::Result<()> {
        for area in ["blobs", "exec"] {
            for prefix in fs::read_dir(self.area(area))? {
                for blob in fs::read_dir(prefix?.path())? {
                    self.check_blob(&blob?, since)?;
                }
            }
        }
        for area in ["trees", "layers"] {
            for entry in fs::read_dir(self.area(area))? {
                let path = entry?.path();
                // Its change time: noting that it is used does not touch what is inside.
                let young = rustix::fs::stat(path.join("files"))
                    .map_or(true, |stat| changed_at(stat.st_ctime as u64) >= since);
                if young {
                    tracing::warn!(path = %path.display(), "dropped: written just before the machine stopped");
                    self.discard(&path)?;
                }
            }
        }
        Ok(())
    }

    fn check_blob(&self, entry: &fs::DirEntry, since: SystemTime) -> io::Result<()> {
        if entry.metadata()?.modified()? < since {
            return Ok(());
        }
        let path = entry.path();
        if hash_file(&path)?.hex().as_str() != entry.file_name() {
            tracing::warn!(path = %path.display(), "dropped: torn when the machine stopped");
            fs::remove_file(&path)?;
        }
        Ok(())
    }
}

/// The digest of a file's bytes.
pub(crate) fn hash_file(path: &Path) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hasher(&mut hash))?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}

struct Hasher<'a>(&'a mut Sha256);

impl Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn changed_at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
