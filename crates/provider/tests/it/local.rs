//! The provider of this machine, over real sandboxes, with servers in Python from the base system.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use model::tree::{Entry, Node};
use model::{Digest, Tree, TreePath};
use provider::contract::{PROMISES, Promise, Subject};
use provider::local::{LocalOptions, LocalProvider};
use provider::{InstanceSpec, NotReady, Phase, Provider};
use sandbox::{Host, HostOptions};
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake::bare_spec;
use crate::{Test, run};

const PATIENCE: Duration = Duration::from_secs(20);
const SERVER: &[u8] = include_bytes!("server.py");

pub(crate) const TESTS: &[Test] = &[
    ("local::a_port_is_found_wherever_it_listens", ports),
    ("local::a_listener_without_http_is_not_taken", mute),
    ("local::what_listens_in_vain_is_named", in_vain),
    (
        "local::another_platform_takes_over_and_the_process_goes_on",
        adoption,
    ),
    ("local::an_ended_instance_is_found_as_ended", ended_while_away),
    ("local::what_lost_its_sandbox_is_found_and_removed", lost_sandbox),
    ("local::files_survive_a_crash_and_not_a_removal", files),
    (
        "local::layers_lie_over_the_source_and_toolchains_on_the_path",
        layers,
    ),
    ("local::secrets_are_in_no_log_and_on_no_disk", secrets),
    ("local::nothing_is_left_after_remove", nothing_left),
    ("local::too_much_memory_is_told", memory),
    ("local::a_missing_source_is_told", missing),
];

struct World {
    directory: tempfile::TempDir,
    store: Store,
    source: Digest,
    provider: LocalProvider,
    next: AtomicU8,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        let source = tree(&store, &[("server.py", SERVER), ("web/inner.py", SERVER)]);
        let provider = platform(directory.path(), &store).await;
        Self {
            directory,
            store,
            source,
            provider,
            next: AtomicU8::new(1),
        }
    }

    fn spec_of(&self, command: &str) -> InstanceSpec {
        let mut spec = bare_spec(self.next.fetch_add(1, Ordering::SeqCst));
        spec.server.source = self.source;
        spec.server.command = command.to_owned();
        spec.limits.memory_bytes = 256 << 20;
        spec
    }

    async fn start(&self, command: &str) -> (InstanceSpec, u16) {
        let spec = self.spec_of(command);
        self.provider.ensure(&spec).await.unwrap();
        let port = self.provider.ready(&spec.instance, None, PATIENCE).await.unwrap();
        (spec, port)
    }

    async fn log(&self, spec: &InstanceSpec) -> String {
        let page = self.provider.logs(&spec.instance, 0).await.unwrap();
        page.lines.into_iter().map(|line| line.text + "\n").collect()
    }
}

/// A platform over the data in `directory`, as each start of it makes one.
async fn platform(directory: &Path, store: &Store) -> LocalProvider {
    let mut options = HostOptions::new(directory.join("sandboxes"));
    let unique = directory.file_name().unwrap().to_string_lossy().to_lowercase();
    options.cgroup_prefix = format!(
        "cygni-test-{}-",
        unique.trim_matches(|c: char| !c.is_ascii_alphanumeric())
    );
    let host = Host::start(options).await.unwrap();
    LocalProvider::new(LocalOptions {
        host,
        store: store.clone(),
        logs_dir: directory.join("logs"),
    })
}

fn tree(store: &Store, files: &[(&str, &[u8])]) -> Digest {
    let entry = |(path, bytes): &(&str, &[u8])| {
        let (digest, size_bytes) = store.put_blob(*bytes, 1 << 20).unwrap();
        Entry {
            path: TreePath::new(path).unwrap(),
            node: Node::File {
                digest,
                size_bytes,
                executable: false,
            },
        }
    };
    store
        .put_tree(&Tree::new(files.iter().map(entry).collect()).unwrap())
        .unwrap()
}

