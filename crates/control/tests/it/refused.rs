//! What the platform refuses or cannot do because of what is around it: an edge that does not answer, a machine that keeps
//! nobody within limits, a disk that is full. Each under a code of its own, and none for ever.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use builder::fake::FakeRunner;
use builder::{Builder, BuilderOptions};
use control::links::{Activity, Busy, Check, EdgeLinks, NoAnswer, Probe};
use control::ops::{DeployRequest, InlineFile, Kind, OpError};
use control::{Clock, Control, ControlOptions, Disk, Policy, PublicAddress, view};
use model::deployment::State;
use model::failure::{Blame, Code, Failure};
use model::limits::ATTEMPTS_MAX;
use model::preview::Origin;
use model::route::{Notice, RouteTable, Target};
use model::{DeploymentId, EnvironmentName, InstanceId, NamespaceName, ProjectName};
use provider::fake::FakeProvider;
use store::{Room, Store};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::receivers::FakeReceivers;

/// Longer than any back-off.
const LATER_MS: i64 = 600_000;

/// A platform with next to nothing around it.
struct Bare {
    control: Control,
    clock: Clock,
    /// Whether the edge answers for nothing.
    deaf: Arc<AtomicBool>,
    tables: watch::Receiver<Arc<RouteTable>>,
    directory: TempDir,
    _wakes: mpsc::Sender<InstanceId>,
}

struct Edge(Arc<AtomicBool>);

