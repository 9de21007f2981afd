//! Takes a sandbox away: its init and with it all processes and mounts, its groups, its directory.
//!
//! Guards against killing a stranger (the recorded start time must agree with the process that is signalled) and
//! against half a removal that looks whole: the directory goes last.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cgroup;
use crate::ended::Ending;
use crate::error::RemoveError;
use crate::state::State;

/// An init that was killed ends when its last process has; a process that waits for a disk takes as long as that.
const END_WAIT: Duration = Duration::from_secs(10);

pub(crate) async fn remove(name: &str, dir: &Path, expected: Vec<PathBuf>) -> Result<(), RemoveError> {
    let state = State::read(dir).ok();
    let mut groups = state
        .as_ref()
        .map(|state| state.cgroups.clone())
        .unwrap_or_default();
    groups.extend(
        expected
            .into_iter()
            .filter(|group| !groups.contains(group))
            .collect::<Vec<_>>(),
    );
    if let Some(state) = &state {
        end(name, state, &groups).await?;
    }
    cgroup::remove(&groups)
        .await
        .map_err(|(path, error)| RemoveError::Cgroup { path, error })?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RemoveError::Directory {
            path: dir.to_owned(),
            error,
        }),
        _ => Ok(()),
    }
}

async fn end(name: &str, state: &State, groups: &[PathBuf]) -> Result<(), RemoveError> {
    let Some(init) = open(state) else { return Ok(()) };
    // Frozen processes do not die, and an init waits for all of its own.
    cgroup::thaw_all(groups);
    let _ = pidfd_send_signal(&init, Signal::KILL);
    let ended = async {
        match Ending::new(init) {
            Ok(init) => init.wait().await.is_ok(),
            Err(_) => false,
        }
    };
    match tokio::time::timeout(END_WAIT, ended).await {
        Ok(true) => Ok(()),
        _ if !state.is_alive() => Ok(()),
        _ => Err(RemoveError::Alive {
            name: name.to_owned(),
            pid: state.pid,
        }),
    }
}

/// A descriptor of the recorded process, if it is still that one: opened first, compared after, so that it cannot be
/// another one.
pub(crate) fn open(state: &State) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(state.pid).ok()?)?;
    let init = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    state.is_alive().then_some(init)
}
