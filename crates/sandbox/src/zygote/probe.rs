//! Tries what this machine can do, in children that end at once.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::idmap;
use crate::capability::{Capability, EGRESS, ID_MAPPED_MOUNTS, NAMESPACES, OPEN_FILES, OVERLAY, SECCOMP};
use crate::privilege::Privilege;
use crate::sys::{self, Fork};

/// Wanted for one sandbox; servers hold one descriptor per connection.
pub(crate) const OPEN_FILES_WANTED: u64 = 65_536;

pub(super) fn probe() -> Vec<Capability> {
    vec![
        namespaces(),
        id_mapped_mounts(),
        overlay(),
        seccomp(),
        egress(),
        open_files(),
    ]
}

fn namespaces() -> Capability {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET;
    match in_child(flags, || Ok(())) {
        Ok(()) => Capability::full(
            NAMESPACES,
            "user, mount, pid, network, IPC, UTS and cgroup namespaces",
        ),
        Err(error) => Capability::missing(
            NAMESPACES,
            format!("no new namespaces: {error}"),
            "raise user.max_user_namespaces, or run outside of the container",
        ),
    }
}

fn id_mapped_mounts() -> Capability {
    if Privilege::current() != Some(Privilege::Root) {
        return Capability::full(ID_MAPPED_MOUNTS, "not needed without root");
    }
    let attempt = || -> io::Result<()> {
        let namespace = idmap::make(0x4000_0000)?;
        let tree = sys::clone_tree(Path::new("/usr"), false)?;
        sys::map_ids(std::os::fd::AsFd::as_fd(&tree), &namespace)
    };
    match attempt() {
        Ok(()) => Capability::full(ID_MAPPED_MOUNTS, "owners on disk are mapped per sandbox"),
        Err(error) => Capability::missing(
            ID_MAPPED_MOUNTS,
            format!("owners cannot be mapped: {error}"),
            "use Linux 5.19 or newer and ext4, xfs or btrfs for the data directory, or run without root",
        ),
    }
}

fn overlay() -> Capability {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known
        .lines()
        .any(|line| line.trim_start_matches("nodev").trim() == "overlay")
    {
        Capability::full(OVERLAY, "shared layers with a writable top")
    } else {
        Capability::missing(
            OVERLAY,
            "the kernel does not list overlay",
            "load the module 'overlay'",
        )
    }
}

fn seccomp() -> Capability {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if actions.contains("errno") {
        Capability::full(SECCOMP, "system calls are filtered")
    } else {
        Capability::missing(
            SECCOMP,
            "the kernel has no seccomp filters",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        )
    }
}

fn egress() -> Capability {
    let attempt = || {
        sys::netlink::make_everything_local()?;
        sys::nft::redirect_everything(&[])
    };
    match in_child(libc::CLONE_NEWUSER | libc::CLONE_NEWNET, attempt) {
        Ok(()) => Capability::full(EGRESS, "connections are redirected and decided by name"),
        Err(error) => Capability::missing(
            EGRESS,
            format!("connections cannot be redirected inside: {error}"),
            "load the modules nf_tables, nft_chain_nat and nft_redir",
        ),
    }
}

fn open_files() -> Capability {
    let hard = sys::resource_limit(libc::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
    if hard >= OPEN_FILES_WANTED {
        return Capability::full(OPEN_FILES, format!("{OPEN_FILES_WANTED} per process"));
    }
    Capability::clamped(
        OPEN_FILES,
        format!("{hard} per process instead of {OPEN_FILES_WANTED}"),
        "raise the hard limit (ulimit -Hn, LimitNOFILE=)",
    )
}

/// Runs `work` in new namespaces, with all capabilities over them.
fn in_child(namespaces: i32, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (mut read, mut write) = io::pipe()?;
    // SAFETY: one thread; the child ends below without running anything of the parent's.
    match unsafe { sys::clone_into(namespaces as u64, libc::SIGCHLD)? } {
        Fork::Child => {
            drop(read);
            let code = work()
                .err()
                .map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
            let _ = write.write_all(&code.to_ne_bytes());
            // SAFETY: ends without running anything of the parent's.
            unsafe { libc::_exit(0) }
        }
        Fork::Parent(..) => {
            drop(write);
            let mut code = [0; 4];
            read.read_exact(&mut code)?;
            match i32::from_ne_bytes(code) {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }
}
