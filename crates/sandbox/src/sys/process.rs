//! Processes: made, watched, signalled, replaced.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use super::check;

/// Which side of a fork this is.
pub(crate) enum Fork {
    Child,
    /// Process id and a descriptor of the child.
    Parent(u32, OwnedFd),
}

/// Forks into new namespaces (`CLONE_NEW*` bits); `exit_signal` 0 keeps the child out of automatic reaping.
///
/// # Safety
/// The process must have one thread. The child goes on with a copy of everything and must never return into code
/// of its parent.
pub(crate) unsafe fn clone_into(namespaces: u64, exit_signal: i32) -> io::Result<Fork> {
    let mut pidfd: RawFd = -1;
    // struct clone_args of clone3(2), version 0: flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls.
    let args: [u64; 8] = [
        namespaces | libc::CLONE_PIDFD as u64,
        (&raw mut pidfd) as u64,
        0,
        0,
        exit_signal as u64,
        0,
        0,
        0,
    ];
    // SAFETY: the arguments live on this stack; without a stack of its own the child runs on a copy of this one.
    unsafe {
        match check(libc::syscall(libc::SYS_clone3, args.as_ptr(), size_of_val(&args)))? {
            0 => Ok(Fork::Child),
            pid => Ok(Fork::Parent(pid as u32, OwnedFd::from_raw_fd(pidfd))),
        }
    }
}

/// Forks.
///
/// # Safety
/// As for [`clone_into`].
pub(crate) unsafe fn fork() -> io::Result<Fork> {
    // SAFETY: passed on to the caller.
    unsafe { clone_into(0, libc::SIGCHLD) }
}

/// Lets the kernel reap the children of this process.
pub(crate) fn ignore_children() {
    // SAFETY: SIG_IGN is a valid disposition for SIGCHLD.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Every signal as a fresh program expects it: default action, not blocked.
pub(crate) fn default_signals() -> io::Result<()> {
    // SAFETY: the set is initialised by sigemptyset before it is used; bad signal numbers only fail.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()).into())?;
    }
    Ok(())
}

/// A descriptor that becomes readable when a child ends; SIGCHLD is blocked from here on.
pub(crate) fn watch_children() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before it is used; signalfd returns a fresh descriptor.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()).into())?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).into())?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Signals every process of this pid namespace but the caller, its process 1.
pub(crate) fn kill_all(signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    unsafe { check(libc::kill(-1, signal).into()) }.map(drop)
}

/// Signals a process group of this pid namespace.
pub(crate) fn signal_group(leader: u32, signal: i32) -> io::Result<()> {
    let leader = i32::try_from(leader).unwrap_or(i32::MAX);
    // SAFETY: plain numbers.
    unsafe { check(libc::kill(-leader, signal).into()) }.map(drop)
}

/// Descriptors from `first` on do not survive the next exec.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: plain numbers; nothing is closed before exec, so no owner is surprised.
    unsafe {
        check(libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        ))?;
    }
    Ok(())
}

/// Closes descriptors from `first` on. Only for a process that has not opened any itself.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called before anything here owns a descriptor.
    unsafe { check(libc::syscall(libc::SYS_close_range, first, u32::MAX, 0)) }.map(drop)
}

/// The soft and hard limit of a resource (`RLIMIT_*`).
pub(crate) fn resource_limit(resource: u32) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes the struct that is passed.
    unsafe { check(libc::prlimit(0, resource, std::ptr::null(), &raw mut limit).into())? };
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Lowers soft and hard limit to `wanted`, or to what the hard limit allows.
pub(crate) fn limit_resource(resource: u32, wanted: u64) -> io::Result<()> {
    let allowed = wanted.min(resource_limit(resource)?.1);
    let limit = libc::rlimit {
        rlim_cur: allowed,
        rlim_max: allowed,
    };
    // SAFETY: reads the struct that is passed.
    unsafe { check(libc::prlimit(0, resource, &raw const limit, std::ptr::null_mut()).into()) }.map(drop)
}

/// Replaces this process by `path`; returns only the error.
pub(crate) fn execute(path: &CString, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: null-terminated arrays of C strings that are alive.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// The process at the other end of a unix socket, as this pid namespace numbers it: 0 when it is outside.
pub(crate) fn peer_pid(socket: BorrowedFd<'_>) -> io::Result<i32> {
    let mut peer = libc::ucred {
        pid: -1,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    let place = (&raw mut peer).cast();
    // SAFETY: writes at most `length` bytes into the struct that is passed.
    unsafe {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        check(libc::getsockopt(socket.as_raw_fd(), level, name, place, &raw mut length).into())?;
    }
    Ok(peer.pid)
}

/// Gives memory that was freed back to the kernel, where the allocator can.
pub(crate) fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number; the allocator locks itself, and this process has one thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
