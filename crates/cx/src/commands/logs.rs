//! `cx logs`: what was written while building, and by the application.

use control::view::{self, LogKind, LogLine};
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
    for kind in kinds(args) {
        if args.follow {
            follow(app, &client, &deployment, kind).await?;
        } else {
            pages(app, &client, &deployment, kind).await?;
        }
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

async fn pages(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
    kind: LogKind,
) -> anyhow::Result<()> {
    let mut from = 0;
    loop {
        let page = client.log(&deployment.id, kind, from).await?;
        for line in &page.lines {
            print(app, kind, line)?;
        }
        if page.ended || page.next == from || page.lines.is_empty() {
            return Ok(());
        }
        from = page.next;
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    log: LogKind,
    #[serde(flatten)]
    line: &'a LogLine,
}

fn print(app: &App, kind: LogKind, line: &LogLine) -> anyhow::Result<()> {
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
    fn a_line_has_its_time_and_cannot_play_tricks() {
        let line = LogLine {
            at_ms: 1_763_671_267_250,
            level: "out".into(),
            text: "up\x1b[2J".into(),
        };
        assert_eq!(text(&line, Paint::default()), "20:41:07.250 up\\u{1b}[2J");
    }
}
