//! One attempt to start one sandbox: asks the zygote, then waits for the init's own word.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::unix::pipe;

use crate::cgroup::Tree;
use crate::error::SpawnError;
use crate::running::{Sandbox, Seed};
use crate::spec::{Lifetime, Spec};
use crate::state::{self, State};
use crate::zygote::{Answer, Client, Failed, Launch, Report, Request};

/// Mounts of slow disks included.
const READY_WAIT: Duration = Duration::from_secs(30);
const REPORT_BYTES_MAX: u64 = 64 << 10;

/// What the host has decided about the sandbox to be.
pub(crate) struct Prepared {
    pub(crate) dir: PathBuf,
    pub(crate) uid_base: Option<u32>,
    pub(crate) tree: Tree,
    pub(crate) cgroup: String,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) boot_id: String,
}

pub(crate) async fn start(zygote: &Client, spec: Spec, prepared: Prepared) -> Result<Sandbox, SpawnError> {
    let unusable = |error| SpawnError::Directory {
        path: prepared.dir.clone(),
        error,
    };
    let dir = File::open(&prepared.dir).map_err(unusable)?;
    let listener = listen(&dir).map_err(unusable)?;
    let (report, report_write) = io::pipe().map_err(unusable)?;
    let (leash, leash_write) = leash(spec.lifetime).map_err(unusable)?;
    let command = spec.argv[0].clone();
    let launch = Launch {
        spec,
        uid_base: prepared.uid_base,
        tree: prepared.tree,
        cgroup: prepared.cgroup,
        ca_bundle: prepared.ca_bundle,
        boot_id: prepared.boot_id,
    };
    let mut fds = vec![dir.as_fd(), listener.as_fd(), report_write.as_fd()];
    fds.extend(leash.as_ref().map(|leash| leash.as_fd()));
    let answer = zygote
        .ask(&Request::Launch(Box::new(launch)), &fds)
        .await
        .map_err(SpawnError::Zygote)?;
    drop((listener, report_write, leash));
    let pidfd = match answer {
        (Answer::Launched { .. }, Some(pidfd)) => pidfd,
        (Answer::Failed(failed), _) => return Err(step(failed)),
        (other, _) => {
            return Err(SpawnError::Zygote(io::Error::other(format!(
                "answered {other:?}"
            ))));
        }
    };
    ready(report.into(), command).await?;
    let state = State::read(&prepared.dir).map_err(|error| SpawnError::Directory {
        path: prepared.dir.clone(),
        error,
    })?;
    let seed = Seed {
        directory: prepared.dir,
        pid: state.pid,
        name: state.name,
        cgroups: state.cgroups,
    };
    Sandbox::new(seed, pidfd, leash_write).map_err(SpawnError::Silent)
}

/// A pipe nobody writes to: its end at the reader says that the writer is gone.
fn leash(lifetime: Lifetime) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    if lifetime == Lifetime::Detached {
        return Ok((None, None));
    }
    let (read, write) = io::pipe()?;
    Ok((Some(read.into()), Some(write.into())))
}

async fn ready(report: OwnedFd, command: String) -> Result<(), SpawnError> {
    use tokio::io::AsyncReadExt as _;
    let mut text = Vec::new();
    let read = async {
        let report = pipe::Receiver::from_owned_fd(report)?;
        report.take(REPORT_BYTES_MAX).read_to_end(&mut text).await
    };
    match tokio::time::timeout(READY_WAIT, read).await {
        Err(elapsed) => return Err(SpawnError::Silent(elapsed.into())),
        Ok(Err(error)) => return Err(SpawnError::Silent(error)),
        Ok(Ok(_)) => {}
    }
    match serde_json::from_slice(&text) {
        Ok(Report::Ready) => Ok(()),
        Ok(Report::Failed(failed)) => Err(step(failed)),
        Ok(Report::Command { error }) => Err(SpawnError::Command { command, error }),
        Err(_) => Err(SpawnError::Silent(io::Error::other(
            "its init ended before it was ready",
        ))),
    }
}

fn step(Failed { step, error }: Failed) -> SpawnError {
    SpawnError::Step { step, error }
}

/// The init's control socket, made here because sockets are listed in the network of whoever makes them, and the zygote
/// stands in the sandbox's. Bound by way of the descriptor, since a socket's path is limited to 107 bytes and a data directory's is not.
fn listen(dir: &File) -> io::Result<UnixListener> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(state::SOCKET);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
