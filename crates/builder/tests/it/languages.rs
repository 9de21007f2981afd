//! Python, Go and Rust: toolchains of their own, layers named by what installs read, caches from build to build.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use builder::fake::FakeRunner;
use data_encoding::{BASE64, HEXLOWER};
use model::failure::Code;
use model::trust::Trust;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::registry::Registry;
use crate::world::{World, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "python_dependencies_are_named_by_what_names_them",
        python_dependencies_are_named_by_what_names_them,
    ),
    (
        "an_interpreter_finds_its_library_in_its_new_place",
        an_interpreter_finds_its_library_in_its_new_place,
    ),
    (
        "an_interpreter_that_nobody_has_is_named",
        an_interpreter_that_nobody_has_is_named,
    ),
    ("uv_comes_from_the_package_index", uv_comes_from_the_package_index),
    ("go_comes_from_the_module_proxy", go_comes_from_the_module_proxy),
    (
        "a_go_with_another_hash_is_not_used",
        a_go_with_another_hash_is_not_used,
    ),
    ("a_compiled_program_runs_alone", a_compiled_program_runs_alone),
    (
        "cargo_fetches_again_only_for_other_manifests",
        cargo_fetches_again_only_for_other_manifests,
    ),
    (
        "strangers_get_no_cache_of_others",
        strangers_get_no_cache_of_others,
    ),
];

const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};
const FLASK: [(&str, &str); 2] = [
    ("requirements.txt", "flask\n"),
    ("app.py", "app = Flask(__name__)\n"),
];
const GO: [(&str, &str); 3] = [
    (
        "go.mod",
        "module example.com/a\n\ngo 1.22\n\nrequire example.com/x v1.0.0\n",
    ),
    ("go.sum", ""),
    ("main.go", "package main\n"),
];
const CARGO: [(&str, &str); 3] = [
    (
        "Cargo.toml",
        "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\n",
    ),
    ("Cargo.lock", ""),
    ("src/main.rs", "fn main() {}\n"),
];

/// Some program of the system that nobody runs, with `text` among its bytes.
fn program(prefix: &Path, path: &str, text: &str) {
    let path = prefix.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy("/bin/sh", &path).unwrap();
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(format!("\0{text}\0").as_bytes()).unwrap();
}

fn file(prefix: &Path, path: &str, text: &str) {
    let path = prefix.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A machine with Python 3.12.4, uv 0.9.0, Go 1.24.2 and Rust 1.85.0.
fn machine(dir: &TempDir) -> Vec<PathBuf> {
    let place = |name: &str| dir.path().join("machine").join(name);
    let python = place("python");
    let library = python.join("lib");
    program(
        &python,
        "bin/python3.12",
        &format!("3.12.4\0{}", library.display()),
    );
    std::os::unix::fs::symlink("python3.12", python.join("bin/python3")).unwrap();
    file(&python, "lib/python3.12/os.py", "");
    file(&python, "lib/python3.12/test/test_os.py", "");
    file(&python, "lib/python3.12/site-packages/flask/__init__.py", "");
    file(&python, "lib/python3.12/site-packages/pip/__init__.py", "");
    let uv = place("uv");
    program(&uv, "bin/uv", "");
    program(&uv, "bin/uvx", "");
    file(
        &uv,
        "lib/python3.12/site-packages/uv-0.9.0.dist-info/METADATA",
        "",
    );
    let go = place("go");
    program(&go, "bin/go", "");
    file(&go, "VERSION", "go1.24.2\n");
    for name in ["lib", "pkg", "src"] {
        file(&go, &format!("{name}/x"), "");
    }
    let rust = place("rust");
    program(&rust, "bin/cargo", "");
    program(&rust, "bin/rustc", "");
    file(&rust, "lib/libLLVM.so.19.1-rust-1.85.0-stable", "");
    file(&rust, "lib/rustlib/host/lib/libstd.rlib", "");
    vec![python, uv, go, rust]
}

fn world() -> World {
    let (dir, runner) = (tempfile::tempdir().unwrap(), FakeRunner::default());
    let places = machine(&dir);
    World::with(
        dir,
        Arc::new(runner.clone()),
        runner,
        ("http://127.0.0.1:1", places),
    )
}

/// A world with nothing on the machine but Python, and `registry`.
async fn bare(registry: &Registry) -> World {
    let (dir, runner) = (tempfile::tempdir().unwrap(), FakeRunner::default());
    let python = machine(&dir).into_iter().take(1).collect();
    let url = registry.listen().await;
    World::with(dir, Arc::new(runner.clone()), runner, (&url, python))
}

fn python_dependencies_are_named_by_what_names_them() {
    let world = world();
    wait_for(async {
        let one = world.build(&world.request("b", &FLASK)).await.unwrap();
        let tools: Vec<String> = server(&one)
            .toolchains
            .iter()
            .map(|tool| format!("{} {}", tool.name, tool.version))
            .collect();
        assert_eq!(tools, ["python 3.12.4"], "uv is for builds");
        let environment = world.runner.steps()[0].environment.clone();
        let value = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(value("UV_PYTHON"), "/opt/toolchains/python-3.12.4/bin/python3");
        assert!(value("PATH").starts_with("/app/.venv/bin:/opt/toolchains/python-3.12.4/bin:"));
        let changed = [FLASK[0], ("app.py", "app = Flask('other')\n")];
        let two = world.build(&world.request("b", &changed)).await.unwrap();
        assert_eq!(server(&one).layers, server(&two).layers);
        assert_eq!(
            world.runner.steps().len(),
            1,
            "another source needs no other install"
        );
        let more = [
            ("requirements.txt", "flask\n-r requirements/base.txt\n"),
            FLASK[1],
        ];
        let base = |text: &'static str| [more[0], more[1], ("requirements/base.txt", text)];
        let three = world.build(&world.request("b", &base("click"))).await.unwrap();
        let four = world
            .build(&world.request("b", &base("click\njinja2")))
            .await
            .unwrap();
        assert_ne!(
            server(&three).layers,
            server(&four).layers,
            "what is included counts"
        );
        let seen = world.runner.steps().last().unwrap().lowers[0].clone();
        assert!(
            !seen.join("app.py").exists(),
            "an install sees what names its layer alone"
        );
    });
}

fn an_interpreter_finds_its_library_in_its_new_place() {
    let world = world();
    wait_for(async {
        let artifact = world.build(&world.request("b", &FLASK)).await.unwrap();
        let python = world.store.layer(&server(&artifact).toolchains[0].layer).unwrap();
        let bytes = fs::read(python.join("bin/python3.12")).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has("\0$ORIGIN/../lib\0") && !has(world.dir.path().to_str().unwrap()));
        assert!(python.join("bin/python3").exists() && python.join("lib/python3.12/os.py").exists());
        let packages = python.join("lib/python3.12/site-packages");
        assert!(packages.join("pip").exists() && !packages.join("flask").exists());
        assert!(!python.join("lib/python3.12/test").exists());
    });
}

