//! User namespaces that exist only for their mapping "root on disk is the program", for id-mapped mounts.
//!
//! Making one takes a process of its own. A preview that starts again has the same range as before, and so the same
//! mapping: the last ones are kept, since nobody ever enters them and one is as good as its copy.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::APP_ID;
use crate::sys::{self, Fork};

/// How many are kept: each is a descriptor and a little memory of the kernel.
const KEPT_MAX: usize = 64;

#[derive(Default)]
pub(super) struct IdNamespaces {
    /// By the first user id of the range; the one used last comes last.
    kept: VecDeque<(u32, Rc<OwnedFd>)>,
}

impl IdNamespaces {
    pub(super) fn of(&mut self, base: u32) -> io::Result<Rc<OwnedFd>> {
        let known = self.kept.iter().position(|(known, _)| *known == base);
        let namespace = match known.and_then(|index| self.kept.remove(index)) {
            Some((_, namespace)) => namespace,
            None => Rc::new(make(base)?),
        };
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((base, namespace.clone()));
        Ok(namespace)
    }
}

/// By a child that ends at once.
pub(super) fn make(base: u32) -> io::Result<OwnedFd> {
    let (mut wait, hold) = io::pipe()?;
    // SAFETY: one thread; the child does nothing but wait and end.
    match unsafe { sys::clone_into(libc::CLONE_NEWUSER as u64, libc::SIGCHLD)? } {
        Fork::Child => {
            drop(hold);
            let _ = wait.read(&mut [0]);
            // SAFETY: ends without running anything of the parent's.
            unsafe { libc::_exit(0) }
        }
        Fork::Parent(pid, _pidfd) => {
            let row = format!("0 {} 1", base + APP_ID);
            fs::write(format!("/proc/{pid}/uid_map"), &row)?;
            fs::write(format!("/proc/{pid}/gid_map"), &row)?;
            let namespace = fs::File::open(format!("/proc/{pid}/ns/user"))?;
            drop(hold);
            Ok(namespace.into())
        }
    }
}
