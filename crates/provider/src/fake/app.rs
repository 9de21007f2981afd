//! The application of one fake instance: a small HTTP server on loopback with a memory of its own.
//!
//! Every answer names the deployment, the instance and the number of requests so far, so that a test can tell which one
//! answered and whether it kept its memory. `GET /exit` ends it. It reads no bodies.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use sandbox::log::{Level, Line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Behaviour, FakeInstance, PORT};
use crate::{InstanceSpec, Phase};

/// Bytes of one request's head at the most.
const HEAD_BYTES_MAX: usize = 64 << 10;

pub(super) type Log = Arc<Mutex<Vec<Line>>>;

pub(super) struct App {
    spec: InstanceSpec,
    shared: Arc<Shared>,
    /// `None` when it does not listen.
    server: Option<(SocketAddr, JoinHandle<()>)>,
}

struct Shared {
    phase: watch::Sender<Phase>,
    requests: Mutex<u64>,
    log: Log,
    status: Option<u16>,
    name: String,
}

impl App {
    /// Starts it; needs a tokio runtime.
    pub(super) fn start(spec: &InstanceSpec, behaviour: Behaviour, log: Log) -> io::Result<Self> {
        let status = match behaviour {
            Behaviour::Serve { status } => Some(status),
            _ => None,
        };
        let shared = Arc::new(Shared {
            phase: watch::Sender::new(Phase::Running),
            requests: Mutex::new(0),
            log,
            status,
            name: format!("deployment={} instance={}", spec.deployment, spec.instance),
        });
        shared.say(&format!("started {}", spec.server.command));
        let mut app = Self {
            spec: spec.clone(),
            shared,
            server: None,
        };
        match behaviour {
            Behaviour::Serve { .. } | Behaviour::Silent => app.listen()?,
            Behaviour::NeverListen => {}
            Behaviour::Exit {
                line,
                summary,
                out_of_memory,
            } => {
                app.shared.say(&line);
                app.exit(&summary, out_of_memory);
            }
        }
        Ok(app)
    }

    fn listen(&mut self) -> io::Result<()> {
        let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let listener = TcpListener::from_std(socket)?;
        self.server = Some((address, tokio::spawn(accept(listener, self.shared.clone()))));
        Ok(())
    }

    /// Whether it runs or sleeps as `spec` asks, so that nothing is to be started. Variables take effect at a start.
    pub(super) fn keeps(&self, spec: &InstanceSpec) -> bool {
        let same = self.spec.deployment == spec.deployment && self.spec.server == spec.server;
        same && !matches!(self.phase(), Phase::Exited { .. })
    }

    pub(super) fn wake(&mut self) {
        self.shared.phase.send_replace(Phase::Running);
    }

    /// A process that has ended cannot sleep.
    pub(super) fn sleep(&mut self) {
        if self.phase() == Phase::Running {
            self.shared.phase.send_replace(Phase::Asleep);
        }
    }

    pub(super) fn exit(&mut self, summary: &str, out_of_memory: bool) {
        self.shared.phase.send_replace(Phase::Exited {
            summary: summary.to_owned(),
            out_of_memory,
        });
    }

    pub(super) fn phase(&self) -> Phase {
        self.shared.phase.borrow().clone()
    }

    /// The port it listens on; `None` when it does not.
    pub(super) fn port(&self, known: Option<u16>) -> Option<u16> {
        self.server
            .as_ref()
            .map(|_| known.or(self.spec.server.port).unwrap_or(PORT))
    }

    pub(super) fn address(&self, port: u16) -> io::Result<SocketAddr> {
        match (&self.server, self.phase()) {
            (Some((address, _)), Phase::Running | Phase::Asleep) if self.port(None) == Some(port) => {
                Ok(*address)
            }
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(super) fn describe(&self) -> FakeInstance {
        FakeInstance {
            instance: self.spec.instance.clone(),
            deployment: self.spec.deployment.clone(),
            phase: self.phase(),
            requests: *self.shared.requests(),
            variables: self.spec.variables.iter().cloned().collect(),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.server {
            task.abort();
        }
        self.shared.phase.send_replace(Phase::Absent);
    }
}

impl Shared {
    fn say(&self, text: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let line = Line {
            at_ms,
            level: Level::Out,
            text: text.to_owned(),
        };
        self.log
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(line);
    }

    fn requests(&self) -> MutexGuard<'_, u64> {
        self.requests
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn answer(&self, target: &str) -> Option<String> {
        let status = self.status?;
        let number = {
            let mut requests = self.requests();
            *requests += 1;
            *requests
        };
        self.say(&format!("request {number} {target}"));
        let body = format!("{} requests={number}\n", self.name);
        Some(format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let mut phase = shared.phase.subscribe();
            let ended = phase.wait_for(|phase| matches!(phase, Phase::Exited { .. } | Phase::Absent));
            tokio::select! {
                _ = ended => {}
                _ = converse(stream, &shared) => {}
            }
        });
    }
}

/// Answers one request after the other; sleeps where its instance does.
async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut phase = shared.phase.subscribe();
    let mut head = Vec::new();
    loop {
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let _ = phase.wait_for(|phase| *phase != Phase::Asleep).await;
        let line = String::from_utf8_lossy(&head[..end])
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        head.drain(..end + 4);
        let target = line.split(' ').nth(1).unwrap_or("/");
        let Some(answer) = shared.answer(target) else {
            return std::future::pending().await;
        };
        stream.write_all(answer.as_bytes()).await?;
        if target == "/exit" {
            let summary = "exited with code 3".to_owned();
            shared.phase.send_replace(Phase::Exited {
                summary,
                out_of_memory: false,
            });
        }
    }
}
