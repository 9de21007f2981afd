//! What a sandbox's directory says about it: `state.json`, written before its init goes on, and `exit.json`.
//!
//! Guards against mistaking a recycled process id for an init (start time and boot id must agree). Holds no secrets.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat, renameat};
use serde::{Deserialize, Serialize};

use crate::egress;
use crate::exit::Exit;
use crate::spec::Lifetime;

pub(crate) const STATE: &str = "state.json";
pub(crate) const EXIT: &str = "exit.json";
pub(crate) const SOCKET: &str = "control.sock";
/// Of the form on disk and of the control protocol together; an init of another version is not spoken to.
pub(crate) const VERSION: u32 = 1;

/// The durable identity of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// In clock ticks since boot, as in /proc/<pid>/stat.
    pub(crate) start_time: u64,
    pub(crate) boot_id: String,
    /// First of its user ids on the host; none without root.
    pub(crate) uid_base: Option<u32>,
    /// Deepest first: the order of removal.
    pub(crate) cgroups: Vec<PathBuf>,
    pub(crate) policy: egress::Policy,
    pub(crate) lifetime: Lifetime,
}

impl State {
    pub(crate) fn read(dir: &Path) -> io::Result<State> {
        Ok(serde_json::from_slice(&fs::read(dir.join(STATE))?)?)
    }

    /// Whether the process that was recorded is still the one with this id.
    pub(crate) fn is_alive(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot_id)
            && start_time(self.pid).is_ok_and(|start| start == self.start_time)
    }
}

/// What the init recorded; none when it did not come to it.
pub(crate) fn read_exit(dir: &Path) -> Option<Exit> {
    serde_json::from_slice(&fs::read(dir.join(EXIT)).ok()?).ok()
}

/// Writes a file whole or not at all.
pub(crate) fn write(dir: BorrowedFd<'_>, name: &str, value: &impl Serialize) -> io::Result<()> {
    let draft = format!("{name}.new");
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = fs::File::from(openat(dir, &draft, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(&serde_json::to_vec(value)?)?;
    Ok(renameat(dir, &draft, dir, name)?)
}

pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// When a process started, in clock ticks since boot; an error when there is none.
pub(crate) fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_start_time(&stat).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))
}

/// Field 22; the command in field 2 may hold spaces and parentheses. A zombie counts as gone.
fn parse_start_time(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X")
        .then(|| fields.nth(18))??
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_start_time_is_found_and_is_stable() {
        let pid = std::process::id();
        assert_eq!(start_time(pid).unwrap(), start_time(pid).unwrap());
        assert!(start_time(u32::MAX).is_err());
    }

    #[test]
    fn a_hostile_command_name_does_not_shift_the_fields() {
        let stat = "7 (a) S 9 (b)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_start_time(stat), Some(4242));
        assert_eq!(parse_start_time(&stat.replace(") S 1", ") Z 1")), None);
    }
}
