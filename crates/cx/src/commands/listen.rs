//! `cx git listen`: the platform for the changes of one forge, whose webhook is at `/webhook` of one port.

use std::net::{Ipv4Addr, SocketAddr};

use control::ops::NewForge;

use super::App;
use super::forge::{kind, word};
use super::serve::{acquire, records, serve_until_told};
use crate::cli::ListenArgs;
use crate::exit::{Exit, Fault};
use crate::server::ServerOptions;

/// Which records are written when nobody says otherwise.
const RECORDS: &str = "warn";

pub(super) fn run(app: &App, args: &ListenArgs) -> anyhow::Result<Exit> {
    let options = options(app, args)?;
    acquire()?;
    records(app, RECORDS);
    let hello = format!("Cygni listens to {} at /webhook, and serves", word(args.forge));
    serve_until_told(app, &options, &hello)
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
