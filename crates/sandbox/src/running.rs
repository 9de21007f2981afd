//! A handle to one running sandbox.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream as StdTcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::net::{TcpSocket, TcpStream};

use crate::cgroup;
use crate::control::{Answer, Listener, Request, Status, Usage};
use crate::egress::{Contact, Gateway, Policy, Rules, Traffic};
use crate::ended::Ending;
use crate::error::ControlError;
use crate::exit::Exit;
use crate::line::Line;
use crate::removal;
use crate::state::{self, State, VERSION};

/// After this an init that was asked to end is killed.
const KILL_WAIT: Duration = Duration::from_secs(3);

/// A request is bounded, and a note is one line.
const NOTE_CHARACTERS_MAX: usize = 500;

/// Between the last answer of an init and its end.
const END_WAIT: Duration = Duration::from_millis(500);

/// One sandbox. Cheap to clone; the last handle of a leashed one ends it when dropped.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

/// Where a sandbox is and what belongs to it.
pub(crate) struct Seed {
    pub(crate) directory: PathBuf,
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) cgroups: Vec<PathBuf>,
}

struct Inner {
    seed: Seed,
    /// Readable when the init has ended.
    init: Ending,
    line: Line,
    gateway: Mutex<Option<Gateway>>,
    /// Held, never written to: the init sees it close.
    _leash: Option<OwnedFd>,
}

impl Sandbox {
    pub(crate) fn new(seed: Seed, init: OwnedFd, leash: Option<OwnedFd>) -> io::Result<Sandbox> {
        let line = Line::new(&seed.directory);
        let inner = Inner {
            seed,
            init: Ending::new(init)?,
            line,
            gateway: Mutex::new(None),
            _leash: leash,
        };
        Ok(Sandbox {
            inner: Arc::new(inner),
        })
    }

    /// Takes over a sandbox that an earlier platform started.
    pub(crate) async fn adopt(directory: &Path, state: State) -> io::Result<Sandbox> {
        let init = removal::open(&state).ok_or_else(|| io::Error::other("its init has ended"))?;
        let State {
            pid, name, cgroups, ..
        } = state;
        let sandbox = Sandbox::new(
            Seed {
                directory: directory.to_owned(),
                pid,
                name,
                cgroups,
            },
            init,
            None,
        )?;
        match sandbox.ask(&Request::Hello).await.map_err(io::Error::other)? {
            Answer::Hello { version: VERSION } => Ok(sandbox),
            other => Err(io::Error::other(format!("it answered {other:?}"))),
        }
    }

    /// Serves the sandbox's connections to the outside from here on.
    pub(crate) async fn open_gateway(&self, rules: Rules) -> io::Result<()> {
        if rules.policy == Policy::None {
            return Ok(());
        }
        let (_, fds) = match self.inner.line.ask(&Request::Egress).await {
            // A command may be done before its network is served.
            Err(_) if self.ends_now().await => return Ok(()),
            other => other?,
        };
        let Ok([tcp, dns]) = <[OwnedFd; 2]>::try_from(fds) else {
            return Err(io::Error::other("its init gave no egress sockets"));
        };
        let span = tracing::info_span!("egress", sandbox = self.name());
        let gateway = span.in_scope(|| Gateway::open(TcpListener::from(tcp), UdpSocket::from(dns), rules))?;
        *self.gateway() = Some(gateway);
        Ok(())
    }

    pub fn name(&self) -> &str {
        &self.inner.seed.name
    }

    /// Process id of its init, as the host sees it.
    pub fn pid(&self) -> u32 {
        self.inner.seed.pid
    }

    pub fn directory(&self) -> &Path {
        &self.inner.seed.directory
    }

    /// Directory and prefix for [`crate::log::read`].
    pub fn log_path(&self) -> (&Path, &'static str) {
        (self.directory(), crate::LOG_PREFIX)
    }

    /// Waits for the end, as long as it takes.
    pub async fn wait(&self) -> Exit {
        if let Err(error) = self.inner.init.wait().await {
            tracing::error!(sandbox = self.name(), %error, "cannot wait for a sandbox");
        }
        state::read_exit(self.directory()).unwrap_or_else(Exit::lost)
    }

    /// True when its init has ended.
    pub fn has_ended(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut polled = [PollFd::new(&self.inner.init, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut polled, Some(&now)), Ok(1))
    }

    pub async fn status(&self) -> Result<Status, ControlError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a signal to the main process and its process group.
    pub async fn signal(&self, signal: i32) -> Result<(), ControlError> {
        self.done(&Request::Signal { signal }).await
    }

