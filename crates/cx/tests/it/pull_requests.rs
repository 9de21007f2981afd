//! A pull request from its opening to its end: the fake GitHub, a real git server, and the real binary.

use std::path::Path;
use std::time::{Duration, Instant};

use forge::Credentials;
use forge::fake::github::{FakeGitHub, NewPull, WEBHOOK_SECRET};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::git_server::{GitServer, Repository};
use crate::http::try_get;
use crate::platform::{Platform, example};

/// Served without a token by the git server.
const REPOSITORY: &str = "open/shop";
/// How long anything may take on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// GitHub, its git server, and a platform that follows one repository of it.
struct Story {
    runtime: Runtime,
    github: FakeGitHub,
    repository: Repository,
    platform: Platform,
    _git: GitServer,
}

impl Story {
    fn begin(example_name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        // The fake sends its deliveries itself; a second choice of the same is harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let git = runtime.block_on(GitServer::start());
        let github = runtime.block_on(FakeGitHub::start());
        let repository = git.repository(REPOSITORY);
        copy(&example(example_name), &repository.work);
        repository.push("refs/heads/main");
        let bare = repository.git(&["remote", "get-url", "origin"]);
        github.create_git_repository(REPOSITORY, Path::new(&bare));
        // The machine's disk is no part of the story.
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        std::fs::write(
            directory.path().join("data/server.toml"),
            "[disk]\nfloor = \"1MiB\"\n",
        )
        .unwrap();
        let platform = Platform::over(directory);
        let story = Self {
            runtime,
            github,
            repository,
            platform,
            _git: git,
        };
        story.connect();
        story
    }

