//! `cx deploy`: upload what changed, follow the deployment, print the URL.

use std::path::Path;
use std::time::Instant;

use control::view;
use model::deployment::State;
use model::preview::Origin;

use super::App;
use super::follow::follow;
use super::target::Target;
use crate::cli::DeployArgs;
use crate::client::{Client, NewDeployment, Uploaded};
use crate::exit::{Exit, fault_of};
use crate::terminal::{Progress, now_ms};
use crate::upload::{Manifest, Sent, Source, prepare, send};

pub(super) async fn run(app: &App, args: &DeployArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let deployment = deploy(app, &client, args).await?;
    if app.terminal.json {
        app.terminal.json(&deployment)?;
    } else if serves(&deployment) {
        app.terminal.result(&deployment.preview_url);
    }
    Ok(exit(&deployment))
}

/// Uploads, deploys and follows to the end, telling about it on standard error.
pub(super) async fn deploy(
    app: &App,
    client: &Client,
    args: &DeployArgs,
) -> anyhow::Result<view::Deployment> {
    let target = Target::new(&args.target, &args.dir)?;
    // Before anything is read from the disk: is anybody there?
    client.health().await?;
    let (began_ms, begin) = (now_ms(), Instant::now());
    app.terminal.spin("reading files");
    let manifest = manifest(app, &args.dir).await?;
    manifest.notes.iter().for_each(|note| app.terminal.warn(note));
    app.terminal.spin("uploading");
    let sent = send(client, &target.project, &manifest).await?;
    let uploaded = Uploaded {
        started_at_ms: began_ms,
        millis: millis(begin),
    };
    said(app, &sent, uploaded);
    let mut new = NewDeployment {
        project: target.project,
        namespace: target.namespace,
        environment: args.environment,
        ttl: args.ttl.map(|seconds| format!("{seconds}s")),
        variables: args.variables.iter().cloned().collect(),
        rebuild: args.rebuild,
        origin: Origin::Directory {
            path: absolute(&args.dir),
        },
        tree: manifest.tree.clone(),
        uploaded: Some(uploaded),
    };
    let deployment = match client.deploy(&new).await {
        // What was there a moment ago has been collected since; once more, and it is there.
        Err(error) if fault_of(&error).code == "missing_blobs" => {
            send(client, &new.project, &manifest).await?;
            new.uploaded = None;
            client.deploy(&new).await?
        }
        result => result?,
    };
    follow(app, client, &deployment).await
}

/// What a finished deployment means for whoever called us.
pub(super) fn exit(deployment: &view::Deployment) -> Exit {
    if serves(deployment) {
        Exit::Ok
    } else {
        Exit::Failed
    }
}

pub(super) fn serves(deployment: &view::Deployment) -> bool {
    matches!(deployment.state, State::Ready | State::Retired)
}

async fn manifest(app: &App, dir: &Path) -> anyhow::Result<Manifest> {
    let source = Source {
        dir: dir.to_owned(),
        cache: app.environment.cache_dir(),
    };
    tokio::task::spawn_blocking(move || prepare(&source)).await?
}

fn said(app: &App, sent: &Sent, uploaded: Uploaded) {
    let progress = Progress::new(app.terminal.err);
    app.terminal
        .say(&progress.phase("upload", uploaded.millis, &sent.to_string()));
}

fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn absolute(dir: &Path) -> String {
    dir.canonicalize()
        .unwrap_or_else(|_| dir.to_owned())
        .to_string_lossy()
        .into_owned()
}
