//! `cx deploy`: upload what changed, follow the deployment, print the URL.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use control::view;
use model::Digest;
use model::deployment::State;
use model::preview::Origin;

use super::App;
use super::follow::follow;
use super::live::Proof;
use super::target::Target;
use crate::cli::DeployArgs;
use crate::client::{Client, NewDeployment, Uploaded};
use crate::exit::{Exit, fault_of};
use crate::terminal::{Progress, now_ms};
use crate::upload::{Manifest, Sent, Source, prepare, send};

pub(super) async fn run(app: &App, args: &DeployArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let deployment = deploy(app, &client, args, false).await?;
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
    dev: bool,
) -> anyhow::Result<view::Deployment> {
    let mut delivery = Delivery::new(args)?;
    delivery.dev = dev;
    // Before anything is read from the disk: is anybody there?
    client.health().await?;
    delivery.begin();
    app.terminal.spin("reading files");
    let manifest = manifest(app, &args.dir).await?;
    deliver(app, client, &mut delivery, &manifest).await
}

/// Sends `manifest`, deploys it and follows to the end.
pub(super) async fn deliver(
    app: &App,
    client: &Client,
    delivery: &mut Delivery,
    manifest: &Manifest,
) -> anyhow::Result<view::Deployment> {
    manifest.notes.iter().for_each(|note| app.terminal.warn(note));
    app.terminal.spin("uploading");
    let queued = delivery.queue(client, manifest, &mut BTreeSet::new()).await?;
    let progress = Progress::new(app.terminal.err);
    app.terminal
        .say(&progress.phase("upload", queued.uploaded.millis, &queued.sent.to_string()));
    follow(app, client, &queued.deployment).await
}

/// How a directory is deployed, again and again.
#[derive(Clone)]
pub(super) struct Delivery {
    args: DeployArgs,
    pub(super) target: Target,
    began: Option<(i64, Instant)>,
    /// Run the development server over the directory itself.
    pub(super) dev: bool,
}

/// A deployment that waits for its turn, and what was sent for it.
pub(super) struct Queued {
    pub(super) deployment: view::Deployment,
    uploaded: Uploaded,
    sent: Sent,
}

impl Delivery {
    pub(super) fn new(args: &DeployArgs) -> anyhow::Result<Self> {
        Ok(Self {
            args: args.clone(),
            target: Target::new(&args.target, &args.dir)?,
            began: None,
            dev: false,
        })
    }

    /// From now on the next upload is timed.
    pub(super) fn begin(&mut self) {
        self.began = Some((now_ms(), Instant::now()));
    }

    /// Sends what is not `known` to be there, and queues a deployment.
    pub(super) async fn queue(
        &mut self,
        client: &Client,
        manifest: &Manifest,
        known: &mut BTreeSet<Digest>,
    ) -> anyhow::Result<Queued> {
        let (started_at_ms, begin) = self.began.take().unwrap_or_else(|| (now_ms(), Instant::now()));
        let mut sent = send(client, &self.target.project, manifest, known).await?;
        let uploaded = Uploaded {
            started_at_ms,
            millis: millis(begin),
        };
        let proof = match self.dev {
            true => Some(Proof::make(&self.args.dir)?),
            false => None,
        };
        let mut new = self.new_deployment(manifest, uploaded);
        new.live = proof.as_ref().map(|proof| proof.live.clone());
        let deployment = match client.deploy(&new).await {
            // What was there a moment ago has been collected since; once more, and it is there.
            Err(error) if fault_of(&error).code == "missing_blobs" => {
                known.clear();
                sent = send(client, &new.project, manifest, known).await?;
                client.deploy(&new).await?
            }
            result => result?,
        };
        Ok(Queued {
            deployment,
            uploaded,
            sent,
        })
    }

    fn new_deployment(&self, manifest: &Manifest, uploaded: Uploaded) -> NewDeployment {
        let args = &self.args;
        NewDeployment {
            project: self.target.project.clone(),
            namespace: self.target.namespace.clone(),
            environment: args.environment,
            ttl: args.ttl,
            variables: args.variables.iter().cloned().collect(),
            rebuild: args.rebuild,
            origin: Origin::Directory {
                path: absolute(&args.dir),
            },
            tree: manifest.tree.clone(),
            uploaded: Some(uploaded),
            live: None,
        }
    }

    /// From now on what was built is used again.
    pub(super) fn reuse_builds(&mut self) {
        self.args.rebuild = false;
    }
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

/// What is read of `dir`.
pub(super) fn source(app: &App, dir: &Path) -> Source {
    Source {
        dir: dir.to_owned(),
        cache: app.environment.cache_dir(),
    }
}

async fn manifest(app: &App, dir: &Path) -> anyhow::Result<Manifest> {
    let source = source(app, dir);
    tokio::task::spawn_blocking(move || prepare(&source)).await?
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
