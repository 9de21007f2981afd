//! `cx logs`: what was written while building, and by the application.

use std::collections::VecDeque;

use control::view::{self, LogKind, LogLine};
use model::DeploymentId;
use serde::Serialize;

use super::App;
use super::follow::LogFollower;
use super::target;
use crate::cli::LogsArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::terminal::{Paint, plain};

pub(super) async fn run(app: &App, args: &LogsArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let deployment = target::deployment(&client, args.deployment.as_deref(), &args.target).await?;
    let kinds = kinds(args);
    if !args.follow {
        return pages(app, &client, &deployment, &kinds).await.map(|()| Exit::Ok);
    }
    for kind in kinds {
        follow(app, &client, &deployment, kind).await?;
    }
    Ok(Exit::Ok)
}

fn kinds(args: &LogsArgs) -> Vec<LogKind> {
    match (args.build, args.runtime) {
        (true, _) => vec![LogKind::Build],
        (_, true) => vec![LogKind::Runtime],
        _ => vec![LogKind::Build, LogKind::Runtime],
    }
}

/// Prints every line of a log until it ends.
pub(super) async fn follow(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
    kind: LogKind,
) -> anyhow::Result<()> {
    let mut log = LogFollower::new(client, &deployment.id, kind);
    while let Some(line) = log.next().await? {
        print(app, kind, &line)?;
    }
    Ok(())
}

/// Prints what the logs of `kinds` hold, in the order in which it was written.
async fn pages(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
    kinds: &[LogKind],
) -> anyhow::Result<()> {
    let mut logs: Vec<Pages> = kinds.iter().map(|kind| Pages::new(*kind)).collect();
    loop {
        for log in &mut logs {
            log.fill(client, &deployment.id).await?;
        }
        let Some(index) = earliest(&logs) else {
            return Ok(());
        };
        if let Some(line) = logs[index].lines.pop_front() {
            print(app, logs[index].kind, &line)?;
        }
    }
}

/// The log with the earliest next line; of equal ones the first.
fn earliest(logs: &[Pages]) -> Option<usize> {
    let next = |log: &Pages| log.lines.front().map(|line| line.at_ms);
    let there = logs
        .iter()
        .enumerate()
        .filter_map(|(index, log)| next(log).map(|at_ms| (at_ms, index)));
    there.min().map(|(_, index)| index)
}

/// A log that is read page by page.
struct Pages {
    kind: LogKind,
    lines: VecDeque<LogLine>,
    from: u64,
    done: bool,
}

impl Pages {
    fn new(kind: LogKind) -> Self {
        Self {
            kind,
            lines: VecDeque::new(),
            from: 0,
            done: false,
        }
    }

    /// Makes sure that there is a next line, if there is any.
    async fn fill(&mut self, client: &Client, id: &DeploymentId) -> anyhow::Result<()> {
        if self.done || !self.lines.is_empty() {
            return Ok(());
        }
        let page = client.log(id, self.kind, self.from).await?;
        self.done = page.ended || page.next == self.from || page.lines.is_empty();
        self.from = page.next;
        self.lines = page.lines.into();
        Ok(())
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    log: LogKind,
    #[serde(flatten)]
    line: &'a LogLine,
}

pub(super) fn print(app: &App, kind: LogKind, line: &LogLine) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json_line(&JsonLine { log: kind, line });
    }
    app.terminal.result(&text(line, app.terminal.out));
    Ok(())
}

fn text(line: &LogLine, paint: Paint) -> String {
    let text = plain(&line.text);
    let text = match line.level.as_str() {
        "error" => paint.red(text),
        "warn" => paint.yellow(text),
        "info" => paint.dim(text),
        _ => text,
    };
    format!("{} {text}", paint.dim(clock(line.at_ms)))
}

/// The time of day in UTC, `20:41:07.250`: logs of several machines stand beside each other.
fn clock(at_ms: i64) -> String {
    let ms = at_ms.rem_euclid(86_400_000);
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1_000 % 60,
        ms % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_line_comes_next() {
        let log = |kind, times: &[i64]| {
            let line = |at_ms: &i64| LogLine {
                at_ms: *at_ms,
                level: "out".into(),
                text: String::new(),
            };
            Pages {
                lines: times.iter().map(line).collect(),
                ..Pages::new(kind)
            }
        };
        let (build, runtime) = (LogKind::Build, LogKind::Runtime);
        assert_eq!(earliest(&[log(build, &[7, 8]), log(runtime, &[5])]), Some(1));
        assert_eq!(earliest(&[log(build, &[5]), log(runtime, &[5])]), Some(0));
        assert_eq!(earliest(&[log(build, &[]), log(runtime, &[5])]), Some(1));
        assert_eq!(earliest(&[log(build, &[]), log(runtime, &[])]), None);
    }

    #[test]
    fn a_line_has_its_time_and_cannot_play_tricks() {
        let line = LogLine {
            at_ms: 1_763_671_267_250,
            level: "out".into(),
            text: "up\x1b[2J".into(),
        };
        assert_eq!(text(&line, Paint::default()), "20:41:07.250 up\\u{1b}[2J");
    }
}
