//! The life of an init after its command started: one loop over everything that can happen.
//!
//! Guards against: zombies, lost output, a platform that is gone, deadlines, and (where no group does it) too much
//! memory. Everything it holds is bounded: two pipes, a few connections, one line of output each.

use std::io::{PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use super::answer::{CONNECTIONS_MAX, Connection};
use super::app::App;
use super::courtesy::Courtesy;
use super::tap::{self, Tap};
use super::{Gate, processes};
use crate::cgroup::Handles;
use crate::exit::{Ended, Exit};
use crate::log::{Level, Writer, now_ms};
use crate::spec::Limits;
use crate::state;
use crate::sys;

/// How often memory is looked at where no group counts it.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How long output is still read after everybody who could write has been killed.
const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// A quarter of what a pipe holds: it stays in memory once it was used, in every init.
const CHUNK_BYTES: usize = 16 << 10;
/// Status of a child that SIGKILL ended, or of a shell that tells of one.
const KILLED_CODE: i32 = 128 + libc::SIGKILL;

/// Everything that a running sandbox consists of.
pub(super) struct Started {
    pub(super) app: App,
    pub(super) children: OwnedFd,
    pub(super) log: Writer,
    pub(super) gate: Option<Gate>,
    pub(super) limits: Limits,
    pub(super) record: OwnedFd,
    pub(super) listener: UnixListener,
    pub(super) handles: Handles,
    pub(super) leash: Option<OwnedFd>,
}

pub(super) struct Watch {
    pub(super) main: u32,
    pub(super) gate: Option<Gate>,
    pub(super) handles: Handles,
    pub(super) started_at_ms: u64,
    pub(super) frozen: bool,
    /// Why everything is to end; the main process's own end otherwise says it.
    pub(super) reason: Option<Ended>,
    pub(super) memory_peak_bytes: u64,
    out: Option<PipeReader>,
    err: Option<PipeReader>,
    log: Writer,
    tap: Tap,
    courtesy: Courtesy,
    status: Option<WaitStatus>,
    memory_bytes_max: u64,
}

/// Runs until the command has ended, whatever ends it, and writes down how.
pub(super) fn watch(started: Started) {
    let deadline = started
        .limits
        .wall_seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    let Started {
        app,
        children,
        log,
        gate,
        limits,
        record,
        listener,
        handles,
        leash,
    } = started;
    let mut watch = Watch {
        main: app.pid,
        gate,
        handles,
        started_at_ms: now_ms(),
        frozen: false,
        reason: None,
        memory_peak_bytes: 0,
        out: Some(app.out),
        err: Some(app.err),
        log,
        tap: Tap::new(Instant::now()),
        courtesy: Courtesy::new(Instant::now()),
        status: None,
        memory_bytes_max: limits.memory_bytes,
    };
    let sources = Sources {
        children,
        listener,
        leash,
    };
    let mut connections = Vec::new();
    while watch.status.is_none() && watch.reason.is_none() {
        watch.turn(&sources, &mut connections, deadline);
    }
    let exit = watch.finish();
    // The platform waits for the end of this process, so the record must be there before it.
    if let Err(error) = state::write(record.as_fd(), state::EXIT, &exit) {
        let _ = watch.log.line(
            Level::Error,
            &format!("the exit status could not be recorded: {error}"),
        );
    }
}

struct Sources {
    children: OwnedFd,
    listener: UnixListener,
    leash: Option<OwnedFd>,
}

impl Watch {
    /// Waits for the next thing and handles it.
    fn turn(&mut self, sources: &Sources, connections: &mut Vec<Connection>, deadline: Option<Instant>) {
        let closed = self.tap.closed_for(Instant::now());
        if closed.is_some() && self.tap.tell(Instant::now()) {
            let rate = tap::BYTES_PER_SECOND >> 20;
            let text = format!("Output is slowed down to {rate} MiB per second; print less");
            self.note(&text);
        }
        let now = Instant::now();
        // A frozen program uses nothing.
        let courtesy = (!self.frozen)
            .then(|| self.courtesy.next(&self.handles))
            .flatten();
        let until = [deadline, closed.map(|wait| now + wait), courtesy];
        let ready = self.wait(sources, connections, until.into_iter().flatten().min());
        if ready.out {
            self.read_output(Level::Out);
        }
        if ready.err {
            self.read_output(Level::Err);
        }
        if ready.children {
            self.reap(&sources.children);
        }
        if ready.leash {
            self.reason = Some(Ended::LeashLost);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.reason = Some(Ended::TimedOut);
        }
        if !self.handles.counts_memory() {
            self.look_at_memory();
        }
        if let Some(text) = self.courtesy.look(&self.handles, Instant::now()) {
            self.note(text);
        }
        let mut index = 0;
        connections.retain_mut(|connection| {
            let ready = ready.connections.get(index).copied().unwrap_or(false);
            index += 1;
            !ready || connection.serve(self)
        });
        if ready.listener {
            connections.extend(Connection::accept(&sources.listener));
            // The one that came first makes room: whoever left connections open must not lock the platform out.
            if connections.len() > CONNECTIONS_MAX {
                connections.remove(0);
            }
        }
    }

    fn wait(&self, sources: &Sources, connections: &[Connection], deadline: Option<Instant>) -> Ready {
        let input = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut polled = vec![input(sources.children.as_fd()), input(sources.listener.as_fd())];
        // A closed pipe would be ready for ever: only what is open is asked about.
        let optional = [
            self.out
                .as_ref()
                .filter(|_| self.tap.is_open())
                .map(|pipe| pipe.as_fd()),
            self.err
                .as_ref()
                .filter(|_| self.tap.is_open())
                .map(|pipe| pipe.as_fd()),
            sources.leash.as_ref().map(|pipe| pipe.as_fd()),
        ];
        polled.extend(optional.iter().flatten().map(|&fd| input(fd)));
        polled.extend(connections.iter().map(|connection| input(connection.as_fd())));
        let timeout = self
            .timeout(deadline)
            .and_then(|wait| Timespec::try_from(wait).ok());
        if poll(&mut polled, timeout.as_ref()).is_err() {
            return Ready::default(); // interrupted
        }
        let mut events = polled.iter().map(|polled| !polled.revents().is_empty());
        let (children, listener) = (events.next() == Some(true), events.next() == Some(true));
        let mut next = |present: bool| present && events.next() == Some(true);
        let (out, err, leash) = (
            next(optional[0].is_some()),
            next(optional[1].is_some()),
            next(optional[2].is_some()),
        );
        Ready {
            children,
            listener,
            out,
            err,
            leash,
            connections: events.collect(),
        }
    }

    fn timeout(&self, deadline: Option<Instant>) -> Option<Duration> {
        let until = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let look = (!self.handles.counts_memory()).then_some(LOOK_INTERVAL);
        [until, look].into_iter().flatten().min()
    }

    fn read_output(&mut self, level: Level) -> bool {
        let pipe = if level == Level::Out {
            &mut self.out
        } else {
            &mut self.err
        };
        let Some(open) = pipe else { return false };
        let mut chunk = vec![0; CHUNK_BYTES];
        match open.read(&mut chunk) {
            Ok(0) | Err(_) => {
                *pipe = None;
                false
            }
            Ok(count) => {
                // A full disk must not end the program; what is lost is its output.
                self.tap.take(&chunk[..count]);
                let _ = self.log.chunk(level, &chunk[..count]);
                true
            }
        }
    }

    /// Takes every child that has ended; remembers the main one.
    fn reap(&mut self, children: &OwnedFd) {
        // The descriptor only says that there is something; it is emptied so that it can say so again.
        let _ = rustix::io::read(children, &mut [0; 1024]);
        while let Some(status) = self.reap_one() {
            self.status = self.status.or(status);
        }
    }

    /// None: nobody left to reap now. The inner status is the main process's.
    fn reap_one(&self) -> Option<Option<WaitStatus>> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => return Some((Some(pid) == self.main_pid()).then_some(status)),
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn main_pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.main).ok()?)
    }

    fn look_at_memory(&mut self) {
        let used = processes::sum().memory_bytes;
        self.memory_peak_bytes = self.memory_peak_bytes.max(used);
        if used > self.memory_bytes_max {
            self.reason = Some(Ended::OutOfMemory);
        }
    }

    /// Ends everybody, reads what they still said, and tells how it all ended.
    fn finish(&mut self) -> Exit {
        self.set_frozen(false);
        let _ = sys::kill_all(libc::SIGKILL);
        let deadline = Instant::now() + DRAIN_WAIT;
        // All writers are dead or dying, so both pipes come to their end.
        while Instant::now() < deadline && (self.out.is_some() || self.err.is_some()) {
            self.drain(deadline);
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
            if Some(pid) == self.main_pid() {
                self.status = self.status.or(Some(status));
            }
        }
        let _ = self.log.finish();
        let reading = self.handles.read();
        let how = self
            .reason
            .unwrap_or_else(|| ended(self.status, reading.oom_kills.unwrap_or(0)));
        if how == Ended::OutOfMemory {
            let limit = self.memory_bytes_max >> 20;
            self.note(&format!(
                "It used more memory than its limit of {limit} MiB, and was ended"
            ));
        }
        Exit {
            how,
            at_ms: now_ms(),
            cpu_ms: reading.cpu_ms.unwrap_or_else(children_cpu_ms),
            memory_peak_bytes: reading.memory_peak_bytes.unwrap_or(self.memory_peak_bytes),
        }
    }

    fn drain(&mut self, deadline: Instant) {
        let open: Vec<(Level, PollFd<'_>)> = [(Level::Out, &self.out), (Level::Err, &self.err)]
            .into_iter()
            .filter_map(|(level, pipe)| Some((level, PollFd::new(pipe.as_ref()?, PollFlags::IN))))
            .collect();
        let (levels, mut polled): (Vec<Level>, Vec<PollFd<'_>>) = open.into_iter().unzip();
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        let _ = poll(&mut polled, timeout.as_ref());
        let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        for (level, ready) in levels.into_iter().zip(ready) {
            if ready {
                self.read_output(level);
            }
        }
    }

    /// A line of the platform's own; that it is not written must not end anything.
    pub(super) fn note(&mut self, text: &str) {
        let _ = self.log.line(Level::Warn, text);
    }

    /// Stops or continues all processes of the command.
    pub(super) fn set_frozen(&mut self, frozen: bool) {
        if !matches!(self.handles.set_frozen(frozen), Ok(true)) {
            let _ = sys::kill_all(if frozen { libc::SIGSTOP } else { libc::SIGCONT });
        }
        self.frozen = frozen;
    }
}

#[derive(Default)]
struct Ready {
    children: bool,
    listener: bool,
    out: bool,
    err: bool,
    leash: bool,
    connections: Vec<bool>,
}

/// The main process's end, told apart from the kernel's killing for lack of memory.
fn ended(status: Option<WaitStatus>, oom_kills: u64) -> Ended {
    let Some(status) = status else { return Ended::Lost };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ended::Exited { code: 0 },
        (_, Some(libc::SIGKILL)) | (Some(_), _) if oom_kills > 0 => Ended::OutOfMemory,
        (Some(code), _) => Ended::Exited { code },
        (None, Some(signal)) => Ended::Signalled { signal },
        (None, None) => Ended::Exited { code: KILLED_CODE },
    }
}

/// CPU time of everybody who was reaped, where no group counts it.
pub(super) fn children_cpu_ms() -> u64 {
    // SAFETY: writes the struct that is passed.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let ms = |time: libc::timeval| time.tv_sec.unsigned_abs() * 1000 + time.tv_usec.unsigned_abs() / 1000;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}
