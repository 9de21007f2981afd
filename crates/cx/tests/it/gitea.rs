//! Pull requests of a real Gitea, from a repository without anything to one that nothing is left of.

use std::time::{Duration, Instant};

use forge::fake::RealGitea;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::http::{get, try_get};
use crate::platform::Platform;

/// Until what is awaited has come: a webhook, a fetch, a build and a report.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
const SHOP: &str = "/repos/boss/shop";

/// Gitea with the private repository `boss/shop`, and a server that follows it as `bot`.
struct World {
    platform: Platform,
    gitea: RealGitea,
    runtime: Runtime,
    boss: String,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let gitea = runtime.block_on(RealGitea::start(dir.path()));
        let (boss, bot) = runtime.block_on(async { (gitea.user("boss").await, gitea.user("bot").await) });
        let world = Self {
            platform: Platform::start(),
            gitea,
            runtime,
            boss,
            _dir: dir,
        };
        let new = json!({ "name": "shop", "auto_init": true, "private": true, "default_branch": "main" });
        world.call(Method::POST, "/user/repos", new);
        world.call(
            Method::PUT,
            &format!("{SHOP}/collaborators/bot"),
            json!({ "permission": "admin" }),
        );
        world.write(("main", "main"), "index.html", "main");
        let token = world._dir.path().join("token.txt");
        std::fs::write(&token, bot).unwrap();
        let (url, token) = (world.gitea.url(), token.to_str().unwrap().to_owned());
        world
            .platform
            .ok(&["forge", "add", "gitea", "--at", &url, "--token-file", &token]);
        world.platform.ok(&["project", "create", "--repo", "boss/shop"]);
        world
    }

    fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.runtime
            .block_on(self.gitea.api(&self.boss, (method, path), body))
    }

    /// A commit with one file, on a branch that begins at another where it is new; the commit.
    fn write(&self, (from, to): (&str, &str), path: &str, text: &str) -> String {
        self.write_as(&self.boss, (SHOP, from, to), path, text)
    }

    fn write_as(&self, token: &str, (at, from, to): (&str, &str, &str), path: &str, text: &str) -> String {
        let mut body = json!({
            "branch": from,
            "message": "A change",
            "files": [{
                "operation": "upload",
                "path": path,
                "content": data_encoding::BASE64.encode(text.as_bytes()),
            }],
        });
        if from != to {
            body["new_branch"] = json!(to);
        }
        let path = format!("{at}/contents");
        let made = self
            .runtime
            .block_on(self.gitea.api(token, (Method::POST, &path), body));
        made["commit"]["sha"].as_str().unwrap().to_owned()
    }

    fn open(&self, token: &str, head: &str) -> u64 {
        let body = json!({ "title": "A change", "head": head, "base": "main" });
        let path = format!("{SHOP}/pulls");
        let made = self
            .runtime
            .block_on(self.gitea.api(token, (Method::POST, &path), body));
        made["number"].as_u64().unwrap()
    }

    fn say(&self, token: &str, number: u64, text: &str) -> String {
        let path = format!("{SHOP}/issues/{number}/comments");
        let body = json!({ "body": text });
        let made = self
            .runtime
            .block_on(self.gitea.api(token, (Method::POST, &path), body));
        made["id"].to_string()
    }

    fn close(&self, number: u64) {
        self.call(
            Method::PATCH,
            &format!("{SHOP}/pulls/{number}"),
            json!({ "state": "closed" }),
        );
    }

    /// The texts of our comments.
    fn comments(&self, number: u64) -> Vec<String> {
        let path = format!("{SHOP}/issues/{number}/comments");
        let comments = self.call(Method::GET, &path, Value::Null);
        let ours = comments.as_array().unwrap().iter();
        let ours = ours.filter(|comment| comment["user"]["login"] == "bot");
        ours.map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect()
    }

    fn status(&self, commit: &str) -> Value {
        self.call(
            Method::GET,
            &format!("{SHOP}/commits/{commit}/status"),
            Value::Null,
        )
    }

    fn preview(&self, number: u64) -> String {
        self.platform
            .url(&format!("preview-{number}-shop.localhost"), "/")
    }

    /// Waits until the preview serves `text`.
    fn until_it_serves(&self, number: u64, text: &str) {
        let url = self.preview(number);
        self.until(&format!("{url} to serve {text}"), || {
            try_get(&url).is_ok_and(|answer| answer.status == 200 && answer.body == text)
        });
    }

    /// Waits until the one comment says all of `words`.
    fn until_it_says(&self, number: u64, words: &[&str]) {
        self.until(&format!("a comment that says {words:?}"), || {
            let comments = self.comments(number);
            assert!(comments.len() <= 1, "{comments:#?}");
            comments
                .iter()
                .any(|text| words.iter().all(|word| text.contains(word)))
        });
    }

    fn until(&self, what: &str, come: impl Fn() -> bool) {
        let begin = Instant::now();
        while !come() {
            assert!(
                begin.elapsed() < PATIENCE,
                "waited for {what}\n{}",
                self.platform.log()
            );
            std::thread::park_timeout(PAUSE);
        }
    }
}

