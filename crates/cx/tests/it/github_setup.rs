//! `cx github setup`, clicked through: the page, what comes back from GitHub, and where the App's credentials end.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use forge::fake::github::FakeGitHub;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::http::{get, request};
use crate::platform::Platform;

#[test]
fn an_app_is_made_with_one_click() {
    let runtime = Runtime::new().unwrap();
    let github = runtime.block_on(FakeGitHub::start());
    let platform = Platform::start();
    let mut command = platform.command();
    let arguments = [
        "github",
        "setup",
        "--org",
        "acme",
        "--at",
        github.url(),
        "--api",
        github.url(),
        "--json",
    ];
    let mut setup = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(setup.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&printed.next().unwrap().unwrap()).unwrap();
    let page_url = next()["open"].as_str().unwrap().to_owned();

    let page = get(&page_url).body;
    let action = page.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("{}/organizations/acme/settings/apps/new?state=", github.url());
    let state = action.strip_prefix(&form).unwrap_or_else(|| panic!("{action}"));
    let hook = platform.url("localhost", "/api/v1/webhooks/github");
    assert!(page.contains(&hook), "{page}");

    // Neither a page of another name, nor a code that nobody asked for.
    let port = page_url.trim_end_matches('/').rsplit(':').next().unwrap();
    assert_eq!(get(&format!("http://evil.localhost:{port}/")).status, 421);
    let back = |state: &str| format!("{page_url}made?code={}&state={state}", github.manifest_code());
    assert_eq!(get(&back("another")).status, 403);
    let made = request("GET", &back(state), &[], b"").unwrap();
    assert!(
        made.status == 200 && made.body.contains("/installations/new"),
        "{made:?}"
    );

    let told = next();
    assert_eq!(told["forge"]["credentials"], "app", "{told}");
    assert!(setup.wait().unwrap().success());
    let listed = platform.ok(&["forge", "list", "--json"]);
    assert!(!listed.contains("PRIVATE KEY") && !told.to_string().contains("PRIVATE KEY"));
    for file in ["state.db", "state.db-wal"] {
        let rows = std::fs::read(platform.data().join(file)).unwrap_or_default();
        assert!(
            !rows.windows(11).any(|bytes| bytes == b"PRIVATE KEY"),
            "a key lies in clear in {file}"
        );
    }
    platform.ok(&["forge", "remove", "github"]);
}
