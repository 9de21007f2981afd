//! Examples that are broken on purpose: the failure says what happened, where, and what to do.

use crate::http::get;
use crate::platform::{Platform, example};

fn fails(platform: &Platform, name: &str) -> String {
    let ran = platform.cx(&["deploy", example(name).to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(ran.out, "", "no URL where nothing serves");
    assert!(ran.err.contains("hint"), "{}", ran.err);
    ran.err
}

#[test]
fn a_build_that_fails_names_the_line() {
    let platform = Platform::start();
    let told = fails(&platform, "failing-build");
    assert!(told.contains("render.js:5"), "{told}");
    let page = get(&platform.url("failing-build.localhost", "/"));
    assert_eq!(page.header("x-cygni-error"), "failed", "{page:?}");
}

#[test]
fn a_server_that_exits_shows_its_last_words() {
    let platform = Platform::start();
    let told = fails(&platform, "crashing-server");
    assert!(told.contains('3'), "its exit code: {told}");
}

#[test]
fn a_server_that_never_listens_is_given_up() {
    let platform = Platform::start();
    let told = fails(&platform, "never-listens");
    assert!(told.contains("listen"), "{told}");
}

#[test]
fn a_misspelt_key_is_shown_with_the_right_one() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cx.toml"), "[build]\noutptu = \"dist\"\n").unwrap();
    let ran = platform.cx(&["deploy", directory.path().to_str().unwrap()]);
    assert!(!ran.status.success());
    assert!(
        ran.err.contains("cx.toml:2:1") && ran.err.contains("`output`"),
        "{}",
        ran.err
    );
}