    /// As whoever runs the server does, with the credentials of an App in files.
    fn connect(&self) {
        let Credentials::App {
            id,
            slug,
            private_key,
        } = self.github.app().credentials
        else {
            panic!("an App")
        };
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (key, secret) = (write("key", &private_key), write("secret", WEBHOOK_SECRET));
        let (id, api) = (id.to_string(), self.github.url());
        let added = self.platform.ok(&[
            "forge",
            "add",
            "github",
            "--at",
            self._git.url(),
            "--api",
            api,
            "--app-id",
            &id,
            "--app-slug",
            &slug,
            "--key-file",
            &key,
            "--secret-file",
            &secret,
            "--json",
        ]);
        assert!(!added.contains("PRIVATE KEY"), "credentials are shown: {added}");
        let project = self.json(&["project", "create", "shop", "--repo", REPOSITORY]);
        // An App brings its deliveries along.
        assert_eq!(
            project["repository"]["repository"]["webhook"], "none",
            "{project}"
        );
        let hook = self.platform.url("127.0.0.1", "/api/v1/webhooks/github");
        self.github.set_hook(&hook, WEBHOOK_SECRET);
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.platform.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// Commits what lies in the work tree, pushes it, and lets GitHub tell.
    fn push(&self, branch: &str) -> String {
        let commit = self.repository.push(&format!("refs/heads/{branch}"));
        self.github.push(REPOSITORY, branch, commit.parse().unwrap());
        self.tell();
        commit
    }

    /// GitHub sends what it has to say.
    fn tell(&self) {
        self.runtime.block_on(self.github.send_all());
    }

    fn page(&self) -> String {
        let url = self.platform.url("preview-1-shop.localhost", "/");
        try_get(&url).map(|answer| answer.body).unwrap_or_default()
    }

    fn deployments(&self) -> Vec<Value> {
        let inspected = self.json(&["inspect", "--project", "shop", "--namespace", "preview-1"]);
        inspected["deployments"].as_array().unwrap().clone()
    }

    /// The state of the deployment of a commit, once there is one.
    fn state_of(&self, commit: &str) -> Option<String> {
        let of_commit = |deployment: &&Value| deployment["revision"]["commit"] == commit;
        let all = self.deployments();
        all.iter()
            .find(of_commit)
            .map(|found| found["state"].as_str().unwrap().to_owned())
    }

    /// The one comment of ours.
    fn comment(&self) -> String {
        let comments = self.github.comments(REPOSITORY, 1);
        assert!(comments.len() <= 1, "{comments:#?}");
        comments
            .first()
            .map(|comment| comment.body.clone())
            .unwrap_or_default()
    }

    /// How the check run of a commit ended.
    fn conclusion(&self, commit: &str) -> Option<String> {
        let checks = self.github.checks(REPOSITORY);
        let check = checks.into_iter().find(|check| check.commit.as_str() == commit);
        check.and_then(|check| check.conclusion)
    }

    /// The newest status of the deployment of a commit at GitHub.
    fn told_deployment(&self, commit: &str) -> Option<String> {
        let deployments = self.github.deployments(REPOSITORY);
        let deployment = deployments
            .into_iter()
            .find(|deployment| deployment.commit.as_str() == commit);
        deployment?.statuses.last().map(|status| status.state.clone())
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !done() {
            let pulls = || self.platform.cx(&["git", "pulls"]);
            assert!(
                begin.elapsed() < PATIENCE,
                "{what}: {:#?}\n{}",
                pulls(),
                self.platform.log()
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => {
                std::fs::create_dir_all(&target).unwrap();
                copy(&entry.path(), &target);
            }
            false => drop(std::fs::copy(entry.path(), &target).unwrap()),
        }
    }
}

#[test]
fn a_pull_request_from_its_opening_to_its_end() {
    let story = Story::begin("static-site");
    let repository = &story.repository;

    repository.write("index.html", "<h1>Blue</h1>");
    let blue = story.push("blue");
    assert_eq!(story.github.open_pull(REPOSITORY, NewPull::from("blue")), 1);
    story.tell();
    story.wait("the opened one is not live", || story.page().contains("Blue"));

    let address = story.platform.url("preview-1-shop.localhost", "");
    story.wait("the comment does not name the address", || {
        story.comment().contains(&address)
    });
    story.wait("the check has not succeeded", || {
        story.conclusion(&blue).as_deref() == Some("success")
    });
    story.wait("GitHub's deployment has not succeeded", || {
        story.told_deployment(&blue).as_deref() == Some("success")
    });

    // A build that takes for ever is cancelled by the next push, whose page comes instead.
    repository.write("cx.toml", "[build]\ncommand = \"sleep 600\"\noutput = \".\"\n");
    let slow = story.push("blue");
    story.wait("the slow one is not built", || {
        story.state_of(&slow).as_deref() == Some("building")
    });
    repository
        .write("cx.toml", "")
        .write("index.html", "<h1>Green</h1>");
    let green = story.push("blue");
    story.wait("the newer one is not live", || story.page().contains("Green"));
    assert_eq!(story.state_of(&slow).as_deref(), Some("cancelled"));
    assert_eq!(story.state_of(&blue).as_deref(), Some("ready"));

    // What cannot be built leaves what is there.
    repository.write(
        "cx.toml",
        "[build]\ncommand = \"echo the paint is out >&2; exit 3\"\noutput = \".\"\n",
    );
    let broken = story.push("blue");
    story.wait("the broken one does not fail", || {
        story.state_of(&broken).as_deref() == Some("failed")
    });
    story.wait("the comment does not say why", || {
        story.comment().contains("the paint is out")
    });
    story.wait("the check has not failed", || {
        story.conclusion(&broken).as_deref() == Some("failure")
    });
    assert!(story.page().contains("Green"));
    assert_eq!(story.state_of(&green).as_deref(), Some("ready"));

    story.github.close_pull(REPOSITORY, 1);
    story.tell();
    story.wait("the closed one is still there", || {
        story.json(&["list"]).as_array().unwrap().is_empty()
    });
    assert!(!story.page().contains("Green"));
    story.wait("deployments are left active at GitHub", || {
        let left = story.github.deployments(REPOSITORY);
        left.iter().all(|deployment| {
            deployment
                .statuses
                .last()
                .is_some_and(|status| status.state == "inactive")
        })
    });
    story.platform.assert_leaves_nothing();
    story.platform.ok(&["project", "delete", "shop", "--force"]);
}

#[test]
fn a_paused_project_notes_changes_and_catches_up() {
    let story = Story::begin("static-site");
    story.platform.ok(&["project", "pause", "shop"]);
    story.repository.write("index.html", "<h1>Blue</h1>");
    story.push("blue");
    story.github.open_pull(REPOSITORY, NewPull::from("blue"));
    story.tell();
    let state = || story.json(&["git", "pulls"])[0]["projects"][0]["state"].clone();
    story.wait("the change is not noted", || state() == "paused");
    assert!(story.json(&["list"]).as_array().unwrap().is_empty());
    story.platform.ok(&["project", "resume", "shop"]);
    story.wait("it does not catch up", || story.page().contains("Blue"));
    // What the operator sets counts at once.
    story
        .platform
        .ok(&["project", "set", "shop", "pull_requests=false"]);
    story.wait("the preview stays", || {
        story.json(&["list"]).as_array().unwrap().is_empty()
    });
    story.platform.ok(&["project", "delete", "shop", "--force"]);
    assert!(story.json(&["forge", "remove", "github"])["name"] == "github");
}
