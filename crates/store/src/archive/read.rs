//! Checking an archive, and taking it out.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use super::{ATTRIBUTES, ArchiveError, HASH_BYTES, PAX_ATTRIBUTES, TRAILER_BYTES, body_bytes, hash};

/// Directories within directories at the most.
const DEPTH_MAX: usize = 1_000;
/// Bytes of the first entry, which describes the others.
const FIRST_BYTES_MAX: u64 = 64 << 10;

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub files: u64,
    pub bytes: u64,
}

type Stream<'a> = zstd::Decoder<'static, io::BufReader<io::Take<&'a mut File>>>;

/// Reads all of `file` and checks that it is a complete archive, as it was made.
pub fn verify(file: &mut File) -> Result<(), ArchiveError> {
    let (body, said) = body_bytes(file)?;
    let found: [u8; HASH_BYTES] = hash(file, body)?;
    file.seek(SeekFrom::Start(0))?;
    match found == said {
        true => Ok(()),
        false => Err(ArchiveError::Changed),
    }
}

/// The first file of the archive, which must have the name `name`.
pub fn first(file: &mut File, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let mut archive = Archive::new(stream(file)?);
    let mut entry = archive.entries()?.next().ok_or(ArchiveError::Truncated)??;
    if entry.path_bytes().as_ref() != name.as_bytes() {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        return Err(ArchiveError::Foreign {
            path,
            why: "it does not say what it is",
        });
    }
    let mut bytes = Vec::new();
    (&mut entry).take(FIRST_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Takes everything out into the empty directory `into`: only below the names in `tops`, and at most `bytes_max` bytes.
/// What it took out before an error is left there.
pub fn unpack(file: &mut File, into: &Path, tops: &[&str], bytes_max: u64) -> Result<Unpacked, ArchiveError> {
    let mut archive = Archive::new(stream(file)?);
    let mut place = Place::open(into)?;
    let (mut unpacked, mut directories) = (Unpacked::default(), Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
        check(&path, tops)?;
        unpacked.bytes = unpacked.bytes.saturating_add(entry.size());
        if unpacked.bytes > bytes_max {
            return Err(ArchiveError::TooLarge { bytes_max });
        }
        unpacked.files += 1;
        if entry.header().entry_type() == EntryType::Directory {
            directories.push((path.clone(), entry.header().mode()?, owner(&entry)?));
        }
        place.put(&mut entry, &path)?;
    }
    // Last, because a directory may forbid to write into it.
    for (path, mode, owner) in directories.into_iter().rev() {
        let directory = place.directory(&path)?;
        place.own(directory.as_fd(), owner)?;
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode & 0o7777)).map_err(io::Error::from)?;
    }
    Ok(unpacked)
}

fn stream(file: &mut File) -> Result<Stream<'_>, ArchiveError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let body = length.saturating_sub(TRAILER_BYTES as u64);
    Ok(zstd::Decoder::new(file.take(body))?)
}

/// A name that leads nowhere but below.
fn check(path: &Path, tops: &[&str]) -> Result<(), ArchiveError> {
    let foreign = |why| ArchiveError::Foreign {
        path: path.display().to_string(),
        why,
    };
    let mut depth = 0;
    for part in path.components() {
        let Component::Normal(part) = part else {
            return Err(foreign("it leads elsewhere"));
        };
        if depth == 0 && !tops.iter().any(|top| part == OsStr::new(top)) {
            return Err(foreign("nothing of that name belongs there"));
        }
        depth += 1;
    }
    match depth {
        1..=DEPTH_MAX => Ok(()),
        _ => Err(foreign("it lies nowhere, or too deep")),
    }
}

fn owner<R: Read>(entry: &Entry<'_, R>) -> io::Result<(u64, u64)> {
    Ok((entry.header().uid()?, entry.header().gid()?))
}

/// The directory that is filled.
struct Place {
    root: OwnedFd,
    /// The directory that was used last.
    last: (PathBuf, OwnedFd),
    /// Whether owners can be given.
    privileged: bool,
}

impl Place {
    fn open(into: &Path) -> io::Result<Self> {
        let open = || File::open(into).map(OwnedFd::from);
        Ok(Self {
            root: open()?,
            last: (PathBuf::new(), open()?),
            privileged: rustix::process::geteuid().is_root(),
        })
    }

