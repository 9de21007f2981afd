//! `cx up --dev`: the project's own development server over the directory itself.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::http::{get, request};
use crate::platform::{Platform, copy_of, run};
use crate::watch::{Up, until};

/// A server without dependencies that tells what it sees around it.
const SERVER: &str = r#"
const fs = require('fs');
const seen = (path) => { try { return fs.readdirSync(path).join() } catch (error) { return error.code } };
require('http').createServer((request, answer) => {
  if (request.url === '/write') fs.writeFileSync('generated.txt', 'by the server');
  answer.end(JSON.stringify({ text: 'TEXT', git: seen('.git'), above: seen('..'), mode: process.env.NODE_ENV }));
}).listen(process.env.PORT);
"#;

fn server(directory: &Path, text: &str) {
    std::fs::write(directory.join("server.js"), SERVER.replace("TEXT", text)).unwrap();
}

fn project() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let manifest = json!({"name": "small", "scripts": {"start": "node server.js"}});
    std::fs::write(directory.path().join("package.json"), manifest.to_string()).unwrap();
    std::fs::create_dir(directory.path().join(".git")).unwrap();
    std::fs::write(directory.path().join(".git/config"), "[secret]").unwrap();
    server(directory.path(), "first");
    directory
}

fn told(up: &Up) -> Value {
    serde_json::from_str(&get(&up.url).body).unwrap_or_default()
}

fn deployments(platform: &Platform) -> usize {
    let inspected = platform.ok(&["inspect", "--project", "site", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    inspected["deployments"].as_array().unwrap().len()
}

#[test]
fn a_saved_module_is_replaced_in_the_open_page_and_nothing_is_left_in_the_directory() {
    let platform = Platform::start();
    let copy = copy_of("vite-spa");
    let before = listing(copy.path());
    let module = copy.path().join("src/hot.js");
    let text = |text: &str| std::fs::write(&module, format!("export const text = '{text}';\n")).unwrap();
    text("first");
    let main = copy.path().join("src/main.js");
    let source = std::fs::read_to_string(&main).unwrap();
    let hot = "import { text } from './hot.js';\ndocument.body.dataset.hot = text;\n\
               import.meta.hot.accept('./hot.js', (module) => { document.body.dataset.hot = module.text; });\n";
    std::fs::write(&main, format!("{source}\n{hot}")).unwrap();

    let mut up = Up::start(&platform, copy.path(), &["--dev"]);
    up.says("Ctrl-C");
    let browser = Browser::start(platform.data().parent().unwrap());
    browser.open(&up.url);
    browser.until("document.body?.dataset.hot === 'first'");
    browser.ask("window.kept = true").unwrap();
    text("second");
    browser.until("document.body.dataset.hot === 'second'");
    assert_eq!(
        browser.ask("window.kept === true"),
        Ok(Value::Bool(true)),
        "the page was not loaded again"
    );
    assert_eq!(deployments(&platform), 1, "a save is no deployment");
    drop(browser);
    drop(up);
    std::fs::remove_file(&module).unwrap();
    until("nothing is left in the directory", || {
        listing(copy.path()) == before
    });
}

#[test]
fn a_server_is_watched_writes_to_the_directory_and_does_not_see_the_repository() {
    let platform = Platform::start();
    let directory = project();
    let mut up = Up::start(&platform, directory.path(), &["--dev"]);
    up.says("Ctrl-C");
    let first = told(&up);
    assert_eq!(
        (first["text"].as_str(), first["git"].as_str()),
        (Some("first"), Some(""))
    );
    assert_eq!(first["mode"], "development");
    assert!(!first["above"].as_str().unwrap().contains("root"), "{first}");
    get(&format!("{}write", up.url));
    let written = std::fs::read_to_string(directory.path().join("generated.txt")).unwrap();
    assert_eq!(written, "by the server");
    server(directory.path(), "second");
    until("the new code answers", || told(&up)["text"] == "second");
    assert_eq!(deployments(&platform), 1);

    // What decides how it is started starts it anew.
    let manifest = json!({"name": "small", "version": "2.0.0", "scripts": {"start": "node server.js"}});
    std::fs::write(directory.path().join("package.json"), manifest.to_string()).unwrap();
    up.says("package.json");
    assert_eq!(deployments(&platform), 2);
    until("it answers again", || told(&up)["text"] == "second");
}

#[test]
fn what_has_no_development_server_says_what_to_do() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("index.html"), "hello").unwrap();
    let arguments = ["--dev", "--no-watch", "--project", "site"];
    let ran = run(platform.command().arg("up").args(arguments).arg(directory.path()));
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(ran.err.contains("without --dev"), "{}", ran.err);
}

#[test]
fn a_directory_cannot_be_named_by_whoever_cannot_write_to_it() {
    let platform = Platform::start();
    let elsewhere = ["--dev", "--url", "http://cx.example.com", "--token", "x"];
    let ran = run(platform.command().arg("up").args(elsewhere).arg("."));
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(
        ran.err.contains("http://cx.example.com is elsewhere"),
        "{}",
        ran.err
    );

    let body =
        |live: Value| json!({"project": "site", "files": {"package.json": "{}"}, "live": live}).to_string();
    let bearer = format!("Bearer {}", platform.token().trim());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let post = |live: Value| {
        let url = platform.url("localhost", "/api/v1/deployments");
        let answer = request("POST", &url, &headers, body(live).as_bytes()).unwrap();
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        (
            answer.status,
            problem["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let data = platform.data().canonicalize().unwrap();
    let proof = ".cygni-proof-0123456789abcdef";
    let table = [
        (
            json!({"directory": "/etc", "proof": proof}),
            (403, "live_directory_refused"),
        ),
        (
            json!({"directory": "/", "proof": proof}),
            (422, "invalid_live_directory"),
        ),
        (
            json!({"directory": "etc", "proof": proof}),
            (422, "invalid_live_directory"),
        ),
        (
            json!({"directory": "/etc/../etc", "proof": proof}),
            (422, "invalid_live_directory"),
        ),
        (
            json!({"directory": data, "proof": "token"}),
            (403, "live_directory_refused"),
        ),
    ];
    for (live, (status, code)) in table {
        assert_eq!(post(live.clone()), (status, code.to_owned()), "{live}");
    }
}

/// Every path below `directory`.
fn listing(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(listing(&path));
        }
        found.push(path.to_string_lossy().into_owned());
    }
    found.sort();
    found
}
