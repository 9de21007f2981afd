//! The init's side of the control protocol: small requests, answered at once, one connection at a time.
//!
//! Guards against the program inside: it cannot see the socket, and a peer that the kernel places in this pid
//! namespace is refused all the same. A peer that sends nonsense, too much or half a request loses its connection.

use std::cmp::Ordering;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::watch::{Watch, children_cpu_ms};
use super::{listeners, processes, unlinked};
use crate::control::{Answer, REQUEST_BYTES_MAX, Request, Status, Usage};
use crate::exit::Ended;
use crate::state::VERSION;
use crate::sys;
use crate::wire;

/// The platform keeps one or two.
pub(super) const CONNECTIONS_MAX: usize = 16;
/// A version 1 freezer may need several rounds; more than this is not waited for.
const FREEZE_WAIT: Duration = Duration::from_millis(200);

pub(super) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Connection {
    /// None when nobody is there after all, or somebody who must not be.
    pub(super) fn accept(listener: &UnixListener) -> Option<Connection> {
        let (stream, _) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        // Seen from here, a process outside of this pid namespace has no id; and of all users outside only the
        // platform's can open the socket.
        let outside = sys::peer_pid(stream.as_fd()).is_ok_and(|pid| pid == 0);
        outside.then(|| Connection {
            stream,
            received: Vec::new(),
        })
    }

    /// Reads what has come and answers what is complete; false: the connection is over.
    pub(super) fn serve(&mut self, watch: &mut Watch) -> bool {
        let mut chunk = [0; REQUEST_BYTES_MAX];
        match rustix::io::read(&self.stream, &mut chunk) {
            Ok(0) => return false,
            Ok(count) => self.received.extend_from_slice(&chunk[..count]),
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => return false,
        }
        let Some(header) = self.received.first_chunk::<4>() else {
            return true;
        };
        let Ok(length) = wire::announced(*header, REQUEST_BYTES_MAX) else {
            return false;
        };
        match self.received.len().cmp(&(4 + length)) {
            Ordering::Less => return true,
            Ordering::Equal => {}
            // Whoever does not wait for an answer would have everybody else wait for many.
            Ordering::Greater => return false,
        }
        let Ok(request) = serde_json::from_slice(&self.received[4..]) else {
            return false;
        };
        self.received.clear();
        let (answer, fds) = answer(watch, &request);
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        // An answer fits the socket's buffer; a peer that does not read is not waited for.
        let sent = wire::encode(&answer)
            .and_then(|bytes| Ok(wire::send_some(self.as_fd(), &bytes, &fds)? == bytes.len()));
        sent.unwrap_or(false)
    }
}

fn answer(watch: &mut Watch, request: &Request) -> (Answer, Vec<OwnedFd>) {
    let refused = |reason: String| (Answer::Refused { reason }, Vec::new());
    let answer = match request {
        Request::Hello => Answer::Hello { version: VERSION },
        Request::Status => Answer::Status(Status {
            frozen: watch.frozen,
            started_at_ms: watch.started_at_ms,
        }),
        Request::Signal { signal } => match sys::signal_group(watch.main, *signal) {
            Ok(()) => Answer::Done,
            Err(error) => return refused(format!("signal {signal}: {error}")),
        },
        Request::Freeze => {
            freeze(watch);
            Answer::Done
        }
        Request::Thaw => {
            watch.set_frozen(false);
            Answer::Done
        }
        Request::Listeners => Answer::Listeners {
            listeners: listeners::list(),
        },
        Request::Usage => Answer::Usage(usage(watch)),
        Request::Note { text } => {
            watch.note(text);
            Answer::Done
        }
        Request::Kill => {
            watch.reason = Some(Ended::Killed);
            Answer::Done
        }
        Request::Socket { v6 } => match fresh_socket(*v6) {
            Ok(socket) => return (Answer::Done, vec![socket]),
            Err(error) => return refused(format!("socket: {error}")),
        },
        Request::Egress => match &watch.gate {
            None => return refused("there is no network".to_owned()),
            Some(gate) => {
                let copies = [gate.tcp.as_fd(), gate.dns.as_fd()].map(|fd| fd.try_clone_to_owned());
                match copies.into_iter().collect::<Result<_, _>>() {
                    Ok(fds) => return (Answer::Done, fds),
                    Err(error) => return refused(format!("egress sockets: {error}")),
                }
            }
        },
    };
    (answer, Vec::new())
}

/// Returns when all are frozen, or when waiting longer would keep everybody else waiting.
fn freeze(watch: &mut Watch) {
    watch.set_frozen(true);
    let deadline = Instant::now() + FREEZE_WAIT;
    let still = |watch: &Watch| match watch.handles.freezes() {
        true => watch.handles.is_frozen(),
        false => processes::all_stopped(),
    };
    while !still(watch) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn fresh_socket(v6: bool) -> rustix::io::Result<OwnedFd> {
    let family = if v6 {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
}

fn usage(watch: &Watch) -> Usage {
    let reading = watch.handles.read();
    let mut usage = Usage {
        cpu_ms: reading.cpu_ms.unwrap_or_else(children_cpu_ms),
        memory_bytes: reading.memory_bytes.unwrap_or(0),
        memory_peak_bytes: reading.memory_peak_bytes.unwrap_or(watch.memory_peak_bytes),
        pids: reading
            .pids
            .and_then(|pids| u32::try_from(pids).ok())
            .unwrap_or(0),
        unlinked_bytes: unlinked::bytes(),
    };
    if reading.memory_bytes.is_none() || reading.pids.is_none() {
        let sum = processes::sum();
        usage.memory_bytes = reading.memory_bytes.unwrap_or(sum.memory_bytes);
        usage.pids = if reading.pids.is_some() {
            usage.pids
        } else {
            sum.threads
        };
    }
    usage
}
