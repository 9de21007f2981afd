//! Process 1 of a sandbox: isolates itself step by step, starts the command, and stays until it ends.
//!
//! Forked from the zygote and never executed anew: its memory belongs to the platform's user namespace, so nobody
//! inside can trace it or open its files under /proc/1. It outlives platform and zygote. The order of the steps is
//! the order of docs/security.md.

mod answer;
mod app;
mod bounds;
mod courtesy;
mod etc;
mod listeners;
mod mounts;
mod processes;
mod root;
mod source;
mod tap;
mod unlinked;
mod watch;

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::process::DumpableBehavior;
use rustix::thread::CapabilitiesSecureBits;

use crate::cgroup::Handles;
use crate::egress::Policy;
use crate::log::{Redactor, Writer};
use crate::seccomp::Filter;
use crate::spec::Spec;
use crate::sys;
use crate::zygote::{APP_ID, Failed, Launch, Report, Step as _};

pub(crate) use source::{Source, take_sources};

/// What an init is born with.
pub(crate) struct Parts {
    /// The sandbox's directory, with owners mapped: log and exit status go there.
    pub(crate) record: OwnedFd,
    /// None without root: the init takes them itself.
    pub(crate) sources: Option<Vec<Source>>,
    pub(crate) listener: UnixListener,
    pub(crate) handles: Handles,
    pub(crate) report: OwnedFd,
    pub(crate) leash: Option<OwnedFd>,
    pub(crate) go: PipeReader,
}

/// The listening sockets of the egress gateway.
pub(crate) struct Gate {
    pub(crate) tcp: TcpListener,
    pub(crate) dns: UdpSocket,
}

/// Runs the sandbox to its end. Never returns.
pub(crate) fn run(launch: Launch, mut parts: Parts, filter: &Filter) -> ! {
    if parts.go.read_exact(&mut [0]).is_err() {
        exit(1); // the zygote died before this sandbox was recorded
    }
    let mut report = File::from(parts.report);
    let inner = Inner {
        record: parts.record,
        sources: parts.sources,
        listener: parts.listener,
        handles: parts.handles,
        leash: parts.leash,
    };
    let started = match start(launch, inner, filter) {
        Ok(started) => started,
        Err(failure) => {
            let _ = serde_json::to_vec(&failure).map(|bytes| report.write_all(&bytes));
            exit(1);
        }
    };
    let _ = serde_json::to_vec(&Report::Ready).map(|bytes| report.write_all(&bytes));
    drop(report);
    // Many of us live side by side, each for days; what the start needed is many times what watching needs.
    sys::release_freed_memory();
    watch::watch(started);
    exit(0)
}

struct Inner {
    record: OwnedFd,
    sources: Option<Vec<Source>>,
    listener: UnixListener,
    handles: Handles,
    leash: Option<OwnedFd>,
}

fn start(launch: Launch, inner: Inner, filter: &Filter) -> Result<watch::Started, Report> {
    let gate = isolate(&launch, inner.sources, &inner.handles).map_err(Report::Failed)?;
    let log = open_log(&launch.spec, &inner.record).map_err(Report::Failed)?;
    let children = sys::watch_children().step("signals").map_err(Report::Failed)?;
    let app = app::start(&launch, &inner.handles, filter)?;
    Ok(watch::Started {
        app,
        children,
        log,
        gate,
        limits: launch.spec.limits,
        record: inner.record,
        listener: inner.listener,
        handles: inner.handles,
        leash: inner.leash,
    })
}

/// The steps of isolation that all processes inside share.
fn isolate(launch: &Launch, sources: Option<Vec<Source>>, handles: &Handles) -> Result<Option<Gate>, Failed> {
    detach_from_platform().step("session")?;
    become_inner_root(launch.uid_base.is_some()).step("ids")?;
    handles.enter_init().step("cgroups")?;
    rustix::system::sethostname(launch.spec.hostname.as_bytes()).step("hostname")?;
    let sources = match sources {
        Some(sources) => sources,
        None => take_sources(&launch.spec.mounts, None)?,
    };
    root::enter(launch)?;
    mounts::apply(&launch.spec.mounts, sources)?;
    root::seal(launch)?;
    bounds::set().step("bounds")?;
    gate(&launch.spec.egress)
}

/// No terminal, no shared output, no way to trace it or to read its memory or descriptors from inside.
fn detach_from_platform() -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::thread::set_name(c"cygni-init")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// As root: user 0 of the sandbox's own range, but files are made as the program's user, since only that one exists
/// on disk. Without root the only id there is is the program's, and capabilities alone tell init from program.
fn become_inner_root(mapped: bool) -> io::Result<()> {
    if !mapped {
        return Ok(());
    }
    rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    sys::become_user(0, 0)?;
    sys::set_file_ids(APP_ID, APP_ID)?;
    // Changed ids make a process traceable again as far as its own rules go.
    Ok(rustix::process::set_dumpable_behavior(
        DumpableBehavior::NotDumpable,
    )?)
}

/// The sockets to which all connections and name queries inside are redirected; with the policy `none` nobody listens
/// there.
fn gate(policy: &Policy) -> Result<Option<Gate>, Failed> {
    if *policy == Policy::None {
        return Ok(None);
    }
    // Both families at once; a kernel without IPv6 has only the other one.
    let any = |port| {
        [
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ]
    };
    let tcp = TcpListener::bind(&any(sys::nft::TCP_PORT)[..]).step("egress sockets")?;
    let dns = UdpSocket::bind(&any(sys::nft::DNS_PORT)[..]).step("egress sockets")?;
    Ok(Some(Gate { tcp, dns }))
}

fn open_log(spec: &Spec, record: &OwnedFd) -> Result<Writer, Failed> {
    let redactor = Redactor::new(&spec.log.redact);
    let dir = record.as_fd().try_clone_to_owned().step("log")?;
    Writer::open_at(dir, crate::LOG_PREFIX, spec.log.bytes_max, redactor).step("log")
}

/// Ends this process without running anything of the zygote's.
fn exit(code: i32) -> ! {
    // SAFETY: no destructor is owed; the kernel takes everything back.
    unsafe { libc::_exit(code) }
}
