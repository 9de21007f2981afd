//! Decides, before any thread starts, with which privilege programs will be isolated.
//!
//! Real root gives each sandbox a range of user ids of its own; anybody else enters a user namespace and sandboxes
//! nest in it. Guards against half a privilege: root without its capabilities counts as nobody.

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags, capabilities, unshare_unsafe};

use crate::error::PrivilegeError;

/// How this process may isolate programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Real root: each sandbox has a range of user ids of its own.
    Root,
    /// A user namespace of the platform's own; `uid` is the user outside.
    Rootless { uid: u32 },
}

impl Privilege {
    /// What this process has now; none before [`acquire_privilege`] did its work.
    pub(crate) fn current() -> Option<Privilege> {
        let needed = CapabilitySet::SYS_ADMIN
            | CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::NET_ADMIN
            | CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE;
        if !geteuid().is_root() || !capabilities(None).ok()?.effective.contains(needed) {
            return None;
        }
        let map = fs::read_to_string("/proc/self/uid_map").ok()?;
        let mut rows = map.lines().map(|line| {
            line.split_ascii_whitespace()
                .filter_map(|n| n.parse::<u64>().ok())
        });
        let mut row = rows.next()?;
        match (row.next()?, row.next()?, row.next()?) {
            (0, 0, count) if count >= u64::from(u32::MAX) => Some(Privilege::Root),
            (0, outside, _) => Some(Privilege::Rootless {
                uid: u32::try_from(outside).ok()?,
            }),
            _ => None,
        }
    }
}

/// Enters a user namespace unless this process is root or in one already. Call it before any thread starts: the
/// kernel refuses it to a process with threads.
pub fn acquire_privilege() -> Result<Privilege, PrivilegeError> {
    if let Some(privilege) = Privilege::current() {
        return Ok(privilege);
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    enter(uid, gid).map_err(|error| explain(uid, &error))?;
    Privilege::current().ok_or_else(|| {
        let error = io::Error::other("the user namespace gives no capabilities");
        explain(uid, &error)
    })
}

fn enter(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: CLONE_NEWUSER changes no descriptor table; with more than one thread the kernel answers EINVAL.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER)? };
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Names the setting that stands in the way.
fn explain(uid: u32, error: &io::Error) -> PrivilegeError {
    let setting = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let (cause, advice) = if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        (
            "AppArmor restricts user namespaces to programs with a profile".to_owned(),
            "run it as root, add a profile with 'userns,' for it, or set \
             kernel.apparmor_restrict_unprivileged_userns=0",
        )
    } else if setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        (
            "kernel.unprivileged_userns_clone is 0".to_owned(),
            "run it as root, or set kernel.unprivileged_userns_clone=1",
        )
    } else if setting("/proc/sys/user/max_user_namespaces") == "0" {
        (
            "user.max_user_namespaces is 0".to_owned(),
            "run it as root, or set user.max_user_namespaces=10000",
        )
    } else if error.raw_os_error() == Some(libc::EINVAL) {
        (
            "a user namespace cannot be entered once threads run".to_owned(),
            "call acquire_privilege() first in main()",
        )
    } else {
        (
            format!("a user namespace cannot be entered ({error})"),
            "run it as root, or outside of the container",
        )
    };
    PrivilegeError { uid, cause, advice }
}