    /// Writes a line into its log, as said by the platform.
    pub async fn note(&self, text: &str) -> Result<(), ControlError> {
        let text = text.chars().take(NOTE_CHARACTERS_MAX).collect();
        self.done(&Request::Note { text }).await
    }

    /// Kills the whole tree and waits for its end; the exit is [`crate::Ended::Killed`]. Already ended is fine. An
    /// init that does not answer is killed too; the exit is [`crate::Ended::Lost`] then.
    pub async fn kill(&self) -> Result<(), ControlError> {
        let polite = async {
            let _ = self.ask(&Request::Kill).await;
            let _ = self.inner.init.wait().await;
        };
        if tokio::time::timeout(KILL_WAIT, polite).await.is_err() {
            cgroup::thaw_all(&self.inner.seed.cgroups);
            let _ = pidfd_send_signal(&self.inner.init, Signal::KILL);
            let ended = tokio::time::timeout(KILL_WAIT, self.inner.init.wait()).await;
            ended
                .map_err(|elapsed| ControlError::Silent(elapsed.into()))?
                .map_err(ControlError::Silent)?;
        }
        Ok(())
    }

    /// Stops all processes without ending them. Repeatable.
    pub async fn freeze(&self) -> Result<(), ControlError> {
        self.done(&Request::Freeze).await
    }

    pub async fn thaw(&self) -> Result<(), ControlError> {
        self.done(&Request::Thaw).await
    }

    /// Connects to a port inside: 127.0.0.1, then ::1, then another loopback address somebody listens on.
    pub async fn dial(&self, port: u16) -> io::Result<TcpStream> {
        let refused = match self.dial_address(Ipv4Addr::LOCALHOST.into(), port).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
            other => return other,
        };
        match self.dial_address(Ipv6Addr::LOCALHOST.into(), port).await {
            Err(_) => {}
            connected => return connected,
        }
        let listeners = self.listeners().await.unwrap_or_default();
        let other = listeners
            .into_iter()
            .find(|known| known.port == port && known.address.is_loopback());
        match other {
            Some(listener) => self.dial_address(listener.address, port).await,
            None => Err(refused),
        }
    }

    async fn dial_address(&self, address: IpAddr, port: u16) -> io::Result<TcpStream> {
        let (_, fds) = self
            .inner
            .line
            .ask(&Request::Socket {
                v6: address.is_ipv6(),
            })
            .await?;
        let socket = fds
            .into_iter()
            .next()
            .ok_or_else(|| io::Error::other("the init sent no socket"))?;
        TcpSocket::from_std_stream(StdTcpStream::from(socket))
            .connect(SocketAddr::from((address, port)))
            .await
    }

    /// The TCP sockets that listen inside, without our own.
    pub async fn listeners(&self) -> Result<Vec<Listener>, ControlError> {
        match self.ask(&Request::Listeners).await? {
            Answer::Listeners { listeners } => Ok(listeners),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn usage(&self) -> Result<Usage, ControlError> {
        match self.ask(&Request::Usage).await? {
            Answer::Usage(usage) => Ok(usage),
            other => Err(unexpected(&other)),
        }
    }

    /// What it reached or tried to reach outside; empty without a network.
    pub fn contacts(&self) -> Vec<Contact> {
        self.gateway().as_ref().map(Gateway::contacts).unwrap_or_default()
    }

    /// Bytes through the egress gateway since this platform started or adopted it; none without a network.
    pub fn traffic(&self) -> Option<Traffic> {
        self.gateway().as_ref().map(Gateway::traffic)
    }

    fn gateway(&self) -> std::sync::MutexGuard<'_, Option<Gateway>> {
        self.inner.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a failed exchange means that the init is ending: its socket closes a moment before the process ends.
    async fn ends_now(&self) -> bool {
        tokio::time::timeout(END_WAIT, self.inner.init.wait())
            .await
            .is_ok()
    }

    async fn done(&self, request: &Request) -> Result<(), ControlError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ControlError> {
        match self.inner.line.ask(request).await {
            Ok((Answer::Refused { reason }, _)) => Err(ControlError::Refused(reason)),
            Ok((answer, _)) => Ok(answer),
            Err(_) if self.ends_now().await => Err(ControlError::Ended),
            Err(error) => Err(ControlError::Silent(error)),
        }
    }
}

fn unexpected(answer: &Answer) -> ControlError {
    ControlError::Silent(io::Error::other(format!("it answered {answer:?}")))
}
