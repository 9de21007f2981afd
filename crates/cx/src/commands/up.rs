//! `cx up`: a directory live with one command: server, deployment, saves and logs in one process.
//!
//! A server that is there already is used; otherwise one runs in this process. At the end the preview goes with it,
//! unless it was there before or `--keep` says that it stays. The store stays in any case, as a cache.

use std::collections::BTreeSet;
use std::time::Duration;

use control::view;
use model::{InstanceId, PreviewId};

use super::deploy::{Delivery, deliver, deploy, exit, serves, source};
use super::open::dashboard;
use super::side_by_side::SideBySide;
use super::target::Target;
use super::work::{Watched, Work};
use super::{App, live, logs, runtime, serve};
use crate::cli::UpArgs;
use crate::client::{Address, Client, find};
use crate::exit::Exit;
use crate::server::{Server, ServerOptions};
use crate::watch::Watch;

/// How long instances of a deleted preview may take to end.
const ENDING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(app: &App, args: UpArgs) -> anyhow::Result<Exit> {
    let mut app = app.clone();
    app.environment = app
        .environment
        .with_server(args.serve.listen.clone(), args.serve.data.clone());
    let address = find(&app.global, &app.environment)?;
    if address.named || address.answers() {
        return runtime()?.block_on(async { live(&app, &args, &Client::new(address)?, None).await });
    }
    serve::acquire()?;
    serve::records(&app, "warn");
    let mut options = ServerOptions::new(&args.serve, &app.environment)?;
    // It follows a directory, and nobody asked it to talk to a forge.
    options.forges.clear();
    runtime()?.block_on(own(&app, &args, &options))
}

/// With a server of our own, which ends with us.
async fn own(app: &App, args: &UpArgs, options: &ServerOptions) -> anyhow::Result<Exit> {
    let server = Server::start(options).await?;
    let url = format!("http://{}", server.address).parse()?;
    let client = Client::new(Address {
        url,
        token: Some(server.token.clone()),
        named: true,
    })?;
    let result = live(app, args, &client, Some(&server)).await;
    server.stop().await;
    result
}

/// Deploys, shows the logs until the end, and cleans up.
async fn live(app: &App, args: &UpArgs, client: &Client, server: Option<&Server>) -> anyhow::Result<Exit> {
    let target = Target::new(&args.deploy.target, &args.deploy.dir)?;
    if args.dev {
        live::check(client)?;
    }
    client.health().await?;
    let before = target.preview(client).await.is_ok();
    let ending = ending(before || args.keep, server.is_some());
    let result = tokio::select! {
        result = show(app, args, client, &ending) => result,
        ended = serve::ended() => ended.map(|()| Exit::Ok).map_err(Into::into),
    };
    app.terminal.clear();
    let preview = target.preview(client).await.ok();
    match preview {
        Some(preview) if before || args.keep => {
            if !args.no_watch
                && let Err(error) = client.unwatch(&preview.id).await
            {
                tracing::debug!(%error, "pages learn by themselves that nobody works on them any more");
            }
            let serves = match server {
                Some(_) => "stays, and answers again with the next `cx serve` or `cx up`",
                None => "stays",
            };
            app.terminal.say(&format!(
                "{} {serves}; `cx delete --namespace {} --project {}` removes it",
                preview.url, preview.namespace, preview.project
            ));
        }
        Some(preview) => {
            app.terminal.say(&format!("Ending {}", preview.url));
            end(client, &preview.id, server).await?;
        }
        None => {}
    }
    result
}

/// What Ctrl-C will do, in words.
fn ending(stays: bool, own_server: bool) -> String {
    let server = if own_server { "the server" } else { "this log" };
    match (stays, own_server) {
        (true, _) => format!("ends {server}; the preview stays"),
        (false, true) => "ends the preview and the server; --keep lets the preview stay".to_owned(),
        (false, false) => "ends the preview; --keep lets it stay".to_owned(),
    }
}