async fn get(provider: &LocalProvider, spec: &InstanceSpec, (port, path): (u16, &str)) -> String {
    let mut stream = provider.dial(&spec.instance, port).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn until_exited(provider: &LocalProvider, spec: &InstanceSpec) -> (String, bool) {
    let looking = async {
        loop {
            if let Phase::Exited {
                summary,
                out_of_memory,
            } = provider.observe(&spec.instance).await.unwrap().phase
            {
                return (summary, out_of_memory);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("it exits in time")
}

impl Subject for World {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(self.provider.clone())
    }

    fn spec(&self) -> InstanceSpec {
        self.spec_of("python3 server.py")
    }

    fn spec_that_exits(&self) -> InstanceSpec {
        self.spec_of("echo no; exit 3")
    }
}

pub(crate) fn contract() -> Vec<Trial> {
    let trial = |promise: &Promise| {
        let promise = *promise;
        Trial::test(format!("local::contract::{}", promise.name), move || {
            run(async { promise.check(&World::new().await).await }).map_err(Failed::from)
        })
    };
    PROMISES.iter().map(trial).collect()
}

fn ports() {
    run(async {
        let world = World::new().await;
        for (arguments, expected) in [
            ("", 3000),
            ("port=4321", 4321),
            ("port=3000 host=::1", 3000),
            ("host=0.0.0.0", 3000),
        ] {
            let (spec, port) = world.start(&format!("python3 server.py {arguments}")).await;
            assert_eq!(port, expected, "{arguments}");
            assert!(
                get(&world.provider, &spec, (port, "/"))
                    .await
                    .contains("requests=")
            );
            world.provider.remove(&spec.instance).await.unwrap();
        }
    });
}

fn mute() {
    run(async {
        let world = World::new().await;
        let (spec, port) = world.start("python3 server.py mute=1500 port=4321").await;
        assert_eq!(port, 4321);
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn in_vain() {
    run(async {
        let world = World::new().await;
        let spec = world.spec_of("python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 5432)); time.sleep(60)'");
        world.provider.ensure(&spec).await.unwrap();
        match world
            .provider
            .ready(&spec.instance, None, Duration::from_secs(2))
            .await
        {
            Err(NotReady::NeverListened {
                waited_seconds: 2,
                seen,
            }) => assert_eq!(seen, ["127.0.0.1:5432"]),
            other => panic!("{other:?}"),
        }
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn adoption() {
    run(async {
        let world = World::new().await;
        let (spec, port) = world.start("python3 server.py").await;
        let (other, _) = world.start("python3 server.py").await;
        world.provider.sleep(&other.instance).await.unwrap();
        let before = world.log(&spec).await;
        // No adoption is asked for: the list itself must not be empty.
        let next = platform(world.directory.path(), &world.store).await;
        let phases: Vec<_> = next
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|observed| observed.phase)
            .collect();
        assert_eq!(phases.len(), 2);
        assert_eq!(next.observe(&spec.instance).await.unwrap().phase, Phase::Running);
        assert_eq!(next.observe(&other.instance).await.unwrap().phase, Phase::Asleep);
        let count = |answer: String| -> u64 {
            answer
                .split("requests=")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        let seen = count(get(&world.provider, &spec, (port, "/")).await);
        next.ensure(&spec).await.unwrap();
        assert_eq!(count(get(&next, &spec, (port, "/")).await), seen + 1);
        next.ensure(&other).await.unwrap();
        assert_eq!(next.observe(&other.instance).await.unwrap().phase, Phase::Running);
        let after: String = next
            .logs(&spec.instance, 0)
            .await
            .unwrap()
            .lines
            .into_iter()
            .map(|line| line.text + "\n")
            .collect();
        assert!(after.starts_with(&before));
        for spec in [spec, other] {
            next.remove(&spec.instance).await.unwrap();
        }
    });
}

fn ended_while_away() {
    run(async {
        let world = World::new().await;
        let (spec, port) = world.start("python3 server.py").await;
        get(&world.provider, &spec, (port, "/exit")).await;
        until_exited(&world.provider, &spec).await;
        let next = platform(world.directory.path(), &world.store).await;
        let (summary, _) = until_exited(&next, &spec).await;
        assert_eq!(summary, "ended with exit code 3");
        next.ensure(&spec).await.unwrap();
        next.ready(&spec.instance, None, PATIENCE).await.unwrap();
        next.remove(&spec.instance).await.unwrap();
    });
}

/// A crash between the two halves of a removal: the sandbox is gone, what the instance wrote is not.
fn lost_sandbox() {
    run(async {
        let world = World::new().await;
        let instance = world.spec_of("python3 server.py").instance;
        world.store.scratch(instance.as_str()).unwrap();
        let next = platform(world.directory.path(), &world.store).await;
        let listed = next.list().await.unwrap();
        assert!(
            listed
                .iter()
                .any(|observed| observed.instance == instance
                    && matches!(observed.phase, Phase::Exited { .. })),
            "{listed:?}"
        );
        next.remove(&instance).await.unwrap();
        assert!(world.store.scratches().unwrap().is_empty());
        assert!(next.list().await.unwrap().is_empty());
    });
}

fn files() {
    run(async {
        let world = World::new().await;
        let (spec, port) = world.start("python3 server.py").await;
        get(&world.provider, &spec, (port, "/write/one")).await;
        get(&world.provider, &spec, (port, "/exit")).await;
        until_exited(&world.provider, &spec).await;
        world.provider.ensure(&spec).await.unwrap();
        let port = world
            .provider
            .ready(&spec.instance, None, PATIENCE)
            .await
            .unwrap();
        assert!(
            get(&world.provider, &spec, (port, "/"))
                .await
                .contains("written=/write/one")
        );
        world.provider.remove(&spec.instance).await.unwrap();
        world.provider.ensure(&spec).await.unwrap();
        let port = world
            .provider
            .ready(&spec.instance, None, PATIENCE)
            .await
            .unwrap();
        assert!(
            !get(&world.provider, &spec, (port, "/"))
                .await
                .contains("written=")
        );
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn layers() {
    run(async {
        let world = World::new().await;
        let layer = |name: &str, path: &str, text: &str| {
            let staging = world.store.stage().unwrap();
            let file = staging.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&file, mode).unwrap();
            let key = Digest::of(name.as_bytes());
            staging.commit(&key).unwrap();
            key
        };
        let mut spec = world.spec_of("serve-it now");
        let first = layer("first", "shadow", "first");
        let second = layer("second", "shadow", "second");
        let tool = layer(
            "tool",
            "bin/serve-it",
            "#!/bin/sh\ncat /app/shadow\necho; exec python3 inner.py\n",
        );
        spec.server.layers = vec![first, second];
        spec.server.toolchains.push(model::artifact::ToolchainLayer {
            name: "tool".to_owned(),
            version: "1.0.0".to_owned(),
            layer: tool,
        });
        spec.server.root = "web".to_owned();
        world.provider.ensure(&spec).await.unwrap();
        let port = world
            .provider
            .ready(&spec.instance, None, PATIENCE)
            .await
            .unwrap();
        let answer = get(&world.provider, &spec, (port, "/environment")).await;
        assert!(answer.contains("cwd=/app/web\n"), "{answer}");
        assert!(
            answer.contains("PATH=/opt/toolchains/tool-1.0.0/bin:/app/web/node_modules/.bin:"),
            "{answer}"
        );
        assert!(world.log(&spec).await.starts_with("second\n"));
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn secrets() {
    run(async {
        let world = World::new().await;
        let mut spec = world.spec_of("python3 server.py");
        spec.variables = vec![("SECRET".to_owned(), "hunter2-hunter2".to_owned())];
        spec.secrets = vec!["hunter2-hunter2".to_owned()];
        world.provider.ensure(&spec).await.unwrap();
        let port = world
            .provider
            .ready(&spec.instance, None, PATIENCE)
            .await
            .unwrap();
        assert!(
            get(&world.provider, &spec, (port, "/environment"))
                .await
                .contains("SECRET=hunter2-hunter2")
        );
        assert!(!world.log(&spec).await.contains("hunter2"));
        let mut waiting = vec![world.directory.path().to_owned()];
        let mut files = 0;
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => waiting.push(entry.path()),
                    kind if kind.is_file() => {
                        let bytes = std::fs::read(entry.path()).unwrap();
                        assert!(
                            !bytes.windows(7).any(|window| window == b"hunter2"),
                            "{}",
                            entry.path().display()
                        );
                        files += 1;
                    }
                    _ => {}
                }
            }
        }
        assert!(files > 0);
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn nothing_left() {
    run(async {
        let world = World::new().await;
        let (spec, port) = world.start("python3 server.py").await;
        get(&world.provider, &spec, (port, "/write/x")).await;
        world.provider.remove(&spec.instance).await.unwrap();
        let sandboxes = std::fs::read_dir(world.directory.path().join("sandboxes"))
            .unwrap()
            .count();
        assert_eq!((sandboxes, world.store.scratches().unwrap()), (0, Vec::new()));
        assert!(world.log(&spec).await.contains("/write/x"));
    });
}

fn memory() {
    run(async {
        let world = World::new().await;
        let mut spec = world.spec_of("python3 -c 'x = bytearray(200 * 1024 * 1024)'");
        spec.limits.memory_bytes = 64 << 20;
        world.provider.ensure(&spec).await.unwrap();
        let ready = world.provider.ready(&spec.instance, None, PATIENCE).await;
        assert!(
            matches!(
                ready,
                Err(NotReady::Exited {
                    out_of_memory: true,
                    ..
                })
            ),
            "{ready:?}"
        );
        world.provider.remove(&spec.instance).await.unwrap();
    });
}

fn missing() {
    run(async {
        let world = World::new().await;
        let mut spec = world.spec_of("python3 server.py");
        spec.server.source = Digest::of(b"never stored");
        let error = world.provider.ensure(&spec).await.unwrap_err().to_string();
        assert!(error.contains("is not in the store"), "{error}");
        assert_eq!(
            world.provider.observe(&spec.instance).await.unwrap().phase,
            Phase::Absent
        );
        world.provider.remove(&spec.instance).await.unwrap();
    });
}