fn an_interpreter_that_nobody_has_is_named() {
    let world = world();
    let wants = [FLASK[0], FLASK[1], (".python-version", "3.9")];
    let failure = wait_for(world.failure(&world.request("b", &wants)));
    assert_eq!(failure.code, Code::ToolchainUnavailable);
    assert_eq!(
        failure.message,
        "python `3.9.x` is asked for, and this machine has 3.12.4"
    );
}

fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn uv_comes_from_the_package_index() {
    let registry = Registry::default();
    let machine = if cfg!(target_arch = "aarch64") {
        "aarch64"
    } else {
        "x86_64"
    };
    let mut page = String::new();
    for version in ["0.7.9", "0.9.1", "0.9.2"] {
        let wheel = zipped(&[
            (&format!("uv-{version}.data/scripts/uv"), "uv"),
            (&format!("uv-{version}.data/scripts/uvx"), "uvx"),
            (&format!("uv-{version}.dist-info/METADATA"), ""),
        ]);
        let name = format!("uv-{version}-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl");
        let hash = HEXLOWER.encode(&Sha256::digest(&wheel));
        let yanked = if version == "0.9.2" {
            " data-yanked=\"broken\""
        } else {
            ""
        };
        page.push_str(&format!(
            "<a href=\"../files/{name}#sha256={hash}\"{yanked}>{name}</a><br/>\n"
        ));
        registry.put(&format!("/files/{name}"), wheel);
    }
    registry.put("/uv/", page.into_bytes());
    wait_for(async {
        let world = bare(&registry).await;
        world.build(&world.request("b", &FLASK)).await.unwrap();
        let mounts = world.runner.steps()[0].toolchains.clone();
        assert_eq!(mounts[1].target, "/opt/toolchains/uv-0.9.1");
        assert_eq!(
            fs::read_to_string(mounts[1].source.join("bin/uvx")).unwrap(),
            "uvx"
        );
        assert!(!mounts[1].source.join("uv-0.9.1.dist-info").exists());
    });
}

