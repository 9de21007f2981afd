//! `cx git listen`: the platform for the changes of one forge, whose webhook is at `/webhook` of one port.
//!
//! A dry run is the same over a copy of the rows, with no pass running: what would be done is decided by the very code that
//! would do it, and printed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use control::ops::NewForge;
use control::view::{Rehearsal, RehearsedStep};
use tokio::sync::mpsc;

use super::forge::{kind, word};
use super::serve::{acquire, records, serve_until_told};
use super::{App, runtime};
use crate::cli::ListenArgs;
use crate::exit::{Exit, Fault};
use crate::server::ServerOptions;
use crate::terminal::{Terminal, plain};

/// Which records are written when nobody says otherwise.
const RECORDS: &str = "warn";
/// Rehearsals that wait to be printed.
const REHEARSALS: usize = 64;

pub(super) fn run(app: &App, args: &ListenArgs) -> anyhow::Result<Exit> {
    let mut options = options(app, args)?;
    acquire()?;
    records(app, RECORDS);
    let forge = word(args.forge);
    if !args.dry_run {
        let hello = format!("Cygni listens to {forge} at /webhook, and serves");
        return serve_until_told(app, &options, &hello);
    }
    // Removed at the end; until then everything that a server writes goes there.
    let stage = tempfile::tempdir().context("there is no place for a copy of the rows")?;
    copy(&options.data, stage.path())?;
    options.data = stage.path().to_owned();
    let (told, mut rehearsals) = mpsc::channel::<Rehearsal>(REHEARSALS);
    options.rehearsal = Some(told);
    let terminal = app.terminal.clone();
    let printer = std::thread::spawn(move || {
        while let Some(rehearsal) = rehearsals.blocking_recv() {
            print(&terminal, &rehearsal);
        }
    });
    let hello = format!("Cygni listens to {forge} at /webhook and does nothing,");
    let exit = serve_until_told(app, &options, &hello);
    drop(options);
    printer
        .join()
        .map_err(|_| anyhow::anyhow!("what would be done could not be printed"))?;
    exit
}

/// The rows as they are, with the key that opens their secrets; nothing where no server has been yet.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let database = from.join("state.db");
    if !std::fs::metadata(&database).is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(());
    }
    for name in ["key", "token"] {
        std::fs::copy(from.join(name), to.join(name))
            .with_context(|| format!("cannot read {}", from.join(name).display()))?;
    }
    runtime()?.block_on(control::backup::copy_rows(&database, &to.join("state.db")))?;
    Ok(())
}

fn print(terminal: &Terminal, rehearsal: &Rehearsal) {
    if terminal.json {
        // What cannot be printed was told over HTTP.
        let _ = terminal.json_line(rehearsal);
        return;
    }
    terminal.result(&format!(
        "{} {}",
        terminal.out.bold(plain(&rehearsal.event)),
        plain(&rehearsal.delivery)
    ));
    if rehearsal.steps.is_empty() {
        terminal.result("  nothing: it concerns nobody here");
    }
    for step in &rehearsal.steps {
        terminal.result(&line(step));
    }
}

/// `  deploy 1a2b3c4 of acme/shop pull/12 for shop, trusted as member: it is the newest commit`.
fn line(step: &RehearsedStep) -> String {
    let commit = step
        .commit
        .as_ref()
        .map_or_else(String::new, |commit| format!(" {}", commit.short()));
    let project = step
        .project
        .as_ref()
        .map_or_else(String::new, |project| format!(" for {project}"));
    let trust = step
        .trust
        .as_ref()
        .map_or_else(String::new, |trust| format!(", trusted as {trust}"));
    let of = if step.commit.is_some() { " of" } else { "" };
    plain(&format!(
        "  {}{commit}{of} {}{project}{trust}: {}",
        step.action, step.about, step.reason
    ))
}

fn options(app: &App, args: &ListenArgs) -> anyhow::Result<ServerOptions> {
    if args.secret.is_empty() {
        return Err(Fault::usage("the secret is empty")
            .hint("give the one that the webhook is made with, in --secret or CX_WEBHOOK_SECRET")
            .into());
    }
    let mut options = ServerOptions::new(&args.serve, &app.environment)?;
    options.listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))]
        .into_iter()
        .chain(args.serve.listen.iter().copied())
        .collect();
    let name = word(args.forge).to_owned();
    let settings = match options.forges.remove(&name) {
        Some(given) => given,
        // Without a token, what is public can be read.
        None => anonymous(app, args)?,
    };
    options.forges.clear();
    options.forges.insert(
        name.clone(),
        forge::settings::Settings {
            webhook_secret: Some(args.secret.clone()),
            ..settings
        },
    );
    options.webhook_forge = Some(name);
    Ok(options)
}

fn anonymous(app: &App, args: &ListenArgs) -> Result<forge::settings::Settings, Fault> {
    let tokens = &app.environment.forges;
    let new = NewForge {
        kind: kind(args.forge),
        url: tokens.github_url.clone(),
        api_url: tokens.github_api_url.clone(),
        token: None,
        app: None,
        webhook_secret: None,
    };
    new.settings()
        .map_err(|error| Fault::usage(error.message).hint(error.hint))
}
