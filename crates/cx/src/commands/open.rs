//! `cx open`: a preview, or the dashboard, in the browser. The address is printed in any case.

use std::process::{Command, Stdio};

use super::App;
use super::target::Target;
use crate::cli::OpenArgs;
use crate::client::Client;
use crate::exit::Exit;

pub(super) async fn run(app: &App, args: &OpenArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let url = if args.dashboard {
        dashboard(&client).await?
    } else {
        Target::here(&args.target)?.preview(&client).await?.url
    };
    if app.terminal.json {
        app.terminal.json(&serde_json::json!({ "url": url }))?;
    } else {
        app.terminal.result(&url);
    }
    if app.environment.desktop && !app.terminal.json {
        browse(app, &url);
    }
    Ok(Exit::Ok)
}

/// Opens an address that has been printed already.
pub(super) fn browse(app: &App, url: &str) {
    if !open(url) {
        app.terminal
            .warn("no browser could be started; open the address above");
    }
}

/// The address of the dashboard that logs in whoever opens it.
pub(super) async fn dashboard(client: &Client) -> anyhow::Result<String> {
    let health = client.health().await?;
    let mut url = client.address().url.clone();
    if let Some(named) = health
        .get("dashboard_url")
        .and_then(|url| url.as_str())
        .and_then(|url| url.parse().ok())
    {
        url = named;
    }
    url.set_path("/login");
    if let Some(token) = &client.address().token {
        url.query_pairs_mut().append_pair("token", token);
    }
    Ok(url.into())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the person's own browser, with an address as its only argument"
)]
fn open(url: &str) -> bool {
    let quiet = || Stdio::null();
    let status = Command::new("xdg-open")
        .arg(url)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status();
    status.is_ok_and(|status| status.success())
}
