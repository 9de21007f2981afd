//! Opening what was seen as a file a moment ago.
//!
//! Guards against a pipe, a device or a link in its place: opening a pipe waits for whoever writes to it, and reading
//! some devices never ends.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens `path` for reading if it is a regular file, without following a link.
///
/// # Errors
/// `InvalidInput` when something else stands there.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // What a link and a socket give.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Err(error) => return Err(error.into()),
    };
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "x").unwrap();
        symlink("file", path("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), Mode::RWXU).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        assert!(open_regular(&path("file")).is_ok());
        for name in ["link", "pipe", "socket", "."] {
            let error = open_regular(&path(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        assert_eq!(
            open_regular(&path("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
