//! Blobs: bytes named by their SHA-256.
//!
//! Guards against half-written and mislabelled bytes: a blob appears under its name only when all of it is written and
//! hashed. It does *not* decide who may read which blob.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::Store;

const CHUNK_BYTES: usize = 128 << 10;

/// Bytes on their way into the store. Dropping it leaves nothing.
pub struct BlobWriter {
    store: Store,
    file: NamedTempFile,
    hash: Sha256,
    size_bytes: u64,
    limit_bytes: u64,
}

/// Something was not stored; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("more than {limit_bytes} bytes were sent; send a smaller file")]
    TooLarge { limit_bytes: u64 },
    #[error("the bytes sent are {got} and not {wanted}; send them again")]
    WrongDigest { wanted: Digest, got: Digest },
    #[error(
        "{count} files of the tree are not in the store, `{path}` ({digest}) among them; send them first"
    )]
    BlobMissing {
        path: String,
        digest: Digest,
        count: usize,
    },
    #[error(
        "`{path}` is {stored} bytes in the store and {claimed} in the tree; send the tree with the right size"
    )]
    WrongSize { path: String, claimed: u64, stored: u64 },
    #[error("the bytes to be stored could not be read: {0}")]
    Source(io::Error),
    #[error("the store could not write: {0}; check that its disk has space left")]
    Io(#[from] io::Error),
}

impl Store {
    /// Whether the bytes named `digest` are here.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Stores all that `reader` gives, at most `limit_bytes`. Gives the digest and the size in bytes.
    pub fn put_blob(&self, mut reader: impl Read, limit_bytes: u64) -> Result<(Digest, u64), PutError> {
        let mut writer = self.writer(limit_bytes)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return writer.finish(),
                Ok(count) => writer.write(&chunk[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PutError::Source(error)),
            }
        }
    }

    /// Starts a blob that comes in pieces, of at most `limit_bytes`.
    pub fn writer(&self, limit_bytes: u64) -> Result<BlobWriter, PutError> {
        let file = tempfile::Builder::new()
            .prefix("blob-")
            .tempfile_in(self.area("staging"))?;
        Ok(BlobWriter {
            store: self.clone(),
            file,
            hash: Sha256::new(),
            size_bytes: 0,
            limit_bytes,
        })
    }

    /// Opens a blob for reading.
    pub fn open_blob(&self, digest: &Digest) -> io::Result<File> {
        File::open(self.blob_path(digest))
    }

    /// Where a blob lies, whether it is there or not. Never write to it.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.spread("blobs", digest)
    }
}

impl BlobWriter {
    /// Adds `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PutError> {
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        if self.size_bytes > self.limit_bytes {
            return Err(PutError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        self.hash.update(bytes);
        self.file.write_all(bytes)?;
        Ok(())
    }

    /// Stores what was written. Gives the digest and the size in bytes.
    pub fn finish(self) -> Result<(Digest, u64), PutError> {
        let digest = Digest::from_bytes(self.hash.finalize().into());
        let path = self.store.blob_path(&digest);
        let _named = self.store.naming();
        if path.is_file() {
            touch_blob(&path)?;
            return Ok((digest, self.size_bytes));
        }
        self.file
            .as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        self.store.check_write()?;
        // Under one lock, so that nobody syncs between the two.
        let mut unsynced = self.store.unsynced();
        self.file.persist(&path).map_err(|error| error.error)?;
        unsynced.blob(path);
        Ok((digest, self.size_bytes))
    }

    /// Stores what was written if it is `wanted`. Gives the size in bytes.
    pub fn finish_expecting(self, wanted: &Digest) -> Result<u64, PutError> {
        let got = Digest::from_bytes(self.hash.clone().finalize().into());
        if got != *wanted {
            return Err(PutError::WrongDigest { wanted: *wanted, got });
        }
        self.finish().map(|(_, size_bytes)| size_bytes)
    }
}

/// Notes that a blob was used now. The time of its content stays as it is, because sandboxes see it.
pub(crate) fn touch_blob(path: &Path) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
    };
    Ok(rustix::fs::utimensat(
        CWD,
        path,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// When a blob was last used: written, noted by [`touch_blob`], or read.
pub(crate) fn blob_used(metadata: &fs::Metadata) -> io::Result<SystemTime> {
    Ok(metadata.modified()?.max(metadata.accessed()?))
}

/// Notes that a manifest or the container of a directory was used now. Access times will not do: our own walks
/// change them.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    Ok(rustix::fs::utimensat(
        CWD,
        path,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}
