//! Builds in real sandboxes. They need no network and no Node: commands are those of the base system.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use builder::fake::FakeRunner;
use builder::{BuildError, SandboxRunner};
use model::failure::{Code, Stage};
use sandbox::{Host, HostOptions};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::world::{World, files, installation_with, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_real_build_sees_layers_and_writes_its_own",
        a_real_build_sees_layers_and_writes_its_own,
    ),
    (
        "a_real_build_changes_and_deletes_files_of_the_source",
        a_real_build_changes_and_deletes_files_of_the_source,
    ),
    (
        "a_directory_made_by_an_install_hides_nothing",
        a_directory_made_by_an_install_hides_nothing,
    ),
    (
        "a_real_build_that_hangs_is_ended_in_time",
        a_real_build_that_hangs_is_ended_in_time,
    ),
    (
        "a_real_build_that_is_cancelled_ends_at_once",
        a_real_build_that_is_cancelled_ends_at_once,
    ),
    ("secrets_are_not_in_the_log", secrets_are_not_in_the_log),
];

pub(crate) async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    world_in(dir, Vec::new()).await
}

async fn world_in(dir: TempDir, places: Vec<PathBuf>) -> World {
    let mut options = HostOptions::new(dir.path().join("sandboxes"));
    // Tests run side by side, and all call their build `b`.
    static WORLDS: AtomicU32 = AtomicU32::new(0);
    let number = WORLDS.fetch_add(1, Ordering::Relaxed);
    options.cgroup_prefix = format!("cygni-builder-test-{}-{number}-", std::process::id());
    let host = Host::start(options).await.unwrap();
    let runner = Arc::new(SandboxRunner::new(host, Vec::new()));
    World::with(dir, runner, FakeRunner::default(), ("http://127.0.0.1:1", places))
}

pub(crate) fn quiet(world: &World) {
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    let sandboxes = std::fs::read_dir(world.dir.path().join("sandboxes")).unwrap();
    let left: Vec<_> = sandboxes.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn a_real_build_sees_layers_and_writes_its_own() {
    let file = "[build]\ninstall = \"mkdir deps && echo installed > deps/x\"\n\
                command = \"mkdir -p out && cat deps/x src/a > out/all && id -u >> out/all\"\n\
                [run]\ncommand = \"cat out/all\"\n[network]\ninstall = \"none\"\nbuild = \"none\"\n";
    wait_for(async {
        let world = world().await;
        let request = world.request("b", &[("cx.toml", file), ("src/a", "source\n")]);
        let artifact = world
            .build(&request)
            .await
            .unwrap_or_else(|error| panic!("{error:?} {:?}", world.log.take()));
        let layers = &server(&artifact).layers;
        assert_eq!(layers.len(), 2);
        let built = world.store.layer(&layers[1]).unwrap();
        assert_eq!(
            std::fs::read_to_string(built.join("out/all")).unwrap(),
            "installed\nsource\n1000\n"
        );
        assert!(
            !built.join("deps").exists(),
            "each layer holds its own step's writes alone"
        );
        quiet(&world);
    });
}

fn a_real_build_changes_and_deletes_files_of_the_source() {
    let file = "[build]\ncommand = \"echo new > dist/changed && rm dist/gone && rm -r dist/d && mkdir dist/d && \
                echo x > dist/d/y\"\noutput = \"dist\"\n[network]\nbuild = \"none\"\n";
    wait_for(async {
        let world = world().await;
        let source = [
            ("cx.toml", file),
            ("dist/kept", "k"),
            ("dist/changed", "old"),
            ("dist/gone", ""),
            ("dist/d/x", ""),
        ];
        let request = world.request("b", &source);
        let artifact = world
            .build(&request)
            .await
            .unwrap_or_else(|error| panic!("{error:?} {:?}", world.log.take()));
        assert_eq!(files(&world, &artifact), ["changed", "d/y", "kept"]);
        let before = world.store.materialise(&request.tree).unwrap();
        assert_eq!(
            std::fs::read_to_string(before.join("dist/changed")).unwrap(),
            "old",
            "the source is untouched"
        );
        quiet(&world);
    });
}

fn a_directory_made_by_an_install_hides_nothing() {
    // A package whose own script writes beside node_modules, into a directory that the source has too.
    let npm = "#!/bin/sh\nmkdir -p node_modules/x lib && echo made > lib/made\n";
    let file = "[build]\ncommand = \"ls lib node_modules > listing\"\n\
                [network]\ninstall = \"none\"\nbuild = \"none\"\n";
    let manifest = r#"{"scripts": {"start": "node a"}, "dependencies": {"x": "1"}}"#;
    wait_for(async {
        let dir = tempfile::tempdir().unwrap();
        let places = vec![installation_with(&dir, npm)];
        let world = world_in(dir, places).await;
        let request = world.request(
            "b",
            &[("package.json", manifest), ("cx.toml", file), ("lib/own", "own")],
        );
        let artifact = world
            .build(&request)
            .await
            .unwrap_or_else(|error| panic!("{error:?} {:?}", world.log.take()));
        let built = world.store.layer(&server(&artifact).layers[1]).unwrap();
        let listing = std::fs::read_to_string(built.join("listing")).unwrap();
        assert_eq!(listing, "lib:\nmade\nown\n\nnode_modules:\nx\n");
        quiet(&world);
    });
}

fn a_real_build_that_hangs_is_ended_in_time() {
    let file = "[build]\ncommand = \"echo started; sleep 600\"\noutput = \"x\"\n[limits]\ntimeout = \"2s\"\n\
                [network]\nbuild = \"none\"\n";
    wait_for(async {
        let world = world().await;
        let failure = world.failure(&world.request("b", &[("cx.toml", file)])).await;
        assert_eq!(
            (failure.code, failure.stage),
            (Code::TimedOut, Stage::Build),
            "{failure:?}"
        );
        assert!(
            failure
                .message
                .ends_with("because the build took longer than 2.0s"),
            "{}",
            failure.message
        );
        assert_eq!(failure.log_excerpt, ["started"]);
        quiet(&world);
    });
}

fn a_real_build_that_is_cancelled_ends_at_once() {
    let file =
        "[build]\ncommand = \"echo started; sleep 600\"\noutput = \"x\"\n[network]\nbuild = \"none\"\n";
    wait_for(async {
        let world = world().await;
        let request = world.request("b", &[("cx.toml", file)]);
        let cancel = CancellationToken::new();
        let build = world.builder.build(&request, &world.log, &cancel);
        let stop = async {
            let mut seen = Vec::new();
            while !seen.iter().any(|line| line == "started") {
                tokio::task::yield_now().await;
                seen.extend(world.log.take());
            }
            cancel.cancel();
            Instant::now()
        };
        let (ended, cancelled_at) = tokio::join!(build, stop);
        assert!(matches!(ended, Err(BuildError::Cancelled)));
        assert!(cancelled_at.elapsed() < Duration::from_secs(5));
        quiet(&world);
    });
}

fn secrets_are_not_in_the_log() {
    let file = "[build]\ncommand = \"echo the token is $TOKEN; mkdir o; echo > o/f\"\noutput = \"o\"\n\
                [network]\nbuild = \"none\"\n";
    wait_for(async {
        let world = world().await;
        let mut request = world.request("b", &[("cx.toml", file)]);
        request
            .variables
            .insert("TOKEN".to_owned(), "hunter2-hunter2".to_owned());
        request.secrets.push("hunter2-hunter2".to_owned());
        world.build(&request).await.unwrap();
        let log = world.log.take().join("\n");
        assert!(log.contains("the token is") && !log.contains("hunter2"), "{log}");
    });
}