/// Go 1.24.1 and 1.25.0 in `registry`; the checksum database names the hash of the first, and `wrong` of the second.
fn serve_go(registry: &Registry, wrong: bool) {
    let versions = ["go1.24.1", "go1.25.0", "go1.26rc1"].map(|name| format!("v0.0.1-{name}.linux-{ARCH}"));
    registry.put("/golang.org/toolchain/@v/list", versions.join("\n").into_bytes());
    for version in &versions {
        let at = |path: &str| format!("golang.org/toolchain@{version}/{path}");
        let files = [
            (at("VERSION"), "go"),
            (at("bin/go"), "program"),
            (at("src/_go.mod"), "module std\n"),
            (at("test/x"), ""),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        registry.put(&format!("/golang.org/toolchain/@v/{version}.zip"), zipped(&files));
        let mut names = files;
        names.sort();
        let each: String = names
            .iter()
            .map(|(name, text)| format!("{}  {name}\n", HEXLOWER.encode(&Sha256::digest(text))))
            .collect();
        let all = if wrong { "other".to_owned() } else { each };
        let hash = BASE64.encode(&Sha256::digest(all));
        let record = format!(
            "1\ngolang.org/toolchain {version} h1:{hash}\ngolang.org/toolchain {version}/go.mod h1:x\n"
        );
        registry.put(
            &format!("/sumdb/sum.golang.org/lookup/golang.org/toolchain@{version}"),
            record.into_bytes(),
        );
    }
}

fn go_comes_from_the_module_proxy() {
    let registry = Registry::default();
    serve_go(&registry, false);
    wait_for(async {
        let world = bare(&registry).await;
        world.build(&world.request("b", &GO)).await.unwrap();
        let mount = world.runner.steps()[0].toolchains[0].clone();
        assert_eq!(mount.target, "/opt/toolchains/go-1.25.0");
        assert_eq!(
            fs::read_to_string(mount.source.join("src/go.mod")).unwrap(),
            "module std\n"
        );
        assert!(!mount.source.join("test").exists());
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(mount.source.join("bin/go")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o755, "archives of modules have no modes");
    });
}

fn a_go_with_another_hash_is_not_used() {
    let registry = Registry::default();
    serve_go(&registry, true);
    wait_for(async {
        let world = bare(&registry).await;
        let failure = world.failure(&world.request("b", &GO)).await;
        assert_eq!(failure.code, Code::ToolchainFetchFailed);
        assert!(
            failure.message.contains("does not have the hash"),
            "{}",
            failure.message
        );
        assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    });
}

fn a_compiled_program_runs_alone() {
    let world = world();
    wait_for(async {
        let artifact = world.build(&world.request("b", &GO)).await.unwrap();
        let server = server(&artifact);
        assert!(server.toolchains.is_empty(), "{:?}", server.toolchains);
        assert_eq!(server.layers.len(), 1, "what the build wrote");
        let steps = world.runner.steps();
        assert_eq!(steps[0].command, "go mod download");
        let value = |name: &str| {
            steps[1]
                .environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("GOTOOLCHAIN"), Some("local"));
        assert!(steps[1].lowers.len() == 2, "the build sees the modules");
    });
}

fn cargo_fetches_again_only_for_other_manifests() {
    let world = world();
    wait_for(async {
        let fetches = |world: &World| {
            let steps = world.runner.steps();
            steps
                .iter()
                .filter(|step| step.command.starts_with("cargo fetch"))
                .count()
        };
        world.build(&world.request("b", &CARGO)).await.unwrap();
        let seen = world.runner.steps()[0].lowers[0].clone();
        assert_eq!(
            fs::read_to_string(seen.join("src/main.rs")).unwrap(),
            "",
            "it is there, and empty"
        );
        let changed = [CARGO[0], CARGO[1], ("src/main.rs", "fn main() { serve() }\n")];
        world.build(&world.request("b", &changed)).await.unwrap();
        assert_eq!(fetches(&world), 1);
        let more = [
            (
                "Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\nlog = \"1\"\n",
            ),
            CARGO[1],
            CARGO[2],
        ];
        world.build(&world.request("b", &more)).await.unwrap();
        assert_eq!(fetches(&world), 2);
    });
}

fn strangers_get_no_cache_of_others() {
    let world = world();
    wait_for(async {
        let cache = |world: &World, name: &str| {
            let steps = world.runner.steps();
            let step = steps.iter().rfind(|step| step.command.starts_with(name)).unwrap();
            step.cache.clone()
        };
        let mut request = world.request("b", &GO);
        world.build(&request).await.unwrap();
        let (install, build) = (cache(&world, "go mod"), cache(&world, "go build"));
        assert_ne!(
            install, build,
            "what the project's code writes is not where modules come from"
        );
        request.rebuild = true;
        world.build(&request).await.unwrap();
        assert_ne!(cache(&world, "go build"), build, "a rebuild begins anew");
        request.rebuild = false;
        request.tree = world.source(&[GO[0], GO[1], ("main.go", "package main // 2\n")]);
        world.build(&request).await.unwrap();
        assert_eq!(
            cache(&world, "go build"),
            build,
            "the next build goes on where the last one ended"
        );
        request.trust = Trust::Fork;
        request.tree = world.source(&[GO[0], GO[1], ("main.go", "package main // 3\n")]);
        world.build(&request).await.unwrap();
        assert_ne!(cache(&world, "go build"), build);
        let left = world.leftovers();
        assert!(left.is_empty(), "{left:?}");
    });
}
