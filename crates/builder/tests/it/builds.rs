//! What runs, what does not have to, and what comes out.

use builder::BuildError;
use builder::fake::{End, Script};
use tokio_util::sync::CancellationToken;

use crate::world::{World, files, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_start_removes_what_builds_left",
        a_start_removes_what_builds_left,
    ),
    ("static_files_run_nothing", static_files_run_nothing),
    (
        "a_server_has_its_dependencies_as_a_layer",
        a_server_has_its_dependencies_as_a_layer,
    ),
    (
        "an_install_sees_only_what_names_its_layer",
        an_install_sees_only_what_names_its_layer,
    ),
    (
        "a_static_build_gives_what_it_wrote",
        a_static_build_gives_what_it_wrote,
    ),
    ("an_unknown_output_is_found", an_unknown_output_is_found),
    (
        "a_server_build_is_kept_as_a_layer",
        a_server_build_is_kept_as_a_layer,
    ),
    (
        "a_rebuild_passes_by_the_caches_and_replaces_them",
        a_rebuild_passes_by_the_caches_and_replaces_them,
    ),
    (
        "equal_builds_at_one_time_are_one",
        equal_builds_at_one_time_are_one,
    ),
    (
        "a_cancelled_build_leaves_nothing",
        a_cancelled_build_leaves_nothing,
    ),
    (
        "the_environment_is_the_same_everywhere",
        the_environment_is_the_same_everywhere,
    ),
];

pub(crate) const CI: &str = "npm ci --replace-registry-host=always";
pub(crate) const MANIFEST: (&str, &str) = (
    "package.json",
    r#"{"scripts": {"start": "node a.js"}, "dependencies": {"x": "1"}}"#,
);
pub(crate) const BUILT: (&str, &str) = (
    "package.json",
    r#"{"scripts": {"start": "node a.js", "build": "tsc"}, "dependencies": {"x": "1"}}"#,
);
pub(crate) const SITE: (&str, &str) = (
    "package.json",
    r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#,
);
pub(crate) const LOCK: (&str, &str) = ("package-lock.json", "{}");

pub(crate) fn writes(files: &[(&str, &str)]) -> Script {
    let writes = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    Script {
        writes,
        ..Script::default()
    }
}

fn static_files_run_nothing() {
    let world = World::new();
    let request = world.request("b", &[("public/index.html", "hi"), ("README.md", "")]);
    let artifact = wait_for(world.build(&request)).unwrap();
    assert_eq!(files(&world, &artifact), ["index.html"]);
    assert!(world.runner.steps().is_empty() && world.builder.is_present(&artifact));
}

fn a_server_has_its_dependencies_as_a_layer() {
    let world = World::new();
    world.runner.on(CI, writes(&[("node_modules/x/index.js", "x")]));
    wait_for(async {
        let first = world
            .build(&world.request("b", &[MANIFEST, LOCK, ("a.js", "1")]))
            .await
            .unwrap();
        let text = world.log.take().join("\n");
        assert!(
            text.contains("> install") && text.contains("Using node 20.19.0"),
            "{text}"
        );
        let second = world
            .build(&world.request("b", &[MANIFEST, LOCK, ("a.js", "2")]))
            .await
            .unwrap();
        assert!(
            world
                .log
                .take()
                .join("\n")
                .contains("Using the dependencies of an earlier install")
        );
        assert_eq!(world.runner.commands(), [CI]);
        let (first, second) = (server(&first), server(&second));
        assert_eq!(first.layers, second.layers);
        assert_ne!(first.source, second.source);
        let layer = world.store.layer(&first.layers[0]).unwrap();
        assert_eq!(
            std::fs::read_to_string(layer.join("node_modules/x/index.js")).unwrap(),
            "x"
        );
        let names: Vec<String> = first
            .toolchains
            .iter()
            .map(|toolchain| format!("{}-{}", toolchain.name, toolchain.version))
            .collect();
        assert_eq!(names, ["node-20.19.0", "npm-10.8.2"]);
    });
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn an_install_sees_only_what_names_its_layer() {
    let world = World::new();
    let source = [
        MANIFEST,
        LOCK,
        ("a.js", "1"),
        (".npmrc", "x=1"),
        ("packages/b/package.json", "{}"),
    ];
    wait_for(world.build(&world.request("b", &source))).unwrap();
    let lower = world.runner.steps()[0].lowers.clone();
    assert_eq!(lower.len(), 1);
    let tree = store::ImportLimits {
        entries_max: 99,
        file_bytes_max: 999,
        bytes_max: 999,
    };
    let tree = world.store.import(&lower[0], tree).unwrap();
    let seen: Vec<&str> = tree.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        seen,
        [
            ".npmrc",
            "package-lock.json",
            "package.json",
            "packages/b/package.json"
        ]
    );
}

