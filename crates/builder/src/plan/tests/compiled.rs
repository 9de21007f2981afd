//! Go and Rust projects: which program is built, with which toolchain.

use model::failure::Code;

use super::{Texts, check, plan};

const MAIN: &str = "package main\n\nfunc main() {}\n";
const MODULE: &str = "module example.com/shop\n\ngo 1.22\n\nrequire example.com/x v1.0.0\n";

#[test]
fn the_main_package_that_serves_is_built() {
    let table: [(Texts, &str); 6] = [
        (
            &[("go.mod", "module a\n"), ("main.go", MAIN)],
            "go | - | go build -ldflags='-s -w' -o .cygni/app ./ | ./.cygni/app",
        ),
        (
            &[
                ("go.mod", MODULE),
                ("go.sum", ""),
                ("cmd/web/main.go", MAIN),
                ("x/x.go", "package x"),
            ],
            "go | go mod download | go build -ldflags='-s -w' -o .cygni/app ./cmd/web | ./.cygni/app",
        ),
        (
            &[
                ("go.mod", MODULE),
                ("cmd/migrate/main.go", MAIN),
                ("cmd/shop/main.go", MAIN),
            ],
            "go | go mod download | go build -ldflags='-s -w' -mod=mod -o .cygni/app ./cmd/shop | ./.cygni/app",
        ),
        (
            &[
                ("go.mod", MODULE),
                ("vendor/modules.txt", ""),
                ("vendor/x/main.go", MAIN),
                ("main.go", MAIN),
            ],
            "go | - | go build -ldflags='-s -w' -o .cygni/app ./ | ./.cygni/app",
        ),
        (
            &[
                ("go.mod", "module a\n"),
                ("a/main.go", MAIN),
                ("b/main.go", MAIN),
                ("Procfile", "web: bin/a"),
            ],
            "go | - | mkdir -p bin && go build -ldflags='-s -w' -o bin/ ./... | bin/a",
        ),
        (
            &[
                ("go.mod", "module a\n"),
                ("main.go", MAIN),
                ("package.json", r#"{"scripts": {"build": "css"}}"#),
            ],
            "go | - | go build -ldflags='-s -w' -o .cygni/app ./ | ./.cygni/app",
        ),
    ];
    for (files, expected) in table {
        check(files, expected);
    }
    let several = plan(&[
        ("go.mod", MODULE),
        ("cmd/one/main.go", MAIN),
        ("cmd/two/main.go", MAIN),
    ])
    .unwrap_err();
    assert_eq!(several.code, Code::StartCommandMissing);
    assert!(
        several.message.ends_with("which one serves: cmd/one, cmd/two"),
        "{}",
        several.message
    );
    assert!(several.hint.contains("bin/one"), "{}", several.hint);
    let none = plan(&[("go.mod", MODULE), ("x.go", "package x")]).unwrap_err();
    assert_eq!(none.code, Code::StartCommandMissing);
}

#[test]
fn the_version_of_go_is_the_lowest_that_will_do() {
    let table = [
        ("module a\n\ngo 1.22\n", ">=1.22"),
        ("module a\n\ngo 1.22\n\ntoolchain go1.23.4\n", ">=1.23.4"),
        ("module a\n", "*"),
    ];
    for (text, range) in table {
        let plan = plan(&[("go.mod", text), ("main.go", MAIN)]).unwrap();
        assert_eq!(plan.toolchains[0].version, range);
        assert!(plan.toolchains[0].only_builds);
    }
}

#[test]
fn the_binary_that_serves_is_built() {
    let package = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n";
    let with_dependencies = format!("{package}[dependencies]\nserde = \"1\"\n");
    let build = |flags: &str, name: &str| {
        format!(
            "rm -rf ~/.cache/target/release/.fingerprint/{name}-* && cargo build --release{flags} --bin {name} \
             --target-dir ~/.cache/target && install -D -t target/release ~/.cache/target/release/{name} | \
             target/release/{name}"
        )
    };
    check(
        &[("Cargo.toml", package), ("Cargo.lock", ""), ("src/main.rs", "")],
        &format!("rust | - | {}", build(" --locked", "shop")),
    );
    check(
        &[("Cargo.toml", &with_dependencies), ("src/main.rs", "")],
        &format!("rust | cargo fetch | {}", build("", "shop")),
    );
    let workspace = "[workspace]\nmembers = [\"crates/*\"]\n";
    let member = "[package]\nname = \"web\"\n";
    let library = "[package]\nname = \"lib\"\n[dependencies]\nserde = \"1\"\n";
    let files = [
        ("Cargo.toml", workspace),
        ("Cargo.lock", ""),
        ("crates/web/Cargo.toml", member),
        ("crates/web/src/main.rs", ""),
        ("crates/lib/Cargo.toml", library),
        ("crates/lib/src/lib.rs", ""),
    ];
    let plan = plan(&files).unwrap();
    assert_eq!(plan.install.unwrap().command, "cargo fetch --locked");
    let command = plan.build.unwrap().command;
    assert!(
        command.starts_with("rm -rf ~/.cache/target/release/.fingerprint/lib-* "),
        "{command}"
    );
    assert!(command.contains("--bin web "), "{command}");
}

#[test]
fn several_binaries_need_a_word() {
    let package = "[package]\nname = \"shop\"\n";
    let files = [
        ("Cargo.toml", package),
        ("src/main.rs", ""),
        ("src/bin/migrate.rs", ""),
    ];
    let several = plan(&files).unwrap_err();
    assert_eq!(several.code, Code::StartCommandMissing);
    assert!(
        several.message.ends_with("which one serves: migrate, shop"),
        "{}",
        several.message
    );
    let chosen = format!("{package}default-run = \"shop\"\n");
    let chosen = plan(&[("Cargo.toml", &chosen), files[1], files[2]]).unwrap();
    assert!(chosen.build.unwrap().command.contains("--bin shop "));
    let told = plan(&[
        files[0],
        files[1],
        files[2],
        ("Procfile", "web: target/release/shop"),
    ])
    .unwrap();
    assert!(told.build.unwrap().command.contains(" --bins "));
    let library = plan(&[("Cargo.toml", package), ("src/lib.rs", "")]).unwrap_err();
    assert!(
        library.message.starts_with("the Cargo project has no binary"),
        "{}",
        library.message
    );
}

#[test]
fn the_version_of_rust_is_asked_for() {
    let package = "[package]\nname = \"shop\"\nrust-version = \"1.80\"\n";
    let files = [("Cargo.toml", package), ("src/main.rs", "")];
    assert_eq!(plan(&files).unwrap().toolchains[0].version, ">=1.80");
    let channel = |text: &'static str| plan(&[files[0], files[1], ("rust-toolchain.toml", text)]);
    assert_eq!(
        channel("[toolchain]\nchannel = \"1.85\"\n").unwrap().toolchains[0].version,
        "1.85"
    );
    assert_eq!(
        channel("[toolchain]\nchannel = \"nightly\"\n").unwrap_err().code,
        Code::ToolchainUnavailable
    );
}
