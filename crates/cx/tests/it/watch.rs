//! `cx up` follows saves: the real binary over a directory that changes, and a browser that sees it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::http::{get, request};
use crate::platform::{Platform, copy_of, terminate};

/// What is to come has come by then.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// `cx up` over a directory; it and its preview end with this value.
pub(crate) struct Up {
    child: Child,
    said: Receiver<String>,
    heard: Vec<String>,
    pub(crate) url: String,
}

impl Up {
    pub(crate) fn start(platform: &Platform, directory: &Path, more: &[&str]) -> Self {
        let mut command = platform.command();
        command
            .args(["up", "--project", "site"])
            .args(more)
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            said,
            heard: Vec::new(),
            url: platform.url("site.localhost", "/"),
        }
    }

    /// Waits for a line with `text`, and gives it.
    pub(crate) fn says(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.said.recv_timeout(PATIENCE) else {
                panic!("`{text}` was never said, but {:#?}", self.heard);
            };
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the preview shows `text`.
    fn serves(&self, text: &str) {
        until(&format!("{} shows `{text}`", self.url), || {
            get(&self.url).body.contains(text)
        });
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            terminate(&self.child);
        }
        let _ = self.child.wait();
    }
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// A page that says `text`.
fn site(text: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("index.html"), page(text)).unwrap();
    directory
}

fn page(text: &str) -> String {
    format!("<!doctype html><title>site</title><h1>{text}</h1>")
}

fn watched(platform: &Platform) -> bool {
    let listed: Value = serde_json::from_str(&platform.ok(&["list", "--json"])).unwrap();
    let previews = listed
        .as_array()
        .or_else(|| listed["previews"].as_array())
        .unwrap();
    previews
        .iter()
        .any(|preview| preview["watched"] == Value::Bool(true))
}

#[test]
fn saves_are_served_and_broken_ones_leave_the_page_before() {
    let platform = Platform::start();
    let directory = site("one");
    let file = |path: &str| directory.path().join(path);
    let mut up = Up::start(&platform, directory.path(), &[]);
    up.says("Ctrl-C");
    up.serves("one");

    std::fs::write(file("index.html"), page("two")).unwrap();
    up.serves("two");
    let line = up.says("index.html");
    assert!(line.contains("live in"), "{line}");

    // As editors save.
    std::fs::write(file(".index.html.swp"), page("three")).unwrap();
    std::fs::rename(file(".index.html.swp"), file("index.html")).unwrap();
    up.serves("three");

    std::fs::write(file("cx.toml"), "[build\n").unwrap();
    up.says("cx.toml:1");
    up.says("what served before goes on serving");
    up.serves("three");
    std::fs::remove_file(file("cx.toml")).unwrap();
    up.says("works again");

    std::fs::create_dir_all(file("notes/today")).unwrap();
    std::fs::write(file("notes/today/first.txt"), "written").unwrap();
    let notes = platform.url("site.localhost", "/notes/today/first.txt");
    until("the file in the new directory is served", || {
        get(&notes).body == "written"
    });
}

