//! One installation in a temporary directory, and the words that the stories are told with.
//!
//! The words are those of a patient user. Where a fault lets one fail, or the platform dies, it is said again: a story must
//! end as it does without the fault. Only what it says about *when* something happens is not owed any more then; a story
//! asks with [`World::undisturbed`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use builder::fake::FakeRunner;
use control::ops::{DeployRequest, InlineFile, Kind, OpError};
use control::view::{Deployment, LogKind, Preview};
use control::{Clock, Control, Disk, Policy};
use model::deployment::State;
use model::preview::Origin;
use model::{DeploymentId, EnvironmentName, NamespaceName, PreviewId, ProjectName};
use provider::fake::FakeProvider;
use store::Room;
use tempfile::TempDir;

use crate::edge::Answer;
use crate::faults::Faults;
use crate::life::{Life, Outside, died};
use crate::paper::PaperForge;
use crate::receivers::FakeReceivers;

/// How often a word is said again.
const TRIES_MAX: usize = 4;
/// What is waited for after a failure of the platform, and how often, until everything is done that was postponed.
const BACK_OFF_MS: i64 = 2_500;
const BACK_OFFS_MAX: usize = 20;
const BACK_OFFS_MIN: usize = 2;
/// Nothing is waited for as long as this.
const FOR_EVER_MS: i64 = 2 * 3_600_000;
/// How long whoever waits on the held clock may take to see that it has moved.
const NOTICE: Duration = Duration::from_millis(20);
/// Looks at what is waited for, before it never comes.
const LOOKS_MAX: usize = 2_000;

pub(crate) struct World {
    outside: Outside,
    life: Option<Life>,
    /// Whether everything has been caught up since the fault.
    recovered: bool,
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::new(name).unwrap()
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

/// A page that says `text`.
pub(crate) fn page(text: &str) -> Vec<(String, String)> {
    vec![("index.html".to_owned(), text.to_owned())]
}

/// A server whose start command is `command`; the fake provider tells behaviours apart by it.
pub(crate) fn server(command: &str) -> Vec<(String, String)> {
    vec![("cx.toml".to_owned(), format!("[run]\ncommand = \"{command}\"\n"))]
}

/// Asks control as [`World::ask`] does; the named values are cloned for every try.
macro_rules! ask {
    ($world:expr, [$($value:ident),*], |$control:ident| $op:expr) => {{
        $(let $value = $value.clone();)*
        $world
            .ask(move |$control| {
                $(let $value = $value.clone();)*
                async move { $op.await }
            })
            .await
    }};
}
pub(crate) use ask;

impl World {
    pub(crate) async fn new(faults: Faults) -> Self {
        let outside = Outside {
            directory: directory(),
            provider: FakeProvider::new(),
            runner: FakeRunner::default(),
            forge: PaperForge::default(),
            // Now, like the times of files: what is in the store grows old when the clock is moved.
            clock: Clock::held(Clock::system().now_ms()),
            disk: Disk::held(Room {
                free_bytes: 100 << 30,
                total_bytes: 200 << 30,
            }),
            policy: Policy::default(),
            faults,
            busy: Default::default(),
            receivers: Default::default(),
            runtime: tokio::runtime::Handle::current(),
        };
        let mut world = Self {
            outside,
            life: None,
            recovered: false,
        };
        world.begin().await;
        world
    }

    /// Whether everything has gone well so far.
    pub(crate) fn undisturbed(&self) -> bool {
        self.outside.faults.struck().is_none()
    }

    pub(crate) fn provider(&self) -> &FakeProvider {
        &self.outside.provider
    }

    pub(crate) fn runner(&self) -> &FakeRunner {
        &self.outside.runner
    }

    pub(crate) fn forge(&self) -> PaperForge {
        self.outside.forge.clone()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.outside.clock
    }

    /// Where subscribers listen.
    pub(crate) fn receivers(&self) -> &FakeReceivers {
        &self.outside.receivers
    }

