//! The zygote: a small process with one thread that makes sandboxes, because a process with threads must not fork.
//!
//! It is the platform's own program started again, talks over its standard input, and ends when that does. What it keeps
//! between two requests only saves time, so a new one can take its place at any time. See
//! docs/decisions/0001-zygote-and-init.md.

mod client;
mod idmap;
mod launch;
mod network;
mod probe;

use std::io::ErrorKind;
use std::os::fd::AsFd as _;

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::cgroup::Tree;
use crate::seccomp::Filter;
use crate::spec::{SPEC_BYTES_MAX, Spec};
use crate::wire;

pub(crate) use client::Client;
pub(crate) use launch::{APP_ID, IDS};
pub(crate) use probe::OPEN_FILES_WANTED;

/// How a zygote knows what it is.
pub(crate) const ARGV0: &str = "cygni-zygote";
/// A spec and what the platform adds to it.
pub(crate) const REQUEST_BYTES_MAX: usize = SPEC_BYTES_MAX + (64 << 10);
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    Probe,
    /// Comes with the sandbox's directory, its control socket, the write end of the report pipe and, when leashed, the leash.
    Launch(Box<Launch>),
}

/// Everything that is needed to make one sandbox.
#[derive(Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) spec: Spec,
    /// First of its user ids on the host; none without root.
    pub(crate) uid_base: Option<u32>,
    pub(crate) tree: Tree,
    pub(crate) cgroup: String,
    pub(crate) ca_bundle: Option<std::path::PathBuf>,
    pub(crate) boot_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Probed(Vec<Capability>),
    Launched { pid: u32, start_time: u64 },
    Failed(Failed),
}

/// The step that failed, named as in docs/security.md, and the kernel's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) step: String,
    pub(crate) error: String,
}

/// What an init says on its report pipe, once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Ready,
    Failed(Failed),
    /// The command could not be executed.
    Command {
        error: String,
    },
}

/// What is made before a sandbox is asked for, or used for many because none can change it.
struct Makings {
    filter: Filter,
    ids: idmap::IdNamespaces,
    network: network::Network,
}

/// Names the step in an error.
pub(crate) trait Step<T> {
    fn step(self, step: &str) -> Result<T, Failed>;
}

impl<T, E: std::fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, Failed> {
        self.map_err(|error| Failed {
            step: step.to_owned(),
            error: error.to_string(),
        })
    }
}

/// Must be the first statement of `main`: returns at once unless this process was started as a zygote.
pub fn run_if_zygote() {
    if std::env::args_os().next().is_none_or(|name| name != ARGV0) {
        return;
    }
    let code = match serve() {
        Ok(()) => 0,
        // The platform was killed while it was being answered: an end like any other.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => 0,
        Err(error) => {
            eprintln!("zygote: {error}");
            1
        }
    };
    std::process::exit(code);
}

fn serve() -> std::io::Result<()> {
    // Whatever the platform's own parent left open would otherwise live as long as the longest sandbox.
    crate::sys::close_from(3)?;
    crate::sys::ignore_children();
    let socket = std::io::stdin();
    let mut makings = Makings {
        filter: Filter::compile().map_err(std::io::Error::other)?,
        ids: idmap::IdNamespaces::default(),
        network: network::Network::default(),
    };
    while let Some(frame) = wire::receive(socket.as_fd(), REQUEST_BYTES_MAX)? {
        let (answer, pidfd) = match serde_json::from_slice(&frame.body)? {
            Request::Probe => (Answer::Probed(probe::probe()), None),
            Request::Launch(launch) => match launch::launch(*launch, frame.fds, &mut makings) {
                Ok(launched) => (
                    Answer::Launched {
                        pid: launched.pid,
                        start_time: launched.start_time,
                    },
                    Some(launched.pidfd),
                ),
                Err(failed) => (Answer::Failed(failed), None),
            },
        };
        let fds: Vec<_> = pidfd.iter().map(|fd| fd.as_fd()).collect();
        wire::send(socket.as_fd(), &wire::encode(&answer)?, &fds)?;
        makings.network.prepare();
    }
    Ok(())
}
