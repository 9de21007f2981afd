//! Mounts by descriptor: taken from a path once, changed while detached, attached last. Nothing is looked up twice.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::check;

/// What to add to a mount. Nothing is ever taken away: an unprivileged kernel would refuse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) read_only: bool,
    /// Device files work (`/dev` itself).
    pub(crate) devices: bool,
}

/// A detached copy of what is mounted at `path`; with `deep`, of everything below too.
pub(crate) fn clone_tree(path: &Path, deep: bool) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if deep {
        flags |= libc::AT_RECURSIVE as u32;
    }
    // SAFETY: `path` is a C string that outlives the call; the result is a fresh descriptor.
    unsafe {
        let fd = check(libc::syscall(
            libc::SYS_open_tree,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Attaches a detached mount at `target`.
pub(crate) fn attach(mount: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    let (from, empty) = (mount.as_raw_fd(), c"");
    // SAFETY: both are C strings that outlive the call.
    unsafe {
        check(libc::syscall(
            libc::SYS_move_mount,
            from,
            empty.as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        ))?;
    }
    Ok(())
}

/// Adds attributes to a mount and all below it; never set-user-id programs, and devices only on request.
pub(crate) fn set_attributes(mount: BorrowedFd<'_>, wanted: Attributes) -> io::Result<()> {
    let mut set = libc::MOUNT_ATTR_NOSUID;
    if wanted.read_only {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    if !wanted.devices {
        set |= libc::MOUNT_ATTR_NODEV;
    }
    change(mount, libc::AT_RECURSIVE, (set, None))
}

/// Makes owners on disk appear as `namespace` maps them.
pub(crate) fn map_ids(mount: BorrowedFd<'_>, namespace: &OwnedFd) -> io::Result<()> {
    change(
        mount,
        libc::AT_RECURSIVE,
        (libc::MOUNT_ATTR_IDMAP, Some(namespace.as_fd())),
    )
}

fn change(
    mount: BorrowedFd<'_>,
    flags: i32,
    (set, namespace): (u64, Option<BorrowedFd<'_>>),
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: an empty C string, and a struct of the size that is passed, both alive during the call.
    unsafe {
        check(libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of_val(&attributes),
        ))?;
    }
    Ok(())
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