#[test]
fn what_is_ignored_leads_to_nothing() {
    let platform = Platform::start();
    let directory = site("one");
    std::fs::write(directory.path().join(".cxignore"), "*.log\n").unwrap();
    let mut up = Up::start(&platform, directory.path(), &[]);
    up.says("Ctrl-C");
    std::fs::write(directory.path().join("debug.log"), "noise").unwrap();
    std::fs::write(directory.path().join("index.html"), page("two")).unwrap();
    let line = up.says("live in");
    assert!(
        line.contains("index.html") && !line.contains("debug.log"),
        "{line}"
    );
    up.serves("two");
    // The first deployment and the one for the page: none for the log.
    let inspected: Value =
        serde_json::from_str(&platform.ok(&["inspect", "--project", "site", "--json"])).unwrap();
    let deployments = inspected["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 2, "{inspected:#}");
    assert_eq!(get(&platform.url("site.localhost", "/debug.log")).status, 404);
}

#[test]
fn without_watching_it_deploys_once() {
    let platform = Platform::start();
    let directory = site("one");
    let mut up = Up::start(&platform, directory.path(), &["--no-watch"]);
    up.says("Ctrl-C");
    assert!(!watched(&platform));
    std::fs::write(directory.path().join("index.html"), page("two")).unwrap();
    let elsewhere = site("three");
    platform.ok(&["deploy", elsewhere.path().to_str().unwrap(), "--project", "site"]);
    up.serves("three");
}

#[test]
fn a_first_failure_waits_for_the_save_that_repairs_it() {
    let platform = Platform::start();
    let directory = site("one");
    std::fs::write(directory.path().join("cx.toml"), "[run]\ncommand = \"exit 3\"\n").unwrap();
    let mut up = Up::start(&platform, directory.path(), &[]);
    up.says("waiting for a change");
    std::fs::remove_file(directory.path().join("cx.toml")).unwrap();
    up.says("Ctrl-C");
    up.serves("one");
}

#[test]
fn the_log_goes_on_with_the_new_instance() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    let server = |name: &str| {
        format!(
            "console.log('I am {name}');\n\
             require('http').createServer((_, answer) => answer.end('{name}')).listen(process.env.PORT);\n"
        )
    };
    std::fs::write(
        directory.path().join("package.json"),
        r#"{"scripts": {"start": "node server.js"}}"#,
    )
    .unwrap();
    std::fs::write(directory.path().join("server.js"), server("first")).unwrap();
    let mut command = platform.command();
    command.args(["up", "--project", "site"]).arg(directory.path());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    crate::platform::read_until(&mut out, "I am first");
    std::fs::write(directory.path().join("server.js"), server("second")).unwrap();
    crate::platform::read_until(&mut out, "I am second");
    until("the new one answers", || {
        get(&platform.url("site.localhost", "/")).body == "second"
    });
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_killed_client_watches_no_more() {
    let platform = Platform::start();
    let directory = site("one");
    let mut up = Up::start(&platform, directory.path(), &[]);
    up.says("Ctrl-C");
    until("the preview is watched", || watched(&platform));
    let document = |url: &str| {
        let headers = [("sec-fetch-dest", "document"), ("accept", "text/html")];
        request("GET", url, &headers, b"").unwrap()
    };
    until("pages have the script", || {
        document(&up.url).body.contains("/.cygni/live.js")
    });
    assert!(
        !get(&up.url).body.contains("live.js"),
        "programs see the page as it is"
    );
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    until("nobody watches", || !watched(&platform));
    assert_eq!(document(&up.url).body, page("one"));
}

#[test]
fn a_page_reloads_by_itself() {
    let mut platform = Platform::start();
    let directory = site("one");
    let mut up = Up::start(&platform, directory.path(), &[]);
    up.says("Ctrl-C");
    until("the preview is watched", || watched(&platform));
    let browser = Browser::start(platform.data().parent().unwrap());
    browser.open(&up.url);
    browser.until_shown("one");
    std::fs::write(directory.path().join("index.html"), page("two")).unwrap();
    browser.until_shown("two");

    // A failure is no reason to reload.
    browser.ask("window.kept = true").unwrap();
    std::fs::write(directory.path().join("cx.toml"), "[build\n").unwrap();
    up.says("what served before goes on serving");
    assert_eq!(browser.ask("window.kept === true"), Ok(Value::Bool(true)));
    std::fs::remove_file(directory.path().join("cx.toml")).unwrap();
    browser.until("window.kept !== true");

    // The platform dies, and comes back with something else.
    browser.until_shown("two");
    platform.kill();
    platform.start_again();
    std::fs::write(directory.path().join("index.html"), page("three")).unwrap();
    browser.until_shown("three");
    drop(browser);
}

/// A copy of an example with a build: only the build runs again, not the install.
#[test]
fn a_build_is_done_again_and_its_install_is_not() {
    let platform = Platform::start();
    let copy = copy_of("static-build");
    let mut up = Up::start(&platform, copy.path(), &[]);
    up.says("Ctrl-C");
    let source = std::fs::read_to_string(copy.path().join("build.js")).unwrap();
    std::fs::write(
        copy.path().join("build.js"),
        format!("{source}\nprocess.exit(3);\n"),
    )
    .unwrap();
    let line = up.says("build.js");
    assert!(line.contains("✗") && line.contains("build"), "{line}");
    up.says("what served before goes on serving");
    std::fs::write(copy.path().join("build.js"), format!("{source}\n// changed\n")).unwrap();
    let line = up.says("works again");
    assert!(line.contains("build") && line.contains("live in"), "{line}");
    let log = platform.ok(&["logs", "--build", "--project", "site"]);
    assert!(
        log.contains("$ npm run build") && !log.contains("$ npm ci"),
        "{log}"
    );
}
