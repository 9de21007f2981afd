//! One life of the platform: a runtime of its own, which ends as a process does, with everything that runs in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use builder::fake::FakeRunner;
use builder::{Builder, BuilderOptions};
use control::links::{Busy, OpenForges};
use control::{Clock, CommitCheck, Control, ControlOptions, Disk, OpenError, Policy, PublicAddress};
use forge::settings::{Credentials, Settings};
use model::InstanceId;
use provider::fake::FakeProvider;
use store::{Store, WriteCheck};
use tempfile::TempDir;
use tokio::runtime::{Builder as RuntimeBuilder, Handle, Runtime};

use crate::edge::{EdgeParts, FakeEdge};
use crate::faults::{Faults, Lifeline, Seam};
use crate::paper::{OutsideForge, PaperForge, SECRET};
use crate::receivers::{FakeReceivers, OutsideSender};
use crate::seams::{OutsideProvider, OutsideRunner};

/// How long what a life began may take to end with it.
const END_MAX: Duration = Duration::from_secs(20);

/// What outlives the platform.
pub(crate) struct Outside {
    pub(crate) directory: TempDir,
    pub(crate) provider: FakeProvider,
    pub(crate) runner: FakeRunner,
    pub(crate) forge: PaperForge,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) policy: Policy,
    pub(crate) faults: Faults,
    pub(crate) busy: Arc<Mutex<HashMap<InstanceId, Busy>>>,
    pub(crate) receivers: FakeReceivers,
    /// Where applications live.
    pub(crate) runtime: Handle,
}

pub(crate) struct Life {
    runtime: Runtime,
    control: Control,
    pub(crate) edge: FakeEdge,
    pub(crate) store: Store,
    pub(crate) line: Lifeline,
    /// Held by every connection that can write.
    commits: CommitCheck,
}

impl Life {
    /// Starts over whatever is there; `None` where the platform died or gave up on the way.
    pub(crate) async fn begin(outside: &Outside) -> Option<Self> {
        let runtime = RuntimeBuilder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let line = Lifeline::new(&outside.faults);
        let commits: CommitCheck = Arc::new({
            let line = line.clone();
            move || line.write(Seam::Commit)
        });
        let writes: WriteCheck = Arc::new({
            let line = line.clone();
            move || match line.write(Seam::Store) {
                true => Ok(()),
                false => Err(std::io::Error::other("the story wants it")),
            }
        });
        let path = outside.directory.path().join("store");
        let store = Store::open_checked(&path, Some(writes)).unwrap();
        let (edge, options) = {
            let _inside = runtime.enter();
            options(outside, (&store, &line, &commits))
        };
        let mut opening = runtime.spawn(Control::open(options));
        let opened: Option<Result<Control, OpenError>> = tokio::select! {
            biased;
            () = died(&line) => None,
            opened = &mut opening => Some(opened.unwrap()),
        };
        match opened {
            Some(Ok(control)) => {
                // Before it answers anybody; an edge that is late is waited for by nobody.
                let mut hanging = line.hanging();
                tokio::select! {
                    () = edge.serves() => {}
                    () = died(&line) => {}
                    _ = hanging.wait_for(|calls| *calls > 0) => {}
                }
                Some(Self {
                    runtime,
                    control,
                    edge,
                    store,
                    line,
                    commits,
                })
            }
            failed => {
                let why = failed.and_then(Result::err);
                assert!(outside.faults.struck().is_some(), "it does not start: {why:?}");
                line.cut();
                // It may hold what was opened just before the end.
                drop(opening);
                end(runtime, &commits).await;
                None
            }
        }
    }

    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// It ends at once, as by `SIGKILL`: nothing that it was doing is finished.
    pub(crate) async fn kill(self) {
        self.line.cut();
        drop((self.control, self.edge));
        end(self.runtime, &self.commits).await;
    }
}

/// Returns when the platform at the end of `line` has died.
pub(crate) async fn died(line: &Lifeline) {
    // An error is only possible when the line is gone, and we hold it.
    let _ = line.death().wait_for(|dead| *dead).await;
}

/// Waits until nothing of the life is left: the next one must find the database as a process would.
async fn end(runtime: Runtime, commits: &CommitCheck) {
    tokio::task::spawn_blocking(move || runtime.shutdown_timeout(END_MAX))
        .await
        .unwrap();
    let begin = Instant::now();
    while Arc::strong_count(commits) > 1 {
        assert!(begin.elapsed() < END_MAX, "the database stays open");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn options(
    outside: &Outside,
    (store, line, commits): (&Store, &Lifeline, &CommitCheck),
) -> (FakeEdge, ControlOptions) {
    let (edge, links) = FakeEdge::new(EdgeParts {
        store: store.clone(),
        provider: outside.provider.clone(),
        clock: outside.clock.clone(),
        line: line.clone(),
        busy: outside.busy.clone(),
    });
    let provider = OutsideProvider {
        provider: outside.provider.clone(),
        line: line.clone(),
        outside: outside.runtime.clone(),
        tables: links.tables.subscribe(),
    };
    let runner = OutsideRunner {
        runner: outside.runner.clone(),
        line: line.clone(),
    };
    let builder = Builder::new(BuilderOptions {
        store: store.clone(),
        runner: Arc::new(runner),
        registries: builder::Registries::at("http://127.0.0.1:9"),
        proxy: None,
        toolchain_search: Vec::new(),
        installation_key: [3; 32],
        base_id: "test".to_owned(),
    });
    builder.remove_leftovers().unwrap();
    let data = outside.directory.path();
    let options = ControlOptions {
        database: data.join("state.db"),
        commit_check: Some(commits.clone()),
        logs: data.join("logs"),
        master_key: [9; 32],
        token: "token".to_owned(),
        platform_url: "http://cygni.test".to_owned(),
        forges: [("paper".to_owned(), paper_settings())].into(),
        open_forge: open_paper(outside, line),
        public: PublicAddress {
            scheme: "http",
            domain: "localhost".to_owned(),
            port: Some(7700),
        },
        store: store.clone(),
        builder,
        provider: Arc::new(provider),
        links,
        sender: Arc::new(OutsideSender {
            receivers: outside.receivers.clone(),
            line: line.clone(),
        }),
        clock: outside.clock.clone(),
        disk: outside.disk.clone(),
        policy: outside.policy.clone(),
        limits_hold: true,
        builds_max: 2,
        builds_per_project_max: 1,
    };
    (edge, options)
}

fn paper_settings() -> Settings {
    Settings {
        webhook_secret: Some(SECRET.to_owned()),
        ..Settings::github(Credentials::Anonymous)
    }
}

/// Whatever the settings say, the forge on paper is reached.
fn open_paper(outside: &Outside, line: &Lifeline) -> OpenForges {
    let (forge, line) = (outside.forge.clone(), line.clone());
    Arc::new(move |_| {
        let (forge, line) = (forge.clone(), line.clone());
        Ok(Arc::new(OutsideForge { forge, line }))
    })
}
