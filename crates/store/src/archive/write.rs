//! Writing an archive.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::{ATTRIBUTES, PAX_ATTRIBUTES, trailer};

/// Much smaller than not packed at all, and faster than most disks.
const LEVEL: i32 = 3;
/// Bytes of the names and of one value of a file's attributes: overlay's are short.
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// An archive that is being written to `W`. Dropping it leaves one that nobody takes for complete.
pub struct ArchiveWriter<W: Write> {
    tar: Builder<zstd::Encoder<'static, Hashing<W>>>,
    bytes: u64,
}

/// Passes bytes on and hashes them.
struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> ArchiveWriter<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let hashing = Hashing {
            out,
            hash: Sha256::new(),
        };
        let mut tar = Builder::new(zstd::Encoder::new(hashing, LEVEL)?);
        tar.follow_symlinks(false);
        Ok(Self { tar, bytes: 0 })
    }

    /// Bytes of the files added so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a small file that only its owner may read.
    pub fn add_bytes(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        self.bytes += bytes.len() as u64;
        self.tar.append_data(&mut header, path, bytes)
    }

    /// Adds the file at `from`, which must not change meanwhile.
    pub fn add_file(&mut self, path: impl AsRef<Path>, from: &Path) -> io::Result<()> {
        let file = File::open(from)?;
        let metadata = file.metadata()?;
        let mut header = header(&metadata, EntryType::Regular);
        header.set_size(metadata.len());
        self.bytes += metadata.len();
        self.tar
            .append_data(&mut header, path, Exactly(file.take(metadata.len())))
    }

    /// Adds the directory `from` with everything in it, as it is: modes, owners, links, and what overlay notes.
    pub fn add_directory(&mut self, path: &Path, from: &Path) -> io::Result<()> {
        self.add_entry(path, from, &fs::symlink_metadata(from)?)?;
        let mut entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (inner, from) = (path.join(entry.file_name()), entry.path());
            let metadata = entry.metadata()?;
            match metadata.is_dir() {
                true => self.add_directory(&inner, &from)?,
                false => self.add_entry(&inner, &from, &metadata)?,
            }
        }
        Ok(())
    }

    /// Writes what makes it complete, and gives back where it was written to.
    pub fn finish(self) -> io::Result<W> {
        let Hashing { mut out, hash } = self.tar.into_inner()?.finish()?;
        out.write_all(&trailer(hash.finalize().into()))?;
        Ok(out)
    }

    fn add_entry(&mut self, path: &Path, from: &Path, metadata: &Metadata) -> io::Result<()> {
        let kind = metadata.file_type();
        if !kind.is_symlink() {
            self.add_attributes(from)?;
        }
        if kind.is_file() {
            return self.add_file(path, from);
        }
        if kind.is_symlink() {
            let mut header = header(metadata, EntryType::Symlink);
            return self.tar.append_link(&mut header, path, fs::read_link(from)?);
        }
        if kind.is_char_device() && metadata.rdev() == 0 {
            // Overlay's mark for something that was removed.
            let mut header = header(metadata, EntryType::Char);
            header.set_device_major(0)?;
            header.set_device_minor(0)?;
            return self.tar.append_data(&mut header, path, io::empty());
        }
        if kind.is_dir() {
            let mut header = header(metadata, EntryType::Directory);
            return self.tar.append_data(&mut header, path, io::empty());
        }
        // Sockets and pipes mean nothing to whoever starts anew.
        Ok(())
    }

    fn add_attributes(&mut self, from: &Path) -> io::Result<()> {
        let mut names = vec![0; ATTRIBUTE_BYTES_MAX];
        let count = match rustix::fs::llistxattr(from, &mut names[..]) {
            Ok(count) => count,
            Err(rustix::io::Errno::NOTSUP) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        for name in names[..count].split(|byte| *byte == 0) {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            if name.starts_with(ATTRIBUTES) {
                let mut value = vec![0; ATTRIBUTE_BYTES_MAX];
                let count = rustix::fs::lgetxattr(from, name, &mut value[..])?;
                value.truncate(count);
                found.push((format!("{PAX_ATTRIBUTES}{name}"), value));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        self.tar.append_pax_extensions(
            found
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice())),
        )
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that must have as many bytes as its header says.
struct Exactly(io::Take<File>);

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if self.0.limit() > 0 && !buffer.is_empty() => {
                Err(io::Error::other("a file became shorter while it was copied"))
            }
            count => Ok(count),
        }
    }
}

fn header(metadata: &Metadata, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    header
}
