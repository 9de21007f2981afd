//! Bounds of this sandbox's user namespace on what the kernel counts for its maker too.
//!
//! Inotify instances, for one, are counted for the program's user and again for the platform's, whose limit all sandboxes
//! and the host share: without a bound of its own, one sandbox takes them from everybody. Also the second lock on the
//! door that seccomp closes: no further namespaces. What a kernel does not count it does not list, and that is fine.

use std::fs;
use std::io;

/// Kernels give 128 to a user; programs that watch files use one or two each.
const INOTIFY_INSTANCES_MAX: u32 = 16;
const INOTIFY_WATCHES_MAX: u32 = 65_536;
/// Without the cgroup namespace, which the command still gets.
const NAMESPACES: [&str; 7] = ["user", "pid", "net", "mnt", "ipc", "uts", "time"];

pub(super) fn set() -> io::Result<()> {
    bound("inotify_instances", INOTIFY_INSTANCES_MAX)?;
    bound("inotify_watches", INOTIFY_WATCHES_MAX)?;
    bound("fanotify_groups", 0)?;
    NAMESPACES
        .iter()
        .try_for_each(|kind| bound(&format!("{kind}_namespaces"), 0))
}

fn bound(what: &str, max: u32) -> io::Result<()> {
    match fs::write(format!("/proc/sys/user/max_{what}"), max.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