#[test]
fn a_pull_request_at_a_real_gitea_from_its_opening_to_its_end() {
    let mut world = World::new();
    let hooks = world.call(Method::GET, &format!("{SHOP}/hooks"), Value::Null);
    assert_eq!(hooks.as_array().unwrap().len(), 1, "{hooks}");

    let first = world.write(("main", "feature"), "index.html", "one");
    let number = world.open(&world.boss, "feature");
    world.until_it_serves(number, "one");
    let address = format!("preview-{number}-shop.localhost");
    world.until_it_says(number, &["Ready", &address, &first[..7]]);
    world.until("a status", || world.status(&first)["state"] == "success");

    let second = world.write(("feature", "feature"), "index.html", "two");
    world.until_it_serves(number, "two");
    world.until_it_says(number, &["Ready", &second[..7]]);

    // One that fails leaves what was before.
    let broken = world.write(
        ("feature", "feature"),
        "cx.toml",
        "[build]\ncommand = \"exit 3\"\noutput = \"x\"\n",
    );
    world.until("the failure", || world.status(&broken)["state"] == "failure");
    world.until_it_says(number, &["Failed", &broken[..7], "exit code 3"]);
    assert_eq!(get(&world.preview(number)).body, "two");
    let mended = world.write(("feature", "feature"), "cx.toml", "");
    world.until("it is mended", || world.status(&mended)["state"] == "success");

    let comment = world.say(&world.boss, number, "/cx redeploy");
    let before = get(&world.preview(number))
        .header("x-cygni-deployment")
        .to_owned();
    world.until("another deployment", || {
        get(&world.preview(number)).header("x-cygni-deployment") != before
    });
    let path = format!("{SHOP}/issues/comments/{comment}/reactions");
    world.until("a reaction", || {
        let reactions = world.call(Method::GET, &path, Value::Null);
        reactions.as_array().is_some_and(|all| !all.is_empty())
    });

    // What happens while nobody listens is caught up with.
    world.gitea.stop();
    world.platform.kill();
    world.platform.start_again();
    world.runtime.block_on(world.gitea.resume());
    world.write(("feature", "feature"), "index.html", "three");
    world.until_it_serves(number, "three");

    world.close(number);
    let url = world.preview(number);
    world.until("it is gone", || get(&url).header("x-cygni-error") == "gone");
    world.until_it_says(number, &["This is over"]);
    world.platform.assert_leaves_nothing();
}

#[test]
fn a_strangers_pull_request_waits_for_somebody_who_may_write() {
    let world = World::new();
    world.call(Method::PATCH, SHOP, json!({ "private": false }));
    let mallory = world.runtime.block_on(world.gitea.user("mallory"));
    let fork = (Method::POST, "/repos/boss/shop/forks");
    world.runtime.block_on(world.gitea.api(&mallory, fork, json!({})));
    let gift = ("/repos/mallory/shop", "main", "gift");
    let commit = world.write_as(&mallory, gift, "index.html", "a gift");
    let number = world.open(&mallory, "mallory:gift");
    world.until_it_says(number, &["Waits for approval", &commit[..7]]);
    // Whoever proposed it does not approve it.
    let comment = world.say(&mallory, number, &format!("/cx approve {commit}"));
    let path = format!("{SHOP}/issues/comments/{comment}/reactions");
    world.until("a refusal", || {
        let reactions = world.call(Method::GET, &path, Value::Null);
        reactions
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["content"] == "-1"))
    });
    assert_ne!(get(&world.preview(number)).status, 200);
    world.say(&world.boss, number, &format!("/cx approve {commit}"));
    world.until_it_serves(number, "a gift");
    world.close(number);
    let url = world.preview(number);
    world.until("it is gone", || get(&url).header("x-cygni-error") == "gone");
    world.platform.assert_leaves_nothing();
}
