//! Blobs as they travel: a Brotli and a Gzip form of a blob beside it, made once, gone with it.
//!
//! Guards against work done twice (what is not worth it is remembered as an empty file) and against forms of a blob that
//! is no longer here. It does *not* know which blobs are worth trying: whoever serves them knows their kinds.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Digest;

use crate::Store;

/// Smaller blobs fit in one packet anyway.
pub const ENCODE_BYTES_MIN: u64 = 512;
/// Larger blobs would keep a core busy for too long.
pub const ENCODE_BYTES_MAX: u64 = 16 << 20;
/// Up to this size Brotli takes the time for its best; above it is about a tenth as fast for a few per cent.
const BEST_BYTES_MAX: u64 = 256 << 10;
/// A form is kept when it is at most so many hundredths of the blob.
const WORTH_PERCENT: u64 = 90;
/// No forms are made when less is free on disk: they are a comfort.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// How bytes are coded on their way (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// Best first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As it is named in HTTP, and in the store.
    pub fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl Store {
    /// Makes the forms of a blob that are not there yet; nothing for a blob that is too small or too large. Takes seconds
    /// for megabytes. `true` where there is something new.
    pub fn encode_blob(&self, digest: &Digest) -> io::Result<bool> {
        let mut made = false;
        for coding in Coding::ALL {
            let path = self.encoded_path(digest, coding);
            if path.exists() {
                continue;
            }
            let blob = self.open_blob(digest)?;
            let size_bytes = blob.metadata()?.len();
            if !(ENCODE_BYTES_MIN..=ENCODE_BYTES_MAX).contains(&size_bytes)
                || self.room()?.free_bytes < FREE_BYTES_MIN
            {
                return Ok(false);
            }
            let mut file = tempfile::Builder::new()
                .prefix("encoded-")
                .tempfile_in(self.area("staging"))?;
            encode(blob, file.as_file_mut(), coding, size_bytes)?;
            if file.as_file().metadata()?.len() > size_bytes * WORTH_PERCENT / 100 {
                file.as_file().set_len(0)?;
            }
            file.as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
            // Not while a collection looks: it may just have removed the blob.
            let _named = self.naming();
            if self.has_blob(digest) {
                file.persist(path).map_err(|error| error.error)?;
                made = true;
            }
        }
        Ok(made)
    }

    /// A form of a blob, where there is one that is worth sending.
    pub fn open_encoded(&self, digest: &Digest, coding: Coding) -> io::Result<Option<File>> {
        match File::open(self.encoded_path(digest, coding)) {
            Ok(file) if file.metadata()?.len() > 0 => Ok(Some(file)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the forms of a blob.
    pub(crate) fn remove_forms(&self, digest: &Digest) -> io::Result<()> {
        for coding in Coding::ALL {
            match fs::remove_file(self.encoded_path(digest, coding)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes the forms that were made since then.
    pub(crate) fn remove_forms_since(&self, since: SystemTime) -> io::Result<()> {
        for prefix in fs::read_dir(self.area("encoded"))? {
            for entry in fs::read_dir(prefix?.path())? {
                let entry = entry?;
                if entry.metadata()?.modified()? >= since {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn encoded_path(&self, digest: &Digest, coding: Coding) -> PathBuf {
        self.spread("encoded", digest).with_extension(coding.token())
    }
}

fn encode(mut blob: File, file: &mut File, coding: Coding, size_bytes: u64) -> io::Result<()> {
    match coding {
        Coding::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: if size_bytes <= BEST_BYTES_MAX { 11 } else { 9 },
                size_hint: usize::try_from(size_bytes).unwrap_or(0),
                ..BrotliEncoderParams::default()
            };
            brotli::BrotliCompress(&mut blob, file, &parameters).map(drop)
        }
        Coding::Gzip => {
            let mut writer = GzEncoder::new(file, Compression::best());
            io::copy(&mut blob, &mut writer)?;
            writer.try_finish()
        }
    }
}
