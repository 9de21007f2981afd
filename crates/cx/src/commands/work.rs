//! Work on a directory: every save becomes a deployment, and the preview's pages follow.
//!
//! A save while another one is being deployed takes its place. What fails is told, and what served before goes on
//! serving. The log of what serves goes on from deployment to deployment.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::ops::WATCH_SECONDS;
use control::view;
use model::deployment::State;
use model::{Digest, PreviewId, Tree};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::deploy::{Delivery, serves};
use super::follow::{finished, patiently};
use super::side_by_side::SideBySide;
use super::up::announce;
use super::{App, live, logs};
use crate::client::Client;
use crate::exit::fault_of;
use crate::terminal::{Outcome, change_lines, changed_files, hint};
use crate::watch::{Change, Seen, Watch};

/// How often it is said that the preview is being worked on; some may get lost.
const SAY: Duration = Duration::from_secs(WATCH_SECONDS / 3);

/// What follows a directory.
pub(super) struct Work<'a> {
    pub(super) app: &'a App,
    pub(super) client: &'a Client,
    pub(super) delivery: Delivery,
    pub(super) watch: Watch,
    /// What was said of the directory before; once is enough.
    pub(super) noted: HashSet<String>,
    /// Whether it was said where it is live.
    pub(super) announced: bool,
    /// What Ctrl-C does.
    pub(super) ending: &'a str,
}

/// What has become of the changes so far.
struct Standing {
    /// What the last line was about.
    told: Tree,
    /// What was brought last, whatever becomes of it.
    brought: Tree,
    /// Whether the last deployment failed.
    broken: bool,
    log: Option<SideBySide>,
    /// What is known to be on the server.
    sent: Arc<Mutex<BTreeSet<Digest>>>,
}

/// A change on its way.
type Turn<'a> = Pin<Box<dyn Future<Output = (Tree, Instant, anyhow::Result<view::Deployment>)> + 'a>>;

impl Work<'_> {
    /// Goes on until somebody ends it. `first` is the deployment of `tree`, with which it began.
    pub(super) async fn follow(mut self, first: &view::Deployment, tree: Tree) -> anyhow::Result<()> {
        let (app, client) = (self.app, self.client);
        let mut standing = Standing {
            told: tree.clone(),
            brought: tree,
            broken: !serves(first),
            log: serves(first).then(|| SideBySide::of_instances(client, first)),
            sent: Arc::default(),
        };
        let mut turn: Option<Turn<'_>> = None;
        loop {
            tokio::select! {
                biased;
                seen = self.watch.next() => match seen {
                    // The one that is on its way is dropped: its place is taken.
                    Some(Seen::Changed(change)) if !self.concerns(&standing, &change) => {}
                    Some(Seen::Changed(change)) => {
                        self.note(&change.manifest.notes);
                        standing.brought.clone_from(&change.manifest.tree);
                        let delivery = self.delivery.clone();
                        turn = Some(Box::pin(bring(app, client, delivery, (change, standing.sent.clone()))));
                    }
                    Some(Seen::Trouble(error)) => self.trouble(&error),
                    Some(Seen::Note(note)) => app.terminal.warn(&note),
                    None => anyhow::bail!("the directory is not watched any more"),
                },
                (tree, since, brought) = async { turn.as_mut().expect("guarded").await }, if turn.is_some() => {
                    turn = None;
                    app.terminal.clear();
                    self.tell(&mut standing, (tree, since), brought).await?;
                }
                line = async { standing.log.as_mut().expect("guarded").next().await }, if standing.log.is_some() => {
                    match line {
                        Ok(Some((source, line))) => logs::print(app, source, &line)?,
                        Ok(None) => standing.log = None,
                        Err(error) => {
                            standing.log = None;
                            self.trouble(&error);
                        }
                    }
                }
            }
        }
    }

    /// Says what a change has led to, and looks at the log of what serves now.
    async fn tell(
        &mut self,
        standing: &mut Standing,
        (tree, since): (Tree, Instant),
        brought: anyhow::Result<view::Deployment>,
    ) -> anyhow::Result<()> {
        let deployment = match brought {
            Ok(deployment) => deployment,
            Err(error) => {
                self.trouble(&error);
                return Ok(());
            }
        };
        let terminal = &self.app.terminal;
        if terminal.json {
            terminal.json_line(&deployment)?;
        } else {
            let what = changed_files(&standing.told, &tree);
            let outcome = Outcome {
                what: &what,
                deployment: &deployment,
                millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
                recovered: standing.broken && self.announced,
            };
            let lines = change_lines(&outcome, terminal.err);
            lines.iter().for_each(|line| terminal.say(line));
        }
        match deployment.state {
            // Somebody else deployed meanwhile.
            State::Cancelled => return Ok(()),
            State::Failed => {
                if self.announced && !terminal.json {
                    terminal.say(&terminal.err.dim("what served before goes on serving"));
                }
                standing.broken = true;
            }
            _ => {
                standing.broken = false;
                if !std::mem::replace(&mut self.announced, true) {
                    announce(self.app, self.client, &deployment, self.ending).await?;
                }
                standing.log = Some(SideBySide::of_instances(self.client, &deployment));
            }
        }
        standing.told = tree;
        Ok(())
    }

    /// A development server sees for itself what is saved; only what decides how it is started concerns us.
    fn concerns(&self, standing: &Standing, change: &Change) -> bool {
        !self.delivery.dev || standing.broken || live::decides(&standing.brought, &change.manifest.tree)
    }

    /// Says what is left out of the directory, each once.
    fn note(&mut self, notes: &[String]) {
        for note in notes {
            if self.noted.insert(note.clone()) {
                self.app.terminal.warn(note);
            }
        }
    }

    /// Something does not work and may work after the next save.
    fn trouble(&self, error: &anyhow::Error) {
        let (fault, terminal) = (fault_of(error), &self.app.terminal);
        terminal.say(&format!("{} {}", terminal.err.red("✗"), fault.message));
        if let Some(text) = &fault.hint {
            terminal.say(&format!("{} {}", terminal.err.cyan("hint:"), hint(text)));
        }
    }
}

/// Sends and deploys a change, and waits for its end.
async fn bring(
    app: &App,
    client: &Client,
    mut delivery: Delivery,
    (change, sent): (Change, Arc<Mutex<BTreeSet<Digest>>>),
) -> (Tree, Instant, anyhow::Result<view::Deployment>) {
    let Change { manifest, since } = change;
    let brought = async {
        let mut known = sent.lock().await;
        // A server that is started anew goes on with what it has.
        let queued = patiently(async || delivery.queue(client, &manifest, &mut known).await).await?;
        finished(app, client, &queued.deployment).await
    };
    let brought = brought.await;
    (manifest.tree, since, brought)
}

/// Says again and again that the preview is being worked on, until it is dropped.
pub(super) struct Watched {
    task: JoinHandle<()>,
}

impl Watched {
    pub(super) fn new(client: &Client, preview: PreviewId) -> Self {
        let client = client.clone();
        let task = tokio::spawn(async move {
            let mut times = tokio::time::interval(SAY);
            loop {
                times.tick().await;
                if let Err(error) = client.watch(&preview).await {
                    tracing::debug!(%error, "pages do not know that somebody works on them");
                }
            }
        });
        Self { task }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}
