//! Removing directories that foreign code wrote.
//!
//! Guards against everything such a directory can hold: links to elsewhere (never followed), directories without any
//! permission (overlay leaves them too), names of any bytes, trees far deeper than a path can be long. Every directory
//! is moved up into one flat place before it is emptied, so no depth is ever walked and two descriptors are enough.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use tempfile::TempDir;

use crate::Store;

impl Store {
    /// Removes the directory `path`, which lies in the store. Its name is free at once; absent is fine.
    pub(crate) fn discard(&self, path: &Path) -> io::Result<()> {
        self.set_aside(path)?.map_or(Ok(()), |trash| trash.empty())
    }

    /// Takes the directory `path` out of its place, at once and as a whole. `None` when it was not there.
    pub(crate) fn set_aside(&self, path: &Path) -> io::Result<Option<Trash>> {
        let trash = tempfile::Builder::new()
            .prefix("trash-")
            .tempdir_in(self.area("staging"))?;
        match move_directory(CWD, path, CWD, &trash.path().join("0")) {
            Ok(()) => Ok(Some(Trash(trash))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A directory on its way out; what is not emptied goes at the next start.
pub(crate) struct Trash(TempDir);

impl Trash {
    /// Removes what was set aside.
    pub(crate) fn empty(self) -> io::Result<()> {
        let trash = self.0;
        let place = rustix::fs::open(trash.path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut waiting = vec![0u64];
        let mut next = 1;
        while let Some(number) = waiting.pop() {
            let name = number.to_string();
            empty(&place, &name, |from, child| {
                let to = next.to_string();
                move_directory(from, child, place.as_fd(), to.as_str())?;
                waiting.push(next);
                next += 1;
                Ok(())
            })?;
            rustix::fs::unlinkat(&place, name.as_str(), AtFlags::REMOVEDIR)?;
        }
        fs::remove_dir(trash.keep())
    }
}

/// Removes everything in the directory `name` except directories that hold something: those are given to `set_aside`.
fn empty(
    place: &OwnedFd,
    name: &str,
    mut set_aside: impl FnMut(BorrowedFd<'_>, &CStr) -> rustix::io::Result<()>,
) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(place, name, flags, Mode::empty());
    let dir = match open() {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(place, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        dir => dir?,
    };
    rustix::fs::fchmod(&dir, Mode::RWXU)?;
    // Names are read before anything is removed: a directory that changes while it is read may skip some.
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    for (child, kind) in names {
        if kind != FileType::Directory {
            match rustix::fs::unlinkat(&dir, &child, AtFlags::empty()) {
                Err(Errno::ISDIR) => {}
                result => {
                    result?;
                    continue;
                }
            }
        }
        match rustix::fs::unlinkat(&dir, &child, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::ACCESS) => set_aside(dir.as_fd(), &child)?,
            result => result?,
        }
    }
    Ok(())
}

/// Renames a directory. One without permissions cannot be moved by an ordinary user, so it is given some first.
fn move_directory<From: rustix::path::Arg + Copy, To: rustix::path::Arg + Copy>(
    from_dir: BorrowedFd<'_>,
    from: From,
    to_dir: BorrowedFd<'_>,
    to: To,
) -> rustix::io::Result<()> {
    match rustix::fs::renameat(from_dir, from, to_dir, to) {
        Err(Errno::ACCESS) => {
            // It is known to be a directory of our own, and nobody else can write here any more.
            rustix::fs::chmodat(from_dir, from, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::renameat(from_dir, from, to_dir, to)
        }
        result => result,
    }
}
