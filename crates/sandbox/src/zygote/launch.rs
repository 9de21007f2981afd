//! Makes one sandbox: groups, mounts with mapped owners, the init in its namespaces, its record on disk.
//!
//! Guards against a sandbox that nobody knows of: the init waits until its record is written, and ends by itself when
//! the zygote dies before that.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use super::{Failed, Launch, Makings, Step as _};
use crate::cgroup;
use crate::init::{self, Parts, Source};
use crate::state::{self, State};
use crate::sys::{self, Fork};

/// Inside, programs run as this user and group.
pub(crate) const APP_ID: u32 = 1000;
/// How many ids a sandbox has as root.
pub(crate) const IDS: u32 = 1 << 16;

/// All but the network, which is made before.
const NAMESPACES: u64 =
    (libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS)
        as u64;

pub(super) struct Launched {
    pub(super) pid: u32,
    pub(super) start_time: u64,
    pub(super) pidfd: OwnedFd,
}

pub(super) fn launch(launch: Launch, fds: Vec<OwnedFd>, makings: &mut Makings) -> Result<Launched, Failed> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next();
    let (Some(dir), Some(listener), Some(report), leash) = (next(), next(), next(), next()) else {
        return Err(Failed {
            step: "request".to_owned(),
            error: "descriptors are missing".to_owned(),
        });
    };
    let (cgroups, handles) =
        cgroup::create(&launch.tree, &launch.cgroup, &launch.spec.limits).step("cgroups")?;
    let undo = |failed: Failed| {
        cgroups.iter().for_each(|group| drop(fs::remove_dir(group)));
        failed
    };
    let (record, sources) = mapped(&launch, &dir, makings).map_err(undo)?;
    let (go, mut release) = io::pipe().step("pipe").map_err(undo)?;
    let state = State {
        version: state::VERSION,
        name: launch.spec.name.clone(),
        pid: 0,
        start_time: 0,
        boot_id: launch.boot_id.clone(),
        uid_base: launch.uid_base,
        cgroups: cgroups.clone(),
        policy: launch.spec.egress.clone(),
        lifetime: launch.spec.lifetime,
    };
    let uid_base = launch.uid_base;
    makings.network.give(&launch.spec).map_err(undo)?;
    // SAFETY: the zygote has one thread, and `init::run` never returns.
    match unsafe { sys::clone_into(NAMESPACES, libc::SIGCHLD) }
        .step("namespaces")
        .map_err(undo)?
    {
        Fork::Child => {
            // Without these the init would keep its own release pipe alive, and what the zygote keeps for others.
            drop((release, dir, std::mem::take(&mut makings.ids)));
            let parts = Parts {
                record,
                sources,
                listener: listener.into(),
                handles,
                report,
                leash,
                go,
            };
            init::run(launch, parts, &makings.filter)
        }
        Fork::Parent(pid, pidfd) => {
            let start_time = register(pid, uid_base, State { pid, ..state }, &dir).map_err(undo)?;
            release.write_all(b"g").step("release").map_err(undo)?;
            Ok(Launched {
                pid,
                start_time,
                pidfd,
            })
        }
    }
}

/// The two things an init needs from outside before it goes on: its ids and its record.
fn register(pid: u32, uid_base: Option<u32>, state: State, dir: &OwnedFd) -> Result<u64, Failed> {
    map(pid, uid_base).step("user ids")?;
    // The kernel should look for memory here before it looks at the platform.
    let _ = fs::write(format!("/proc/{pid}/oom_score_adj"), "300");
    let start_time = state::start_time(pid).step("start time")?;
    state::write(dir.as_fd(), state::STATE, &State { start_time, ..state }).step("record")?;
    Ok(start_time)
}

/// Root: ids 0 to 65535 are a range of the host nobody uses. Else: one id, the platform's own, seen as 1000.
fn map(pid: u32, uid_base: Option<u32>) -> io::Result<()> {
    let row = match uid_base {
        Some(base) => format!("0 {base} {IDS}"),
        None => format!("{APP_ID} 0 1"),
    };
    fs::write(format!("/proc/{pid}/uid_map"), &row)?;
    fs::write(format!("/proc/{pid}/gid_map"), &row)
}

/// The sandbox's own directory for its init, and the spec's sources. As root all are id-mapped: what belongs to root
/// on disk belongs to the program inside, and what it writes belongs to root on disk. Without root ids agree
/// already, and the init takes the sources itself, in its own mount namespace.
fn mapped(
    launch: &Launch,
    dir: &OwnedFd,
    makings: &mut Makings,
) -> Result<(OwnedFd, Option<Vec<Source>>), Failed> {
    let Some(base) = launch.uid_base else {
        let own = dir.try_clone().step("directory")?;
        return Ok((own, None));
    };
    let namespace = makings.ids.of(base).step("id-mapped mounts")?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    let record = sys::clone_tree(&path, false).step("directory")?;
    sys::map_ids(record.as_fd(), &namespace).step("id-mapped mounts")?;
    let sources = init::take_sources(&launch.spec.mounts, Some(&namespace))?;
    Ok((record, Some(sources)))
}
