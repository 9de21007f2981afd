//! Reading a stack of overlay layers as the kernel would show it, without mounting it.
//!
//! Guards against showing what an upper layer deleted or replaced: whiteouts (a character device 0:0, or an empty file
//! with the attribute `user.overlay.whiteout`) and opaque directories (`user.overlay.opaque`). Every step is an
//! `openat` without following links, so no link in any layer leads elsewhere.
//! Source: Documentation/filesystems/overlayfs.rst of Linux, sections "whiteouts and opaque directories" and
//! "User xattr". It does *not* know `redirect_dir` and `metacopy`, which `userxattr` overlays do not use.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// One directory of the merged view: the directories that make it up, topmost first.
pub(crate) struct Merged {
    layers: Vec<OwnedFd>,
}

/// One name in it.
pub(crate) struct Found {
    pub(crate) stat: Stat,
    /// The layer that shows it, as an index into [`Merged`].
    layer: usize,
}

impl Merged {
    /// The merged root of `layers`, topmost first.
    pub(crate) fn open(layers: &[&Path]) -> io::Result<Self> {
        let open = |path: &&Path| {
            Ok(rustix::fs::openat(
                CWD,
                *path,
                OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?)
        };
        Ok(Self {
            layers: layers.iter().map(open).collect::<io::Result<_>>()?,
        })
    }

    /// All names that the merged view shows, in order.
    pub(crate) fn list(&self) -> io::Result<BTreeMap<CString, Found>> {
        let mut names: BTreeMap<CString, Option<Found>> = BTreeMap::new();
        for (layer, dir) in self.layers.iter().enumerate() {
            for entry in Dir::read_from(dir)? {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") || names.contains_key(name) {
                    continue;
                }
                let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let shown = if is_whiteout(dir, name, &stat)? {
                    None
                } else {
                    Some(Found { stat, layer })
                };
                names.insert(name.to_owned(), shown);
            }
        }
        Ok(names
            .into_iter()
            .filter_map(|(name, found)| Some((name, found?)))
            .collect())
    }

    /// The merged directory `name`, or `None` where the view shows no directory of that name.
    pub(crate) fn enter(&self, name: &CStr) -> io::Result<Option<Self>> {
        let mut layers = Vec::new();
        for dir in &self.layers {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                Ok(inner) => {
                    let opaque = is_opaque(&inner)?;
                    layers.push(inner);
                    if opaque {
                        break;
                    }
                }
                Err(Errno::NOENT) => {}
                // A file, a link or a whiteout: it hides what lies below.
                Err(Errno::NOTDIR | Errno::LOOP) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok((!layers.is_empty()).then_some(Self { layers }))
    }

    /// Opens a regular file for reading.
    pub(crate) fn open_file(&self, name: &CStr, found: &Found) -> io::Result<std::fs::File> {
        // NONBLOCK, so that something that became a pipe meanwhile cannot hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(rustix::fs::openat(&self.layers[found.layer], name, flags, Mode::empty())?.into())
    }

    /// The target of a symbolic link.
    pub(crate) fn read_link(&self, name: &CStr, found: &Found) -> io::Result<CString> {
        Ok(rustix::fs::readlinkat(
            &self.layers[found.layer],
            name,
            Vec::new(),
        )?)
    }
}

fn is_whiteout(dir: &OwnedFd, name: &CStr, stat: &Stat) -> io::Result<bool> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => Ok(stat.st_rdev == 0),
        FileType::RegularFile if stat.st_size == 0 => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                Ok(file) => Ok(attribute(&file, c"user.overlay.whiteout")?.is_some()),
                // Not even its owner may read it, so it is no whiteout of overlay's.
                Err(Errno::ACCESS) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
        _ => Ok(false),
    }
}

fn is_opaque(dir: &OwnedFd) -> io::Result<bool> {
    Ok(attribute(dir, c"user.overlay.opaque")? == Some(b'y'))
}

/// The first byte of an extended attribute.
fn attribute(file: &OwnedFd, name: &CStr) -> io::Result<Option<u8>> {
    let mut value = [0u8; 16];
    match rustix::fs::fgetxattr(file.as_fd(), name, &mut value) {
        Ok(0) => Ok(Some(0)),
        Ok(_) => Ok(Some(value[0])),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
