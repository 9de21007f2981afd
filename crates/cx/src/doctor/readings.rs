//! What the machine says of itself, read once; others judge it.

use std::fs;
use std::path::PathBuf;

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
}

impl Readings {
    pub(super) fn take(privilege: Result<sandbox::Privilege, ()>) -> Self {
        Self {
            root: matches!(privilege, Ok(sandbox::Privilege::Root)),
            isolates: privilege.is_ok(),
            program: std::env::current_exe().unwrap_or_default(),
            apparmor_restricts: number("kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            kernel: setting("kernel/osrelease").as_deref().and_then(kernel::release),
            user_namespaces: number("user/max_user_namespaces"),
            inotify_watches: number("fs/inotify/max_user_watches"),
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
