//! The system calls that no safe library offers, one small function each.
//!
//! Guards against `unsafe` spreading: beyond this folder only `init` and `zygote` use it, to fork. Does not know what
//! the calls are for.

mod ids;
mod mount;
pub(crate) mod netlink;
pub(crate) mod nft;
mod process;

pub(crate) use ids::{become_user, clear_capabilities, drop_bounding_set, set_file_ids};
pub(crate) use mount::{Attributes, attach, clone_tree, map_ids, set_attributes};
pub(crate) use process::{
    Fork, clone_into, close_from, close_on_exec_from, default_signals, execute, fork, ignore_children,
    kill_all, limit_resource, peer_pid, release_freed_memory, resource_limit, signal_group, watch_children,
};

use std::io;

/// Turns the usual -1 into the error of the call.
pub(crate) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
