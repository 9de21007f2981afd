//! `cx serve`: the platform alone, until it is told to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{App, runtime};
use crate::cli::ServeArgs;
use crate::exit::{Exit, Fault};
use crate::server::{Manager, Server, ServerOptions};

/// Which records are written when nobody says otherwise.
const RECORDS: &str = "info";

pub(super) fn run(app: &App, args: &ServeArgs) -> anyhow::Result<Exit> {
    acquire()?;
    records(app, RECORDS);
    let options = ServerOptions::new(args, &app.environment)?;
    serve_until_told(app, &options, "Cygni serves")
}

/// Runs the server until it is told to end; `hello` says what it does, before its address.
pub(super) fn serve_until_told(app: &App, options: &ServerOptions, hello: &str) -> anyhow::Result<Exit> {
    let runtime = runtime()?;
    let result = runtime.block_on(serve(app, options, hello));
    // What was told to end at once waits for nobody; otherwise there is nothing left to wait for.
    runtime.shutdown_background();
    result
}

async fn serve(app: &App, options: &ServerOptions, hello: &str) -> anyhow::Result<Exit> {
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
            paint.bold(hello),
            paint.cyan(&server.dashboard_url)
        ));
        app.terminal.say(&paint.dim(
            "Deploy a directory with `cx deploy`; `cx open --dashboard` logs you in. Ctrl-C ends the server.",
        ));
    }
    let manager = Manager {
        socket: app.environment.notify_socket.clone(),
        watchdog: app.environment.watchdog,
    };
    let watchdog = manager.watch(&format!("http://{address}"));
    manager.ready(&server.dashboard_url);
    let mut signals = Signals::listen()?;
    signals.next().await;
    manager.stopping();
    app.terminal.say(
        "Stopping; what serves goes on, and is taken up again at the next start. Once more ends it at once.",
    );
    let exit = tokio::select! {
        () = server.stop() => Exit::Ok,
        () = signals.next() => Exit::Interrupted,
    };
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    Ok(exit)
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
    Signals::listen()?.next().await;
    Ok(())
}

/// What tells the process to end. Made once, so that none is missed between two waits.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
