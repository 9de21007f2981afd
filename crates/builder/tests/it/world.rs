//! A store, a builder and sources in a temporary directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use builder::fake::FakeRunner;
use builder::{BuildError, BuildRequest, Builder, BuilderOptions, Observer, Runner};
use model::artifact::{Content, Server};
use model::tree::{Entry, Node};
use model::trust::Trust;
use model::{Artifact, Digest, Failure, ProjectId, Tree};
use sandbox::log::Level;
use store::Store;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) builder: Builder,
    pub(crate) runner: FakeRunner,
    pub(crate) log: Log,
    pub(crate) dir: TempDir,
    has_disk: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        if self.has_disk {
            // One that is still in use goes with its last user.
            let _ = rustix::mount::unmount(self.dir.path(), rustix::mount::UnmountFlags::DETACH);
        }
    }
}

/// Remembers what the observer is told.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Observer for Log {
    fn phase_started(&self, name: &str) {
        self.0.lock().unwrap().push(format!("> {name}"));
    }

    fn phase_ended(&self, name: &str) {
        self.0.lock().unwrap().push(format!("< {name}"));
    }

    fn line(&self, _level: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

impl Log {
    /// Everything so far, and forgets it.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// What the machine is said to have: a Node and an npm that nobody runs.
pub(crate) fn installation(dir: &TempDir) -> PathBuf {
    installation_with(dir, "#!/usr/bin/env node")
}

/// The same with an npm of the test's own, which a real sandbox runs.
pub(crate) fn installation_with(dir: &TempDir, npm: &str) -> PathBuf {
    let prefix = dir.path().join("machine/v20.19.0");
    for (path, text) in [
        ("bin/node", ""),
        ("lib/node_modules/npm/package.json", r#"{"version": "10.8.2"}"#),
        ("lib/node_modules/npm/bin/npm-cli.js", npm),
        ("lib/node_modules/npm/bin/npx-cli.js", "#!/usr/bin/env node"),
    ] {
        std::fs::create_dir_all(prefix.join(path).parent().unwrap()).unwrap();
        std::fs::write(prefix.join(path), text).unwrap();
    }
    // Some program of the system: a scripted runner does not run it.
    std::fs::copy("/bin/sh", prefix.join("bin/node")).unwrap();
    prefix
}

impl World {
    /// With a scripted runner and Node 20.19.0 on the machine.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = vec![installation(&dir)];
        let runner = FakeRunner::default();
        Self::with(
            dir,
            Arc::new(runner.clone()),
            runner,
            ("http://127.0.0.1:1", places),
        )
    }

    /// The same on a disk of its own with next to no room.
    pub(crate) fn on_small_disk() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("test", dir.path(), "tmpfs", flags, Some(c"size=32m")).unwrap();
        let (places, runner) = (vec![installation(&dir)], FakeRunner::default());
        let real = Arc::new(runner.clone());
        let mut world = Self::with(dir, real, runner, ("http://127.0.0.1:1", places));
        world.has_disk = true;
        world
    }

    pub(crate) fn with(
        dir: TempDir,
        real: Arc<dyn Runner>,
        runner: FakeRunner,
        (registry_url, toolchain_search): (&str, Vec<PathBuf>),
    ) -> Self {
        let store = Store::open(&dir.path().join("store")).unwrap();
        let builder = Builder::new(BuilderOptions {
            store: store.clone(),
            runner: real,
            registries: builder::Registries::at(registry_url),
            proxy: None,
            toolchain_search,
            installation_key: [7; 32],
            base_id: "base-1".to_owned(),
        });
        Self {
            store,
            builder,
            runner,
            log: Log::default(),
            dir,
            has_disk: false,
        }
    }

    pub(crate) fn source(&self, files: &[(&str, &str)]) -> Digest {
        let entry = |(path, text): &(&str, &str)| {
            let (digest, size_bytes) = self.store.put_blob(text.as_bytes(), 1 << 20).unwrap();
            Entry {
                path: path.parse().unwrap(),
                node: Node::File {
                    digest,
                    size_bytes,
                    executable: false,
                },
            }
        };
        let tree = Tree::new(files.iter().map(entry).collect()).unwrap();
        self.store.put_tree(&tree).unwrap()
    }

    /// A request of a member, detected from `files`.
    pub(crate) fn request(&self, name: &str, files: &[(&str, &str)]) -> BuildRequest {
        let tree = self.source(files);
        BuildRequest {
            name: name.to_owned(),
            project: ProjectId::from_random([1; 10]),
            tree,
            plan: self.builder.detect(&tree).unwrap(),
            variables: BTreeMap::new(),
            secrets: Vec::new(),
            trust: Trust::Member,
            rebuild: false,
        }
    }

    pub(crate) async fn build(&self, request: &BuildRequest) -> Result<Artifact, BuildError> {
        self.builder
            .build(request, &self.log, &CancellationToken::new())
            .await
    }

    pub(crate) async fn failure(&self, request: &BuildRequest) -> Failure {
        match self.build(request).await.unwrap_err() {
            BuildError::Failed(failure) => failure,
            BuildError::Cancelled => panic!("nobody cancelled"),
        }
    }

    /// Files that builds left where nothing should stay.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let staging = std::fs::read_dir(self.dir.path().join("store/staging")).unwrap();
        let names = staging.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let scratches = self
            .store
            .scratches()
            .unwrap()
            .into_iter()
            .filter(|name| name.starts_with("build-"));
        names.chain(scratches).collect()
    }
}

pub(crate) fn server(artifact: &Artifact) -> &Server {
    match &artifact.services[0].content {
        Content::Server(server) => server,
        Content::Static { .. } => panic!("a server was expected"),
    }
}

/// Paths of the static files of an artifact.
pub(crate) fn files(world: &World, artifact: &Artifact) -> Vec<String> {
    match &artifact.services[0].content {
        Content::Static { tree, .. } => {
            let tree = world.store.tree(tree).unwrap();
            tree.entries()
                .iter()
                .map(|entry| entry.path.to_string())
                .collect()
        }
        Content::Server(_) => panic!("static files were expected"),
    }
}