    /// The disk that the platform believes to have.
    pub(crate) fn disk(&self) -> &Disk {
        &self.outside.disk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.outside.directory.path().join(name)
    }

    /// Makes the edge say that the instance has one open request.
    pub(crate) fn keep_busy(&self, instance: &model::InstanceId) {
        let busy = control::links::Busy {
            last_request_at_ms: self.clock().now_ms(),
            in_flight: 1,
        };
        self.outside.busy.lock().unwrap().insert(instance.clone(), busy);
    }

    /// The request is over, and the instance is not used any more.
    pub(crate) fn leave_alone(&self, instance: &model::InstanceId) {
        let mut busy = self.outside.busy.lock().unwrap();
        if let Some(busy) = busy.get_mut(instance) {
            busy.in_flight = 0;
        }
    }

    /// The platform dies and starts again over the same data; what runs outside goes on running.
    pub(crate) async fn restart(&mut self) {
        if let Some(life) = self.life.take() {
            life.kill().await;
        }
        self.begin().await;
    }

    async fn begin(&mut self) {
        // It dies at the most once, and is started again as a service manager does.
        for _ in 0..TRIES_MAX {
            self.life = Life::begin(&self.outside).await;
            if self.life.is_some() {
                return;
            }
        }
        panic!("the platform does not start any more");
    }

