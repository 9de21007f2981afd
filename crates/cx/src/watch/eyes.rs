//! How a directory is looked at: by the kernel's word, or where that cannot be had, every half second.

use std::path::Path;
use std::time::Duration;

use super::inotify::Inotify;
use crate::upload::{FoundDirectory, deciding};

/// How often it is looked where nobody tells.
const LOOK: Duration = Duration::from_millis(500);
/// File systems whose changes come from elsewhere and are not told (statfs(2)): NFS, CIFS and SMB2, 9p, FUSE, VirtualBox,
/// Ceph, AFS.
const REMOTE: [u32; 8] = [
    0x6969,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x6573_5546,
    0x786f_4256,
    0x00c3_6400,
    0x6b41_4653,
];

/// Who tells that something changed.
#[derive(Debug)]
pub(super) enum Eyes {
    Told(Inotify),
    Looking,
}

impl Eyes {
    /// Watches `directories` of `root`, and what decides from outside; with a note where it has to look by itself.
    pub(super) fn open(root: &Path, directories: &[FoundDirectory]) -> (Self, Option<String>) {
        if is_remote(root) {
            let why = "its file system does not tell of changes made elsewhere";
            return (Self::Looking, Some(looking(why)));
        }
        let open = || {
            let mut inotify = Inotify::open()?;
            inotify.follow(directories)?;
            for (directory, name) in deciding(root) {
                inotify.follow_name(&directory, name)?;
            }
            Ok(inotify)
        };
        match open() {
            Ok(inotify) => (Self::Told(inotify), None),
            Err(error) => (Self::Looking, Some(looking(&why(&error)))),
        }
    }

    /// Watches exactly `directories` from now on. Says whether some of them are new, and what the person should know.
    pub(super) fn follow(&mut self, directories: &[FoundDirectory]) -> (bool, Option<String>) {
        let Self::Told(inotify) = self else {
            return (false, None);
        };
        match inotify.follow(directories) {
            Ok(more) => (more, None),
            Err(error) => {
                *self = Self::Looking;
                (false, Some(looking(&why(&error))))
            }
        }
    }

    /// Waits for a sign of a change. Can be dropped without loss.
    pub(super) async fn sign(&mut self) {
        if let Self::Told(inotify) = self {
            match inotify.sign().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "the kernel tells no more of changes"),
            }
            *self = Self::Looking;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_remote(root: &Path) -> bool {
    rustix::fs::statfs(root).is_ok_and(|found| REMOTE.contains(&(found.f_type as u32)))
}

fn looking(why: &str) -> String {
    format!("changes are looked for every half second: {why}")
}

fn why(error: &std::io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC) => {
            "the kernel's watches are used up; raise fs.inotify.max_user_watches".to_owned()
        }
        Some(rustix::io::Errno::MFILE) => {
            "the kernel's watchers are used up; raise fs.inotify.max_user_instances".to_owned()
        }
        _ => format!("the kernel cannot watch it ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named() {
        let text = |errno: rustix::io::Errno| why(&errno.into());
        assert!(text(rustix::io::Errno::NOSPC).contains("max_user_watches"));
        assert!(text(rustix::io::Errno::MFILE).contains("max_user_instances"));
    }
}
