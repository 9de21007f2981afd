//! Follows a deployment to its end: phases and log lines as they come.
//!
//! The server may be restarted meanwhile: it goes on with the deployment, so we look again for a while.

use std::time::{Duration, Instant};

use control::view::{self, LogKind, LogSource};
use model::DeploymentId;

use super::App;
use crate::client::{Client, SseReader};
use crate::exit::{Exit, Fault, fault_of};
use crate::terminal::{Progress, Transcript, now_ms};

/// How long a server may be away before we give up.
const PATIENCE: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(250);
const FRAME: Duration = Duration::from_millis(100);
/// How often we look although nothing was announced.
const LOOK: Duration = Duration::from_secs(2);
/// How long lines that were written before an announcement may come after it.
const STRAGGLERS: Duration = Duration::from_millis(15);
const LAST_LINES: Duration = Duration::from_millis(100);

/// Shows the progress of `deployment` on standard error until it has finished.
pub(super) async fn follow(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
) -> anyhow::Result<view::Deployment> {
    let mut events = client.follow_events(&deployment.id).await.ok();
    let mut follower = Follower {
        app,
        client,
        log: LogFollower::new(client, &deployment.id, LogKind::Build),
        transcript: Transcript::new(app.terminal.err),
        now: deployment.clone(),
        looked: Instant::now(),
    };
    follower.look().await?;
    let mut frames = tokio::time::interval(FRAME);
    while follower.now.state.is_unfinished() {
        tokio::select! {
            biased;
            line = follower.log.next(), if !follower.log.ended => follower.line(line?).await?,
            event = next_event(&mut events), if events.is_some() => {
                if event.is_none() {
                    events = None;
                }
                follower.look().await?;
            }
            _ = frames.tick() => follower.frame().await?,
        }
    }
    follower.remaining_lines(LAST_LINES).await;
    while follower.transcript.is_full() {
        follower.tell();
        follower.remaining_lines(LAST_LINES).await;
    }
    app.terminal.clear();
    let last_words = follower.transcript.finish(&follower.now, follower.looked);
    last_words.iter().for_each(|line| app.terminal.say(line));
    Ok(follower.now)
}

/// Waits for the end of `deployment`; says nothing, and shows what is going on in the line that changes.
pub(super) async fn finished(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
) -> anyhow::Result<view::Deployment> {
    let mut events = client.follow_events(&deployment.id).await.ok();
    let (id, progress) = (deployment.id.to_string(), Progress::new(app.terminal.err));
    let mut frames = tokio::time::interval(FRAME);
    let mut looked = Instant::now();
    let mut now = patiently(|| client.deployment(&id)).await?;
    while now.state.is_unfinished() {
        tokio::select! {
            event = next_event(&mut events), if events.is_some() => {
                if event.is_none() {
                    events = None;
                }
                now = patiently(|| client.deployment(&id)).await?;
                looked = Instant::now();
            }
            _ = frames.tick() => {
                if let Some(running) = progress.running(&now, now_ms()) {
                    app.terminal.spin(&running);
                }
                if looked.elapsed() > LOOK {
                    now = patiently(|| client.deployment(&id)).await?;
                    looked = Instant::now();
                }
            }
        }
    }
    Ok(now)
}

struct Follower<'a> {
    app: &'a App,
    client: &'a Client,
    log: LogFollower,
    transcript: Transcript,
    now: view::Deployment,
    looked: Instant,
}

impl Follower<'_> {
    /// Fetches the deployment again, and says what has happened, in its order.
    async fn look(&mut self) -> anyhow::Result<()> {
        let (id, asked) = (self.now.id.to_string(), Instant::now());
        let found = patiently(|| self.client.deployment(&id)).await;
        self.now = found.map_err(|error| match fault_of(&error).exit {
            Exit::NotFound => deleted(&id).into(),
            _ => error,
        })?;
        self.looked = asked;
        if self.now.state.is_unfinished() {
            self.remaining_lines(STRAGGLERS).await;
            self.tell();
        }
        Ok(())
    }

    fn tell(&mut self) {
        let said = self.transcript.tell(&self.now, self.looked);
        said.iter().for_each(|line| self.app.terminal.say(line));
    }

    async fn frame(&mut self) -> anyhow::Result<()> {
        if let Some(running) = self.transcript.running(&self.now, now_ms()) {
            self.app.terminal.spin(&running);
        }
        if self.looked.elapsed() > LOOK || self.transcript.is_due(Instant::now()) {
            self.look().await
        } else {
            Ok(())
        }
    }

    async fn remaining_lines(&mut self, patience: Duration) {
        while !self.log.ended && !self.transcript.is_full() {
            match tokio::time::timeout(patience, self.log.next()).await {
                Ok(Ok(line)) => self.hold(line),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    async fn line(&mut self, line: Option<view::LogLine>) -> anyhow::Result<()> {
        self.hold(line);
        match self.transcript.is_full() {
            true => self.look().await,
            false => Ok(()),
        }
    }

    fn hold(&mut self, line: Option<view::LogLine>) {
        if let Some(line) = line {
            self.transcript.hold(line, Instant::now());
        }
    }
}

/// The lines of a log as they come; goes on where it was when the connection breaks.
pub(super) struct LogFollower {
    client: Client,
    id: DeploymentId,
    source: LogSource,
    reader: Option<SseReader>,
    last: Option<String>,
    pub(super) ended: bool,
}

impl LogFollower {
    pub(super) fn new(client: &Client, id: &DeploymentId, source: impl Into<LogSource>) -> Self {
        Self {
            client: client.clone(),
            id: id.clone(),
            source: source.into(),
            reader: None,
            last: None,
            ended: false,
        }
    }

    /// The next line; `None` once, when the log has ended. Can be dropped between lines without loss.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<view::LogLine>> {
        while !self.ended {
            let Some(reader) = &mut self.reader else {
                let open = || {
                    self.client
                        .follow_log(&self.id, self.source, self.last.as_deref())
                };
                self.reader = Some(patiently(open).await?);
                continue;
            };
            match reader.next().await {
                Ok(Some(event)) if event.event == "end" => self.ended = true,
                Ok(Some(event)) => {
                    self.last = event.id.or(self.last.take());
                    return Ok(Some(serde_json::from_str(&event.data)?));
                }
                Ok(None) | Err(_) => {
                    self.reader = None;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        Ok(None)
    }
}

/// Somebody deleted the preview or the project while we looked on.
fn deleted(id: &str) -> Fault {
    Fault::failed(
        "deleted",
        format!("the deployment {id} was deleted while it was under way"),
    )
    .hint("deploy again if that was not meant")
}

async fn next_event(events: &mut Option<SseReader>) -> Option<()> {
    events.as_mut()?.next().await.ok()?.map(drop)
}

/// Tries `call` again while no server answers, for [`PATIENCE`].
pub(super) async fn patiently<T>(mut call: impl AsyncFnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let begin = Instant::now();
    loop {
        match call().await {
            Err(error) if fault_of(&error).exit == Exit::Unreachable && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}