/// Deploys, and follows saves and what the application writes. `ending` says what Ctrl-C does.
async fn show(app: &App, args: &UpArgs, client: &Client, ending: &str) -> anyhow::Result<Exit> {
    if args.no_watch {
        return once(app, args, client, ending).await;
    }
    let mut delivery = Delivery::new(&args.deploy)?;
    delivery.dev = args.dev;
    delivery.begin();
    app.terminal.spin("reading files");
    let (watch, manifest) = Watch::start(source(app, &args.deploy.dir)).await?;
    let deployment = deliver(app, client, &mut delivery, &manifest).await?;
    if app.terminal.json {
        app.terminal.json_line(&deployment)?;
    }
    if serves(&deployment) {
        announce(app, client, &deployment, ending).await?;
    } else if !app.terminal.json {
        app.terminal
            .say(&format!("waiting for a change; Ctrl-C {ending}"));
    }
    let preview = delivery.target.preview(client).await?.id;
    let _watched = Watched::new(client, preview);
    delivery.reuse_builds();
    let work = Work {
        app,
        client,
        delivery,
        watch,
        noted: manifest.notes.iter().cloned().collect(),
        announced: serves(&deployment),
        ending,
    };
    work.follow(&deployment, manifest.tree).await?;
    Ok(Exit::Ok)
}

/// Deploys, and shows what the application writes.
async fn once(app: &App, args: &UpArgs, client: &Client, ending: &str) -> anyhow::Result<Exit> {
    let deployment = deploy(app, client, &args.deploy, args.dev).await?;
    if app.terminal.json {
        app.terminal.json_line(&deployment)?;
    }
    if !serves(&deployment) {
        return Ok(exit(&deployment));
    }
    announce(app, client, &deployment, ending).await?;
    logs::follow(app, SideBySide::of_instances(client, &deployment)).await?;
    // A static site has no log; and whoever deploys again elsewhere ends this one. The preview is there all the same.
    std::future::pending::<()>().await;
    Ok(Exit::Ok)
}

/// Says where it is live, where the dashboard is, and what Ctrl-C does.
pub(super) async fn announce(
    app: &App,
    client: &Client,
    deployment: &view::Deployment,
    ending: &str,
) -> anyhow::Result<()> {
    if app.terminal.json {
        return Ok(());
    }
    let paint = app.terminal.err;
    app.terminal.say("");
    app.terminal
        .result(&app.terminal.out.link(&deployment.preview_url));
    app.terminal.say("");
    let dashboard = dashboard(client).await?;
    app.terminal
        .say(&format!("{}  {dashboard}", paint.dim("dashboard")));
    app.terminal
        .say(&format!("{}  {}", paint.dim("Ctrl-C   "), paint.dim(ending)));
    app.terminal.say("");
    Ok(())
}

/// Deletes the preview; with a server of our own, waits until its instances have ended, because nobody else would end
/// them after us.
async fn end(client: &Client, preview: &PreviewId, server: Option<&Server>) -> anyhow::Result<()> {
    let deployments = client.preview_deployments(preview).await?;
    let ours: BTreeSet<InstanceId> = deployments
        .into_iter()
        .flat_map(|deployment| deployment.instances)
        .map(|instance| instance.id)
        .collect();
    client.delete_preview(preview).await?;
    let Some(server) = server else {
        return Ok(());
    };
    let gone = async {
        loop {
            match server.provider.list().await {
                Ok(there) if !there.iter().any(|observed| ours.contains(&observed.instance)) => return,
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    };
    if tokio::time::timeout(ENDING, gone).await.is_err() {
        tracing::warn!("some instances have not ended yet; the next start removes them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_is_said_to_do_what_it_does() {
        assert!(ending(false, true).starts_with("ends the preview and the server"));
        assert!(!ending(false, false).contains("server"));
        assert_eq!(ending(true, true), "ends the server; the preview stays");
        assert_eq!(ending(true, false), "ends this log; the preview stays");
    }
}
