//! Logs and events, page by page, and the wait between two pages.

use std::time::Duration;

use model::DeploymentId;
use model::deployment::State;
use model::limits::INSTANCES_MAX;
use sandbox::log::{Cursor, Line};

use super::OpError;
use crate::control::Control;
use crate::journal::BUILD_LOG;
use crate::rows::instance::Wanted;
use crate::rows::{self};
use crate::view::{self, LogKind, LogSource};

/// Lines of one page at the most.
const PAGE_LINES: usize = 1_000;
/// Events of one page at the most.
const PAGE_EVENTS: i64 = 500;
/// How long a wait for more lasts at the most; whoever follows asks again.
const WAIT: Duration = Duration::from_secs(1);
/// How soon a build log is looked at again although nothing rang.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Runtime logs are written by another process, which rings no bell of ours.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Control {
    /// Lines of a log from the cursor `from` on; 0 is the beginning.
    pub async fn log(
        &self,
        id: &DeploymentId,
        which: impl Into<LogSource>,
        from: u64,
    ) -> Result<view::LogPage, OpError> {
        let LogSource { kind, instance } = which.into();
        match kind {
            LogKind::Build => self.build_log(id, from).await,
            LogKind::Runtime => self.runtime_log(id, instance.unwrap_or(1), from).await,
        }
    }

    async fn build_log(&self, id: &DeploymentId, from: u64) -> Result<view::LogPage, OpError> {
        // The state first: a line that comes after it was read makes the page longer, never the log shorter.
        let row = self.deployment_row(id).await?;
        let told = row.announced || row.state != State::Ready;
        let ended = !row.state.is_unfinished() && row.lease_boot.is_none() && told;
        let directory = self.log_directory(id);
        let read = move || sandbox::log::read(&directory, BUILD_LOG, Cursor(from), PAGE_LINES);
        let page = match tokio::task::spawn_blocking(read)
            .await
            .map_err(OpError::internal)?
        {
            Ok(page) => page,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(view::LogPage {
                    lines: Vec::new(),
                    next: from,
                    ended,
                });
            }
            Err(error) => return Err(OpError::internal(error)),
        };
        let ended = ended && page.lines.len() < PAGE_LINES;
        Ok(view::LogPage {
            lines: page.lines.into_iter().map(shown).collect(),
            next: page.next.0,
            ended,
        })
    }

    async fn runtime_log(&self, id: &DeploymentId, number: u32, from: u64) -> Result<view::LogPage, OpError> {
        let row = self.deployment_row(id).await?;
        let instances = rows::instance::of(self.db().read(), id).await?;
        let Some(instance) = instances.iter().find(|instance| instance.replica == number) else {
            if !instances.is_empty() || !(1..=INSTANCES_MAX).contains(&number) {
                return Err(OpError::not_found("instance of this deployment", number));
            }
            return Ok(view::LogPage {
                lines: Vec::new(),
                next: from,
                ended: !row.state.is_unfinished(),
            });
        };
        let page = self
            .inner
            .provider
            .logs(&instance.id, from)
            .await
            .map_err(OpError::internal)?;
        let ended = instance.wanted == Wanted::Gone && page.lines.is_empty();
        Ok(view::LogPage {
            lines: page.lines.into_iter().map(shown).collect(),
            next: page.next,
            ended,
        })
    }

    /// Returns when there may be more of the log to read, or after a second.
    pub async fn log_changed(&self, _id: &DeploymentId, kind: LogKind) {
        match kind {
            LogKind::Build => {
                let (mut lines, mut news) = (self.inner.lines.listen(), self.inner.news.listen());
                // A new line, or the end: what rang between the last look and now is seen at the next one.
                tokio::select! {
                    () = lines.wait(LOOK_AGAIN) => {}
                    () = news.wait(LOOK_AGAIN) => {}
                }
            }
            LogKind::Runtime => tokio::time::sleep(LOOK_EVERY).await,
        }
    }

    /// Up to 500 events after the sequence `after`, oldest first.
    pub async fn events(&self, after: i64) -> Result<Vec<view::Event>, OpError> {
        Ok(rows::event::after(self.db().read(), after, PAGE_EVENTS).await?)
    }

    /// Returns when there may be a new event, or after a second.
    pub async fn events_changed(&self) {
        self.inner.news.listen().wait(WAIT).await;
    }
}

fn shown(line: Line) -> view::LogLine {
    let level = match line.level {
        sandbox::log::Level::Out => "out",
        sandbox::log::Level::Err => "err",
        sandbox::log::Level::Info => "info",
        sandbox::log::Level::Warn => "warn",
        sandbox::log::Level::Error => "error",
    };
    view::LogLine {
        at_ms: line.at_ms as i64,
        level: level.to_owned(),
        text: line.text,
    }
}
