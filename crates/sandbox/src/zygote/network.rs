//! The network of a sandbox, made before it is asked for: the slowest of its namespaces, and the same for nearly all.
//!
//! The zygote itself stands in the network that the next sandbox is born with: it needs none, and could not return to the
//! host's without root. Guards against two sandboxes in one: what was given away is never given again, and one that
//! failed half-way counts as given. Belongs to the platform's user namespace, so nobody inside has power over it.

use std::fs;
use std::net::SocketAddr;

use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::{Failed, Step as _};
use crate::egress::{AllowedAddress, Policy};
use crate::spec::Spec;
use crate::sys;

#[derive(Default)]
pub(super) struct Network {
    /// What is left to be said of the one that this process stands in, if no sandbox has it yet.
    ready: Option<Redirection>,
}

/// Whether connections can be redirected there; without that only the policy `none` holds.
type Redirection = Result<(), Failed>;

impl Network {
    /// Stands in a network of its own for `spec` from here on: the next child is born there, and only that one.
    pub(super) fn give(&mut self, spec: &Spec) -> Result<(), Failed> {
        let opened: Vec<_> = spec.opened.iter().filter_map(AllowedAddress::loopback).collect();
        let redirection = match self.ready.take() {
            Some(ready) if opened.is_empty() => ready,
            _ => make(&opened)?,
        };
        match redirection {
            Err(_) if spec.egress == Policy::None => Ok(()),
            other => other,
        }
    }

    /// Makes the next one, in time that nobody waits for.
    pub(super) fn prepare(&mut self) {
        if self.ready.is_none() {
            // What is wrong is told to the next one that asks, by the same attempt.
            self.ready = make(&[]).ok();
        }
    }
}

/// Loopback, a route that makes every address local, and the redirection to the init's sockets. With the policy `none`
/// nobody listens there: everything outside is refused.
fn make(opened: &[SocketAddr]) -> Result<Redirection, Failed> {
    // SAFETY: changes no descriptor table, and this process has one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.step("network namespace")?;
    sys::netlink::make_everything_local().step("routes")?;
    // Port 80 is as good as any in a network of one's own.
    let _ = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    Ok(sys::nft::redirect_everything(opened).step("nftables"))
}
