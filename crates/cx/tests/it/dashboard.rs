//! The dashboard in a real browser.

use std::process::Command;

use crate::platform::{Platform, example};

/// The page at `url` as the browser has it after its scripts ran.
fn browse(platform: &Platform, url: &str) -> String {
    let profile = platform.data().join("browser");
    // A page that never comes to rest must not hold up the tests.
    let mut command = Command::new("timeout");
    command.args(["60", "chromium"]);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
    ]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.args(["--timeout=5000", "--dump-dom", url]);
    let output = command.output().unwrap();
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!page.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(profile).unwrap();
    page
}

#[test]
fn it_lists_what_is_live_to_whoever_is_logged_in() {
    let platform = Platform::start();
    platform.deploy(&example("static-site"), "demo");
    let stranger = browse(&platform, &platform.url("localhost", "/"));
    assert!(
        !stranger.contains("demo-static-site"),
        "a stranger sees no preview"
    );
    let page = browse(
        &platform,
        &platform.url("localhost", &format!("/login?token={}", platform.token())),
    );
    assert!(page.contains("demo-static-site"), "{page}");
}

#[test]
fn a_preview_is_shown_as_its_visitors_see_it() {
    let platform = Platform::start();
    let url = platform.deploy(&example("vite-spa"), "main");
    let page = browse(&platform, &format!("{url}/planets/mars"));
    assert!(page.to_lowercase().contains("mars"), "{page}");
}
