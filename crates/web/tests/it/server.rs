//! The service over a real control, on a real socket, with an edge that answers "ready" to everything.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use builder::fake::FakeRunner;
use builder::{Builder, BuilderOptions};
use control::links::{Activity, Answered, Busy, Check, EdgeLinks, NoAnswer, Outgoing, Probe, Sender};
use control::{Clock, Control, ControlOptions, Disk, Policy, PublicAddress};
use model::InstanceId;
use model::route::RouteTable;
use provider::fake::FakeProvider;
use store::Store;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use web::{SessionKey, WebOptions};

use crate::description::assert_described;

pub(crate) const TOKEN: &str = "token-of-the-test";
/// The longest that one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);

struct Ready;

impl Activity for Ready {
    fn of(&self, _: &InstanceId) -> Busy {
        Busy::default()
    }
}

#[async_trait]
impl Probe for Ready {
    async fn answer(&self, _: &Check) -> Result<(), NoAnswer> {
        Ok(())
    }
}

#[async_trait]
impl Sender for Ready {
    async fn send(&self, _: Outgoing) -> Result<Answered, String> {
        Ok(Answered {
            status: 204,
            retry_after: None,
        })
    }
}

/// A running service; ends with this value.
pub(crate) struct Server {
    port: u16,
    shutdown: CancellationToken,
    _directory: TempDir,
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let control = control(&directory).await;
        let shutdown = CancellationToken::new();
        let (passes, until) = (control.clone(), shutdown.clone());
        tokio::spawn(async move { passes.run(until).await });
        let router = web::service(WebOptions {
            control,
            hosts: vec!["localhost".into(), "127.0.0.1".into()],
            dashboard_url: format!("http://localhost:{port}"),
            webhook_forge: None,
            session: SessionKey::from_token(TOKEN),
            closing: shutdown.clone(),
        });
        let closing = shutdown.clone();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { closing.cancelled().await })
                .await
        });
        Self {
            port,
            shutdown,
            _directory: directory,
        }
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Sends `line` with `headers` and `body`, and reads until the server closes the connection.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!(
            "{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: {}\r\n", self.host()));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(ANSWER_MAX, stream.read_to_end(&mut answer))
            .await
            .expect("an answer in time")
            .unwrap();
        let answer = parse(&String::from_utf8_lossy(&answer));
        assert_described(line, &answer);
        answer
    }

    /// A call of the API with the token.
    pub(crate) async fn call(&self, line: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        self.send(
            line,
            &[("authorization", &bearer), ("content-type", "application/json")],
            body,
        )
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\n", name.to_ascii_lowercase()),
        None => format!("{line}\n"),
    });
    Answer {
        status,
        head: lines.collect(),
        body,
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16)
            .unwrap_or(0)
            .min(rest.len());
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

async fn control(directory: &TempDir) -> Control {
    let store = Store::open(&directory.path().join("store")).unwrap();
    let (tables, mut seen) = watch::channel(Arc::new(RouteTable::default()));
    let (acknowledge, acknowledged) = watch::channel(0);
    let (wakes, wanted) = mpsc::channel(16);
    tokio::spawn(async move {
        let _open = wakes;
        while seen.changed().await.is_ok() {
            acknowledge.send_replace(seen.borrow_and_update().generation);
        }
    });
    let builder = Builder::new(BuilderOptions {
        store: store.clone(),
        runner: Arc::new(FakeRunner::default()),
        registries: builder::Registries::at("http://127.0.0.1:9"),
        proxy: None,
        toolchain_search: Vec::new(),
        installation_key: [3; 32],
        base_id: "test".to_owned(),
    });
    let options = ControlOptions {
        commit_check: None,
        database: directory.path().join("state.db"),
        logs: directory.path().join("logs"),
        master_key: [9; 32],
        token: TOKEN.to_owned(),
        platform_url: "http://cygni.test".to_owned(),
        forges: Default::default(),
        open_forge: control::links::forges_within(Default::default()),
        public: PublicAddress {
            scheme: "http",
            domain: "localhost".to_owned(),
            port: Some(7700),
        },
        disk: Disk::of(&store),
        policy: Policy::default(),
        store,
        builder,
        provider: Arc::new(FakeProvider::new()),
        links: EdgeLinks {
            tables,
            acknowledged,
            wakes: wanted,
            activity: Arc::new(Ready),
            probe: Arc::new(Ready),
        },
        sender: Arc::new(Ready),
        clock: Clock::system(),
        limits_hold: true,
        builds_max: 2,
        builds_per_project_max: 1,
    };
    Control::open(options).await.unwrap()
}
