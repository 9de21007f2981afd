//! `cx logs`: what was written while building, and by the application.

use std::collections::VecDeque;

use control::view::{self, LogKind, LogLine, LogSource};
use model::{DeploymentId, ServiceName};
use serde::Serialize;

use super::App;
use super::side_by_side::{SideBySide, sources};
use super::target;
use crate::cli::LogsArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::terminal::{Paint, plain};

pub(super) async fn run(app: &App, args: &LogsArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let deployment = target::deployment(&client, args.deployment.as_deref(), &args.target).await?;
    let sources = sources_of(&deployment, args);
    if !args.follow {
        return pages(app, &client, &deployment, &sources)
            .await
            .map(|()| Exit::Ok);
    }
    // Building ends before anything is written by what was built.
    let (build, runtime): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .partition(|source| source.kind == LogKind::Build);
    for sources in [build, runtime] {
        follow(app, SideBySide::new(&client, &deployment.id, sources)).await?;
    }
    Ok(Exit::Ok)
}

fn sources_of(deployment: &view::Deployment, args: &LogsArgs) -> Vec<LogSource> {
    let runtime = match args.instance {
        None => sources(deployment, LogKind::Runtime),
        instance => vec![LogSource {
            kind: LogKind::Runtime,
            instance,
        }],
    };
    match (args.build, args.runtime || args.instance.is_some()) {
        (true, _) => vec![LogKind::Build.into()],
        (_, true) => runtime,
        _ => [vec![LogKind::Build.into()], runtime].concat(),
    }
}

/// Prints every line until the logs end.
pub(super) async fn follow(app: &App, mut logs: SideBySide) -> anyhow::Result<()> {
    while let Some((source, line)) = logs.next().await? {
        print(app, source, &line)?;
    }
    Ok(())
}

/// Prints what the logs hold, in the order in which it was written.
async fn pages(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
    sources: &[LogSource],
) -> anyhow::Result<()> {
    let mut logs: Vec<Pages> = sources.iter().map(|source| Pages::new(*source)).collect();
    loop {
        for log in &mut logs {
            log.fill(client, &deployment.id).await?;
        }
        let Some(index) = earliest(&logs) else {
            return Ok(());
        };
        if let Some(line) = logs[index].lines.pop_front() {
            print(app, logs[index].source, &line)?;
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
    source: LogSource,
    lines: VecDeque<LogLine>,
    from: u64,
    done: bool,
}

impl Pages {
    fn new(source: LogSource) -> Self {
        Self {
            source,
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
        let page = client.log(id, self.source, self.from).await?;
        self.done = page.ended || page.next == self.from || page.lines.is_empty();
        self.from = page.next;
        self.lines = page.lines.into();
        Ok(())
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    log: LogKind,
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<u32>,
    #[serde(flatten)]
    line: &'a LogLine,
}

pub(super) fn print(app: &App, source: LogSource, line: &LogLine) -> anyhow::Result<()> {
    let LogSource { kind: log, instance } = source;
    if app.terminal.json {
        return app.terminal.json_line(&JsonLine { log, instance, line });
    }
    app.terminal.result(&text(instance, line, app.terminal.out));
    Ok(())
}

fn text(instance: Option<u32>, line: &LogLine, paint: Paint) -> String {
    let text = plain(&line.text);
    let text = match line.level.as_str() {
        "error" => paint.red(text),
        "warn" => paint.yellow(text),
        "info" => paint.dim(text),
        _ => text,
    };
    let whose = instance.map_or_else(String::new, |number| format!(" {}-{number}", ServiceName::web()));
    format!("{} {text}", paint.dim(format!("{}{whose}", clock(line.at_ms))))
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
                ..Pages::new(LogSource::from(kind))
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
        assert_eq!(text(None, &line, Paint::default()), "20:41:07.250 up\\u{1b}[2J");
        assert_eq!(
            text(Some(2), &line, Paint::default()),
            "20:41:07.250 web-2 up\\u{1b}[2J"
        );
    }
}
