//! `cx serve`: the platform alone, until it is told to end.

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{App, runtime};
use crate::cli::ServeArgs;
use crate::exit::{Exit, Fault};
use crate::server::{Server, ServerOptions};

/// Which records are written when nobody says otherwise.
const RECORDS: &str = "info";

pub(super) fn run(app: &App, args: &ServeArgs) -> anyhow::Result<Exit> {
    acquire()?;
    records(app, RECORDS);
    let options = ServerOptions::new(args, &app.environment);
    runtime()?.block_on(serve(app, &options))
}

async fn serve(app: &App, options: &ServerOptions) -> anyhow::Result<Exit> {
    let server = Server::start(options).await?;
    let address = server.address;
    if app.terminal.json {
        let url = format!("http://{address}");
        app.terminal
            .json_line(&serde_json::json!({ "url": url, "dashboard_url": server.dashboard_url }))?;
    } else {
        let paint = app.terminal.err;
        app.terminal.say(&format!(
            "{} at {}",
            paint.bold("Cygni serves"),
            paint.cyan(&server.dashboard_url)
        ));
        app.terminal.say(&paint.dim(
            "Deploy a directory with `cx deploy`; `cx open --dashboard` logs you in. Ctrl-C ends the server.",
        ));
    }
    ended().await?;
    app.terminal
        .say("Stopping; what serves goes on, and is taken up again at the next start.");
    server.stop().await;
    Ok(Exit::Ok)
}

/// Enters the state in which sandboxes can be made. Before any thread starts.
pub(super) fn acquire() -> Result<sandbox::Privilege, Fault> {
    sandbox::acquire_privilege().map_err(|error| {
        Fault::failed("cannot_isolate", error.to_string())
            .hint("`cx doctor` says what this machine lacks; root needs nothing of it")
    })
}

/// Writes the server's records to standard error.
pub(super) fn records(app: &App, default: &str) {
    let wanted = app.environment.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(default));
    let writer = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if writer.with_ansi(app.terminal.err.is_on()).try_init().is_err() {
        app.terminal.warn("records were set up before");
    }
}

/// Returns when the process is told to end.
pub(super) async fn ended() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