#[async_trait]
impl Probe for Edge {
    async fn answer(&self, check: &Check) -> Result<(), NoAnswer> {
        let deployment = check.deployment.clone();
        match self.0.load(Ordering::SeqCst) {
            true => Err(NoAnswer::Edge {
                deployment,
                why: "the test wants it".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

impl Activity for Edge {
    fn of(&self, _: &InstanceId) -> Busy {
        Busy::default()
    }
}

impl Bare {
    async fn new(limits_hold: bool) -> Self {
        Self::over(tempfile::tempdir().unwrap(), limits_hold).await
    }

    async fn over(directory: TempDir, limits_hold: bool) -> Self {
        let (store, clock) = (
            Store::open(&directory.path().join("store")).unwrap(),
            Clock::held(1_700_000_000_000),
        );
        let (tables, seen) = watch::channel(Arc::new(RouteTable::default()));
        let (acknowledge, acknowledged) = watch::channel(0);
        let (wakes, wanted) = mpsc::channel(16);
        let deaf: Arc<AtomicBool> = Arc::default();
        let mut taken = seen.clone();
        tokio::spawn(async move {
            while taken.changed().await.is_ok() {
                acknowledge.send_replace(taken.borrow_and_update().generation);
            }
        });
        let links = EdgeLinks {
            tables,
            acknowledged,
            wakes: wanted,
            activity: Arc::new(Edge(deaf.clone())),
            probe: Arc::new(Edge(deaf.clone())),
        };
        let builder = Builder::new(BuilderOptions {
            store: store.clone(),
            runner: Arc::new(FakeRunner::default()),
            registries: builder::Registries::at("http://127.0.0.1:9"),
            proxy: None,
            toolchain_search: Vec::new(),
            installation_key: [3; 32],
            base_id: "test".to_owned(),
        });
        let control = Control::open(ControlOptions {
            database: directory.path().join("state.db"),
            commit_check: None,
            logs: directory.path().join("logs"),
            master_key: [9; 32],
            token: "token".to_owned(),
            platform_url: "http://cygni.test".to_owned(),
            forges: Default::default(),
            open_forge: control::links::forges_within(Default::default()),
            public: PublicAddress {
                scheme: "http",
                domain: "localhost".to_owned(),
                port: Some(7700),
            },
            store,
            builder,
            provider: Arc::new(FakeProvider::new()),
            links,
            sender: Arc::new(FakeReceivers::default()),
            clock: clock.clone(),
            // More than there is, so that the floor keeps nobody from writing until nothing can be written.
            disk: Disk::held(Room {
                free_bytes: 100 << 30,
                total_bytes: 200 << 30,
            }),
            policy: Policy::default(),
            limits_hold,
            builds_max: 2,
            builds_per_project_max: 1,
        });
        Self {
            control: control.await.unwrap(),
            clock,
            deaf,
            tables: seen,
            directory,
            _wakes: wakes,
        }
    }

    async fn queue(&self, name: &str, text: &str) -> Result<DeploymentId, OpError> {
        let project = ProjectName::new("shop").unwrap();
        let file = InlineFile {
            path: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
            executable: false,
        };
        let request = DeployRequest {
            tree: self.control.put_inline(&project, vec![file]).await?,
            project,
            namespace: NamespaceName::main(),
            environment: EnvironmentName::Preview,
            origin: Origin::Files,
            ttl: None,
            live: None,
            variables: BTreeMap::new(),
            rebuild: false,
            uploaded: None,
        };
        Ok(self.control.deploy(request).await?.id)
    }

    async fn settled(&self, id: &DeploymentId) -> view::Deployment {
        self.control.settle().await;
        self.control.deployment(id).await.unwrap()
    }

    /// After everything that is tried again was tried for the last time.
    async fn failure(&self, id: &DeploymentId) -> Failure {
        for _ in 0..=ATTEMPTS_MAX {
            self.control.settle().await;
            self.clock.advance(LATER_MS);
        }
        self.settled(id).await.failure.unwrap()
    }

    /// From now on, the deployment is that of a stranger.
    async fn distrust(&self, id: &DeploymentId) {
        let file = self.directory.path().join("state.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let update = sqlx::query("UPDATE deployments SET trust = 'fork' WHERE id = ?").bind(id.as_str());
        assert_eq!(update.execute(&mut connection).await.unwrap().rows_affected(), 1);
    }
}

#[tokio::test]
async fn an_edge_that_does_not_answer_is_the_platforms_fault() {
    let bare = Bare::new(true).await;
    bare.deaf.store(true, Ordering::SeqCst);
    let bad = bare.queue("index.html", "bad").await.unwrap();
    let failure = bare.failure(&bad).await;
    assert_eq!(
        (failure.code, failure.blame),
        (Code::RouteUnanswered, Blame::Platform)
    );
    bare.deaf.store(false, Ordering::SeqCst);
    let good = bare.queue("index.html", "good").await.unwrap();
    assert_eq!(bare.settled(&good).await.state, State::Ready);
}

#[tokio::test]
async fn strangers_are_refused_where_limits_cannot_be_kept() {
    let bare = Bare::new(false).await;
    let server = ("cx.toml", "[run]\ncommand = \"serve\"\n");
    let id = bare.queue(server.0, server.1).await.unwrap();
    bare.distrust(&id).await;
    let failure = bare.failure(&id).await;
    assert_eq!(failure.code, Code::IsolationTooWeak);
    assert!(
        failure.message.contains("limits of memory"),
        "{}",
        failure.message
    );
    let own = bare.queue(server.0, server.1).await.unwrap();
    let own = bare.settled(&own).await;
    assert_eq!(
        own.state,
        State::Ready,
        "who is trusted is let in: {:?}",
        own.failure
    );
}

#[tokio::test]
async fn visitors_of_what_was_cancelled_are_told() {
    let bare = Bare::new(true).await;
    let id = bare.queue("index.html", "hello").await.unwrap();
    bare.control.cancel(&id).await.unwrap();
    bare.control.settle().await;
    let table = bare.tables.borrow().clone();
    match &table.routes["shop.localhost"].target {
        Target::Notice(Notice::Failed(failure)) => assert_eq!(failure.code, Code::Cancelled),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn names_that_were_nearly_right_are_recognised() {
    let bare = Bare::new(true).await;
    bare.queue("index.html", "hello").await.unwrap();
    let hint = async |project: &str, namespace: &str| {
        let (project, namespace) = (
            ProjectName::new(project).unwrap(),
            NamespaceName::new(namespace).unwrap(),
        );
        let error = bare.control.find_preview(&project, &namespace).await.unwrap_err();
        assert_eq!(error.code, "not_found");
        error.hint
    };
    assert!(hint("shpo", "main").await.starts_with("Did you mean `shop`?"));
    assert!(hint("shop", "mian").await.starts_with("Did you mean `main`?"));
    assert!(hint("zzzzzz", "main").await.starts_with("`cx list`"));
}

/// A disk of its own, until the end of the test.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        use rustix::mount::{MountFlags, mount};
        mount("test", at, "tmpfs", MountFlags::empty(), Some(c"size=16m")).unwrap();
        Self(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // One that is still in use goes with its last user.
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_written_are_refused_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_owned();
    let _disk = SmallDisk::mount(&place);
    let bare = Bare::over(directory, true).await;
    let before = bare.queue("index.html", "before").await.unwrap();
    assert_eq!(bare.settled(&before).await.state, State::Ready);
    // Not a byte is left: neither for blobs nor for rows.
    let ballast = place.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
    let mut refused = 0;
    for n in 0..20 {
        let large = format!("{n}").repeat(100_000);
        match bare.queue("index.html", &large).await {
            Err(error) => {
                assert_eq!((error.kind, error.code), (Kind::NoRoom, "disk_full"), "{error}");
                refused += 1;
            }
            Ok(id) => panic!("{id} was written where there is no room"),
        }
    }
    assert_eq!(refused, 20);
    assert_eq!(
        bare.settled(&before).await.state,
        State::Ready,
        "what was there is there"
    );
    let staged = std::fs::read_dir(place.join("store/staging")).unwrap().count();
    assert_eq!(staged, 0, "nothing half-written stays");
    // Its space is given back when nobody has it open any more.
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    let after = bare.queue("index.html", "after").await.unwrap();
    assert_eq!(bare.settled(&after).await.state, State::Ready);
}