fn a_static_build_gives_what_it_wrote() {
    let world = World::new();
    world.runner.on(
        "npm run build",
        writes(&[("dist/index.html", "new"), ("dist/a/b.js", "")]),
    );
    let request = world.request("b", &[SITE, ("dist/old.html", "kept"), ("src/main.ts", "")]);
    let artifact = wait_for(world.build(&request)).unwrap();
    assert_eq!(files(&world, &artifact), ["a/b.js", "index.html", "old.html"]);
    assert!(world.builder.is_present(&artifact));
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn an_unknown_output_is_found() {
    let world = World::new();
    world
        .runner
        .on("npm run build", writes(&[("www/index.html", "hi")]));
    let manifest = r#"{"scripts": {"build": "node make.js"}}"#;
    let artifact = wait_for(world.build(&world.request("b", &[("package.json", manifest)]))).unwrap();
    assert_eq!(files(&world, &artifact), ["index.html"]);
    assert!(world.log.take().join("\n").contains("serving `www`"));
}

fn a_server_build_is_kept_as_a_layer() {
    let world = World::new();
    world.runner.on(CI, writes(&[("node_modules/x/i.js", "")]));
    world
        .runner
        .on("npm run build", writes(&[("dist/a.js", "built")]));
    wait_for(async {
        let request = world.request("b", &[BUILT, LOCK, ("a.ts", "")]);
        let first = world.build(&request).await.unwrap();
        assert_eq!(server(&first).layers.len(), 2);
        let steps = world.runner.steps();
        assert_eq!(
            steps[1].lowers.len(),
            2,
            "the build runs over the dependencies and the source"
        );
        assert_eq!(world.build(&request).await.unwrap(), first);
        assert_eq!(world.runner.commands(), [CI, "npm run build"]);
        let layer = world.store.layer(&server(&first).layers[1]).unwrap();
        assert_eq!(std::fs::read_to_string(layer.join("dist/a.js")).unwrap(), "built");
    });
}

fn a_rebuild_passes_by_the_caches_and_replaces_them() {
    let world = World::new();
    world.runner.on(CI, writes(&[("node_modules/x/i.js", "old")]));
    world.runner.on(CI, writes(&[("node_modules/x/i.js", "new")]));
    wait_for(async {
        let mut request = world.request("b", &[MANIFEST, LOCK]);
        let old = world.build(&request).await.unwrap();
        request.rebuild = true;
        let new = world.build(&request).await.unwrap();
        assert_ne!(server(&old).layers, server(&new).layers);
        assert!(
            world.builder.is_present(&old),
            "what may be running is not touched"
        );
        request.rebuild = false;
        assert_eq!(world.build(&request).await.unwrap(), new);
        assert_eq!(world.runner.commands(), [CI, CI]);
    });
}

fn equal_builds_at_one_time_are_one() {
    let world = World::new();
    world
        .runner
        .on("npm run build", writes(&[("dist/index.html", "")]));
    wait_for(async {
        let (one, two) = (world.request("b1", &[SITE]), world.request("b2", &[SITE]));
        let (one, two) = tokio::join!(world.build(&one), world.build(&two));
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(
            world
                .runner
                .commands()
                .iter()
                .filter(|command| *command == "npm run build")
                .count(),
            1
        );
        assert!(
            world
                .log
                .take()
                .contains(&"Using the equal build that has just finished".to_owned())
        );
    });
}

fn a_cancelled_build_leaves_nothing() {
    let world = World::new();
    world.runner.on(
        "npm run build",
        Script {
            end: End::Never,
            ..writes(&[("dist/index.html", "")])
        },
    );
    let request = world.request("b", &[SITE, LOCK]);
    let cancel = CancellationToken::new();
    let ended = wait_for(async {
        let build = world.builder.build(&request, &world.log, &cancel);
        let stop = async {
            world.runner.started(2).await;
            cancel.cancel();
        };
        tokio::join!(build, stop).0
    });
    assert!(matches!(ended, Err(BuildError::Cancelled)));
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn the_environment_is_the_same_everywhere() {
    let world = World::new();
    let mut request = world.request("b", &[BUILT, LOCK, ("cx.toml", "[network]\nbuild = \"none\"")]);
    request.variables = [
        ("NODE_ENV", "production"),
        ("TOKEN", "s3cret"),
        ("HOME", "/elsewhere"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    request.secrets = vec!["s3cret".to_owned()];
    wait_for(world.build(&request)).unwrap();
    let steps = world.runner.steps();
    let value = |step: usize, name: &str| {
        let found = steps[step].environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(
        value(0, "NODE_ENV"),
        None,
        "an install takes what the build needs"
    );
    assert_eq!(value(1, "NODE_ENV"), Some("production"));
    assert_eq!(value(1, "TOKEN"), Some("s3cret"));
    assert_eq!(value(1, "HOME"), Some("/home/app"));
    assert_eq!(value(1, "npm_config_fetch_retries"), Some("0"));
    let path = "/opt/toolchains/node-20.19.0/bin:/opt/toolchains/npm-10.8.2/bin:/app/node_modules/.bin:";
    assert!(value(1, "PATH").unwrap().starts_with(path));
    assert_eq!(steps[1].directory, "/app");
    assert_eq!(steps[1].secrets, ["s3cret"]);
    assert_eq!(steps[1].egress, model::network::Egress::None);
}

fn a_start_removes_what_builds_left() {
    let world = World::new();
    let request = world.request("b", &[MANIFEST, LOCK]);
    wait_for(world.build(&request)).unwrap();
    let cache = format!("cache-{}-member", request.project);
    let left = world.store.scratch("build-gone").unwrap();
    std::fs::write(left.join("x"), "").unwrap();
    world.builder.remove_leftovers().unwrap();
    let names = world.store.scratches().unwrap();
    assert!(
        names.contains(&cache) && !names.contains(&"build-gone".to_owned()),
        "{names:?}"
    );
    let caches = world.builder.package_caches().unwrap();
    assert_eq!(caches.len(), 1);
    assert_eq!(caches[0].project, request.project);
    world.builder.remove_package_cache(&caches[0]).unwrap();
    assert!(!world.store.scratches().unwrap().contains(&cache));
}
