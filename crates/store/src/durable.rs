//! What survives a power cut.
//!
//! A blob is not synced when it is put: that would cost a disk flush for each. [`Store::put_tree`] syncs what was put
//! since the last time, before the manifest is named; so a manifest on disk implies its blobs. Measured on ext4: a
//! hundred files take 35 ms one by one, while a sync of the whole file system waits for everything that builds have just
//! written (0.3 s for 20,000 files); so few are synced one by one and many all at once.
//!
//! Layers and directories of trees can be made again, and become durable with the next [`Store::sync`]. What was written
//! after the last one may be torn by a power cut (not by a crash of the platform: the kernel still has it). `synced` holds
//! the boot in which it was written, and its time is that of the last sync: the first start in another boot checks the
//! hash of every younger blob and drops younger layers and directories.
//!
//! It does *not* guard against a disk that loses what it said it wrote.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use model::Digest;
use sha2::{Digest as _, Sha256};

use crate::Store;

/// Clocks of files are coarse, and may be set back a little.
const MARGIN: Duration = Duration::from_secs(10);

/// More blobs than these are synced with the whole file system.
const BLOBS_MAX: usize = 512;

/// What was written and may not be on disk.
pub(crate) struct Unsynced {
    blobs: Vec<PathBuf>,
    /// Too many blobs to name, or those of an earlier process.
    many: bool,
    /// Layers and directories of trees.
    directories: bool,
}

impl Default for Unsynced {
    fn default() -> Self {
        Self {
            blobs: Vec::new(),
            many: true,
            directories: true,
        }
    }
}

impl Unsynced {
    pub(crate) fn blob(&mut self, path: PathBuf) {
        self.many |= self.blobs.len() >= BLOBS_MAX;
        if !self.many {
            self.blobs.push(path);
        }
    }

    pub(crate) fn directory(&mut self) {
        self.directories = true;
    }
}

impl Store {
    /// Returns when everything written before is on disk. Costs nothing when nothing was.
    pub fn sync(&self) -> io::Result<()> {
        self.sync_all(&mut self.unsynced())
    }

    /// Makes everything here durable and notes that it is, whoever wrote it: for a store that was copied as a whole.
    pub fn vouch(&self) -> io::Result<()> {
        rustix::fs::syncfs(File::open(self.directory())?)?;
        let mut file = File::create(self.area("synced"))?;
        file.write_all(this_boot()?.as_bytes())?;
        // What was written within the margin is on disk as well.
        file.set_modified(SystemTime::now() + MARGIN)?;
        file.sync_all()
    }

    /// The same for blobs alone.
    pub(crate) fn sync_blobs(&self) -> io::Result<()> {
        let mut unsynced = self.unsynced();
        if unsynced.many {
            return self.sync_all(&mut unsynced);
        }
        let directories: BTreeSet<&Path> = unsynced.blobs.iter().filter_map(|path| path.parent()).collect();
        for path in unsynced.blobs.iter().map(PathBuf::as_path).chain(directories) {
            match File::open(path) {
                Ok(file) => file.sync_all()?,
                // Collected meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        unsynced.blobs.clear();
        Ok(())
    }

    pub(crate) fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.inner
            .unsynced
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn sync_all(&self, unsynced: &mut Unsynced) -> io::Result<()> {
        if !unsynced.many && !unsynced.directories && unsynced.blobs.is_empty() {
            return Ok(());
        }
        let since = SystemTime::now();
        rustix::fs::syncfs(File::open(self.directory())?)?;
        File::options()
            .write(true)
            .open(self.area("synced"))?
            .set_modified(since)?;
        *unsynced = Unsynced {
            blobs: Vec::new(),
            many: false,
            directories: false,
        };
        Ok(())
    }

    /// Checks what was written after the last sync, if the machine was restarted since. Then notes this boot.
    pub(crate) fn recover(&self) -> io::Result<()> {
        let path = self.area("synced");
        let boot = this_boot()?;
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
        // They can be made again.
        self.remove_forms_since(since)?;
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

fn this_boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
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