    /// Opens the directory `path`, and makes what is missing of it. No link is followed.
    fn directory(&mut self, path: &Path) -> io::Result<OwnedFd> {
        if self.last.0 != path {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut at = self.root.try_clone()?;
            for part in path.components() {
                let name = part.as_os_str();
                at = match rustix::fs::openat(&at, name, flags, Mode::empty()) {
                    Err(Errno::NOENT) => {
                        rustix::fs::mkdirat(&at, name, Mode::RWXU)?;
                        rustix::fs::openat(&at, name, flags, Mode::empty())?
                    }
                    opened => opened?,
                };
            }
            self.last = (path.to_owned(), at);
        }
        self.last.1.try_clone()
    }

    fn put<R: Read>(&mut self, entry: &mut Entry<'_, R>, path: &Path) -> Result<(), ArchiveError> {
        let foreign = |why| ArchiveError::Foreign {
            path: path.display().to_string(),
            why,
        };
        let attributes = attributes(entry)?;
        let kind = entry.header().entry_type();
        let (above, name) = match (path.parent(), path.file_name()) {
            (Some(above), Some(name)) => (above, name),
            _ => return Err(foreign("it has no name")),
        };
        match kind {
            EntryType::Directory => {
                let directory = self.directory(path)?;
                set_attributes(directory.as_fd(), &attributes)?;
            }
            EntryType::Regular => {
                let above = self.directory(above)?;
                self.put_file(entry, (&above, name), &attributes)?;
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name_bytes()
                    .ok_or_else(|| foreign("a link to nowhere"))?;
                let target = OsStr::from_bytes(&target).to_owned();
                let above = self.directory(above)?;
                rustix::fs::symlinkat(&target, &above, name).map_err(io::Error::from)?;
                if self.privileged {
                    let (uid, gid) = ids(owner(entry)?)?;
                    let flags = AtFlags::SYMLINK_NOFOLLOW;
                    rustix::fs::chownat(&above, name, Some(uid), Some(gid), flags)
                        .map_err(io::Error::from)?;
                }
            }
            EntryType::Char => {
                let header = entry.header();
                if header.device_major()? != Some(0) || header.device_minor()? != Some(0) {
                    return Err(foreign("a device"));
                }
                let above = self.directory(above)?;
                rustix::fs::mknodat(&above, name, FileType::CharacterDevice, Mode::empty(), 0)
                    .map_err(io::Error::from)?;
            }
            _ => return Err(foreign("neither file, directory nor link")),
        }
        Ok(())
    }

    fn put_file<R: Read>(
        &self,
        entry: &mut Entry<'_, R>,
        (above, name): (&OwnedFd, &OsStr),
        attributes: &[(String, Vec<u8>)],
    ) -> io::Result<()> {
        let (mode, modified) = (entry.header().mode()?, entry.header().mtime()?);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(above, name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(entry, &mut file)?;
        set_attributes(file.as_fd(), attributes)?;
        self.own(file.as_fd(), owner(entry)?)?;
        // After the owner: a change of owner takes some bits away.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
        let time = Timespec {
            tv_sec: i64::try_from(modified).unwrap_or(0),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            },
            last_modification: time,
        };
        Ok(rustix::fs::futimens(&file, &times)?)
    }

    fn own(&self, file: impl AsFd, owner: (u64, u64)) -> io::Result<()> {
        if !self.privileged {
            return Ok(());
        }
        let (uid, gid) = ids(owner)?;
        Ok(rustix::fs::fchown(file, Some(uid), Some(gid))?)
    }
}

fn ids((uid, gid): (u64, u64)) -> io::Result<(Uid, Gid)> {
    let id = |number: u64| {
        u32::try_from(number)
            .ok()
            .filter(|id| *id != u32::MAX)
            .ok_or_else(|| io::Error::other("an owner that cannot be"))
    };
    Ok((Uid::from_raw(id(uid)?), Gid::from_raw(id(gid)?)))
}

fn attributes<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let Some(name) = extension
            .key()
            .ok()
            .and_then(|key| key.strip_prefix(PAX_ATTRIBUTES))
        else {
            continue;
        };
        if name.starts_with(ATTRIBUTES) {
            found.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

fn set_attributes(file: impl AsFd, attributes: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (name, value) in attributes {
        rustix::fs::fsetxattr(&file, name.as_str(), value, XattrFlags::empty())?;
    }
    Ok(())
}