    /// For who asks as nobody else does, and lets nothing be told again.
    pub(crate) fn control(&self) -> Control {
        self.life().control()
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    /// Runs `work` inside of the platform; `None` when it died meanwhile, and lives again now.
    async fn run<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let line = self.life().line.clone();
        let mut working = self.life().handle().spawn(work);
        let mut hanging = line.hanging();
        let mut waited_ms = 1_000;
        loop {
            tokio::select! {
                biased;
                () = died(&line) => break,
                done = &mut working => return Some(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))),
                _ = hanging.wait_for(|calls| *calls > 0) => {}
            }
            // Somebody waits for an answer that never comes: time passes, until it is waited for no longer.
            assert!(
                waited_ms < FOR_EVER_MS,
                "{:?} is waited for for ever",
                self.outside.faults.struck()
            );
            self.clock().advance(waited_ms);
            waited_ms *= 2;
            // Too short a look only lets more time pass.
            let _ = tokio::time::timeout(NOTICE, hanging.wait_for(|calls| *calls == 0)).await;
        }
        self.restart().await;
        None
    }

    /// Asks control for something until it is answered, and not by a failure that a fault explains.
    pub(crate) async fn ask<T, F>(&mut self, op: impl Fn(Control) -> F) -> Result<T, OpError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, OpError>> + Send + 'static,
    {
        for _ in 0..TRIES_MAX {
            let asked = op(self.life().control());
            match self.run(asked).await {
                Some(Err(error)) if !self.undisturbed() && is_passing(&error) => {}
                Some(answer) => return answer,
                None => {}
            }
        }
        panic!("{:?} lets it fail again and again", self.outside.faults.struck());
    }

    /// Lets everything come to rest; after a fault also what was put off because of it.
    pub(crate) async fn settle(&mut self) {
        self.settle_once().await;
        if self.undisturbed() || self.recovered {
            return;
        }
        for round in 1.. {
            self.clock().advance(BACK_OFF_MS);
            self.settle_once().await;
            if round >= BACK_OFFS_MIN && !self.any_unfinished().await {
                break;
            }
            assert!(round < BACK_OFFS_MAX, "it is never finished after a fault");
        }
        self.recovered = true;
    }

    async fn settle_once(&mut self) {
        loop {
            let control = self.life().control();
            if self.run(async move { control.settle().await }).await.is_some() {
                return;
            }
        }
    }

    /// Lets every pass look once, without waiting for what it begins.
    pub(crate) async fn pass(&mut self) {
        let control = self.life().control();
        self.run(async move { control.pass().await }).await;
    }

    /// Lets the passes work until `seen` holds, without waiting for what hangs.
    pub(crate) async fn until(&mut self, seen: impl AsyncFn(&mut World) -> bool) {
        for _ in 0..LOOKS_MAX {
            self.pass().await;
            if seen(self).await {
                return;
            }
            if !self.undisturbed() {
                let hangs = *self.life().line.hanging().borrow() > 0;
                self.clock().advance(if hangs { 60_000 } else { 500 });
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it never comes");
    }

    /// Lets everything come to rest, with what was put off because the platform died on the way.
    pub(crate) async fn settle_after_deaths(&mut self) {
        for _ in 0..BACK_OFFS_MAX {
            self.settle().await;
            if !self.any_unfinished().await {
                return;
            }
            self.clock().advance(BACK_OFF_MS);
        }
        panic!("it is never finished after a death");
    }

    async fn any_unfinished(&mut self) -> bool {
        for preview in self.previews().await {
            let deployments = self.deployments(&preview.id).await;
            // What waits for room may wait for ever.
            if deployments
                .iter()
                .any(|deployment| deployment.state.is_unfinished() && deployment.waiting.is_none())
            {
                return true;
            }
        }
        false
    }

    pub(crate) async fn try_deploy(
        &mut self,
        name: &str,
        space: &str,
        files: Vec<(String, String)>,
        variables: &[(&str, &str)],
    ) -> Result<Deployment, OpError> {
        let file = |(path, text): (String, String)| InlineFile {
            path,
            bytes: text.into_bytes(),
            executable: false,
        };
        let files: Vec<InlineFile> = files.into_iter().map(file).collect();
        let name = project(name);
        let tree = ask!(self, [name, files], |control| control.put_inline(&name, files))?;
        let variables: BTreeMap<_, _> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = DeployRequest {
            project: name,
            namespace: namespace(space),
            environment: EnvironmentName::Preview,
            tree,
            origin: Origin::Files,
            ttl: None,
            variables,
            rebuild: false,
            uploaded: None,
            live: None,
        };
        ask!(self, [request], |control| control.deploy(request))
    }

    /// Queues a deployment; nothing has happened to it yet.
    pub(crate) async fn queue(
        &mut self,
        name: &str,
        space: &str,
        files: Vec<(String, String)>,
    ) -> DeploymentId {
        self.try_deploy(name, space, files, &[]).await.unwrap().id
    }

    /// Deploys and lets everything come to rest.
    pub(crate) async fn deploy(
        &mut self,
        name: &str,
        space: &str,
        files: Vec<(String, String)>,
    ) -> Deployment {
        let id = self.queue(name, space, files).await;
        self.settle().await;
        self.deployment(&id).await
    }

    pub(crate) async fn redeploy(&mut self, id: &DeploymentId) -> Deployment {
        let id = ask!(self, [id], |control| control.redeploy(&id, false))
            .unwrap()
            .id;
        self.settle().await;
        self.deployment(&id).await
    }

    /// Goes back; whoever hears nothing looks whether it happened before they go back once more.
    pub(crate) async fn rollback(
        &mut self,
        preview: &PreviewId,
        to: Option<&DeploymentId>,
    ) -> Result<Deployment, OpError> {
        let before = self.current(preview).await;
        let (preview, to) = (preview.clone(), to.cloned());
        ask!(self, [preview, to, before], |control| async {
            match control.preview(&preview).await?.current {
                Some(now) if Some(&now) != before.as_ref() => control.deployment(&now).await,
                _ => control.rollback(&preview, to.as_ref()).await,
            }
        })
    }

    pub(crate) async fn cancel(&mut self, id: &DeploymentId) {
        let cancelled = ask!(self, [id], |control| async {
            match control.cancel(&id).await {
                Err(error) if error.kind == Kind::Conflict => control.deployment(&id).await,
                answer => answer,
            }
        });
        assert_eq!(cancelled.unwrap().state, State::Cancelled);
    }

    pub(crate) async fn delete(&mut self, preview: &PreviewId) {
        let deleted = ask!(self, [preview], |control| control.delete_preview(&preview));
        assert!(deleted.is_ok() || !self.undisturbed(), "{deleted:?}");
    }

    pub(crate) async fn project(&mut self, name: &str) -> control::view::Project {
        let name = project(name);
        ask!(self, [name], |control| control.project(&name)).unwrap()
    }

    pub(crate) async fn delete_namespace(&mut self, space: &str) {
        let space = namespace(space);
        let deleted = ask!(self, [space], |control| control.delete_namespace(&space, None));
        assert!(deleted.is_ok() || !self.undisturbed(), "{deleted:?}");
    }

    pub(crate) async fn deployment(&mut self, id: &DeploymentId) -> Deployment {
        self.find_deployment(id).await.unwrap()
    }

    pub(crate) async fn find_deployment(&mut self, id: &DeploymentId) -> Result<Deployment, OpError> {
        ask!(self, [id], |control| control.deployment(&id))
    }

    pub(crate) async fn deployments(&mut self, preview: &PreviewId) -> Vec<Deployment> {
        ask!(self, [preview], |control| control.deployments(&preview)).unwrap()
    }

    pub(crate) async fn previews(&mut self) -> Vec<Preview> {
        ask!(self, [], |control| control.previews()).unwrap()
    }

    pub(crate) async fn preview(&mut self, name: &str, space: &str) -> Preview {
        let (name, space) = (project(name), namespace(space));
        ask!(self, [name, space], |control| control.find_preview(&name, &space)).unwrap()
    }

    async fn current(&mut self, preview: &PreviewId) -> Option<DeploymentId> {
        let found = ask!(self, [preview], |control| control.preview(&preview));
        found.unwrap().current
    }

    /// A request waits for the instance; the edge asks again as long as it waits.
    pub(crate) async fn wake(&mut self, instance: &model::InstanceId) {
        let wanted = ask!(self, [instance], |control| async {
            Ok(control.want_awake(&instance).await?)
        });
        wanted.unwrap();
        self.settle().await;
    }

    /// What a visitor of the address gets.
    pub(crate) async fn visit(&mut self, url: &str) -> Answer {
        self.let_edge_catch_up().await;
        self.life().edge.get(host(url)).await
    }

    /// Who only writes rows does not wait for the edge; a visitor comes when it has heard of them.
    async fn let_edge_catch_up(&mut self) {
        loop {
            let edge = self.life().edge.clone();
            if self.run(async move { edge.serves().await }).await.is_some() {
                return;
            }
        }
    }

    /// Whether pages at the address reload when it changes.
    pub(crate) async fn is_watched(&mut self, url: &str) -> bool {
        self.let_edge_catch_up().await;
        self.life()
            .edge
            .route(host(url))
            .is_some_and(|route| route.watched)
    }

    /// What the edge answers with at the address.
    pub(crate) async fn target(&mut self, url: &str) -> Option<model::route::Target> {
        self.let_edge_catch_up().await;
        self.life().edge.route(host(url)).map(|route| route.target)
    }

    pub(crate) async fn log(&mut self, id: &DeploymentId) -> Vec<String> {
        let page = ask!(self, [id], |control| control.log(&id, LogKind::Build, 0));
        page.unwrap().lines.into_iter().map(|line| line.text).collect()
    }

    pub(crate) async fn event_kinds(&mut self) -> Vec<String> {
        let events = ask!(self, [], |control| control.events(0)).unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// Promises that were seen broken on the way.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.outside.faults.broken()
    }

    pub(crate) fn store(&self) -> &store::Store {
        &self.life().store
    }

    pub(crate) async fn end(mut self) {
        if let Some(life) = self.life.take() {
            life.kill().await;
        }
    }
}

/// Whether it says that the platform could not, and not that it must not be.
fn is_passing(error: &OpError) -> bool {
    matches!(error.kind, Kind::Internal | Kind::Unavailable)
}

/// In memory where there is such a place: what a power cut loses is not told here, and thousands of directories are made.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// The host of `http://host:port`.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split("://").nth(1).unwrap();
    rest.split(':').next().unwrap()
}
