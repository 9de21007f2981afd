//! What the machine says of itself, read once; others judge it.

use std::fs;
use std::path::{Path, PathBuf};

use super::kernel;

/// Readings; what cannot be read is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    pub(super) root: bool,
    /// Whether a state was reached in which sandboxes can be made.
    pub(super) isolates: bool,
    /// This program, where it is installed.
    pub(super) program: PathBuf,
    pub(super) apparmor_restricts: bool,
    pub(super) kernel: Option<(u32, u32)>,
    pub(super) user_namespaces: Option<u64>,
    pub(super) inotify_watches: Option<u64>,
    /// Things that can watch, each for many files.
    pub(super) inotify_instances: Option<u64>,
    /// That are there now.
    pub(super) sandboxes: u64,
}

impl Readings {
    /// `data` is the directory of the server.
    pub(super) fn take(privilege: Result<sandbox::Privilege, ()>, data: &Path) -> Self {
        let sandboxes = fs::read_dir(data.join("sandboxes")).map_or(0, Iterator::count);
        Self {
            root: matches!(privilege, Ok(sandbox::Privilege::Root)),
            isolates: privilege.is_ok(),
            program: std::env::current_exe().unwrap_or_default(),
            apparmor_restricts: number("kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            kernel: setting("kernel/osrelease").as_deref().and_then(kernel::release),
            user_namespaces: number("user/max_user_namespaces"),
            inotify_watches: number("fs/inotify/max_user_watches"),
            inotify_instances: number("fs/inotify/max_user_instances"),
            sandboxes: sandboxes as u64,
        }
    }
}

fn number(name: &str) -> Option<u64> {
    setting(name)?.parse().ok()
}

/// A setting of sysctl(8).
fn setting(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/{name}"))
        .ok()
        .map(|text| text.trim().to_owned())
}
