//! The platform, its zygote and single inits are killed at random moments of a loop of deployments, rollbacks, deletions
//! and visits; after each kill the right deployment serves from the process it had, what was built is not built again, and
//! nothing is left of what was under way.
//!
//! The moments follow from a seed, as far as the machine lets them. A loss of power is not told here: the kernel lives on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::http::{request, try_get};
use crate::platform::Platform;
use crate::traces::Traces;

/// How long the platform may take to put everything in order after a kill.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the init of one instance is killed: the wait before a restart doubles each time.
const INIT_KILLS_MAX: u32 = 4;
const PROJECT: &str = "loop";
/// Printed by every build.
const BUILT: &str = "built-for-real";
/// Two of each, so that one is in the way of another.
const NAMESPACES: [&str; 4] = ["page-a", "page-b", "server-a", "server-b"];

/// How many of each are killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kills {
    pub(crate) platform: u32,
    pub(crate) zygote: u32,
    pub(crate) init: u32,
}

/// Kills until all of `kills` are done; panics where a promise does not hold. Gives how many commands said that they were
/// done, and how many that they were not.
pub(crate) fn survive(seed: u64, mut kills: Kills) -> (u32, u32) {
    let mut story = Story {
        platform: Platform::start(),
        random: Random(seed),
        serving: BTreeMap::new(),
        round: 0,
        source: tempfile::tempdir().unwrap(),
        init_kills: BTreeMap::new(),
        commands: (0, 0),
    };
    while kills.platform + kills.zygote + kills.init > 0 {
        story.round += 1;
        match story
            .random
            .below(u64::from(kills.platform + kills.zygote + kills.init)) as u32
        {
            n if n < kills.platform => {
                kills.platform -= story.kill_the_platform().min(kills.platform);
            }
            n if n < kills.platform + kills.zygote => {
                kills.zygote -= 1;
                story.kill_the_zygote();
            }
            _ => kills.init -= u32::from(story.kill_an_init()),
        }
        story.assert_only_what_is_called_for();
    }
    story.platform.assert_leaves_nothing();
    story.commands
}

/// What visitors of an alias are given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Serving {
    text: String,
    /// The process that answers, as it sees itself; none for files.
    pid: Option<String>,
    deployment: String,
}

struct Story {
    platform: Platform,
    random: Random,
    serving: BTreeMap<&'static str, Serving>,
    round: u32,
    source: tempfile::TempDir,
    init_kills: BTreeMap<String, u32>,
    /// Commands that said that they were done, and that did not.
    commands: (u32, u32),
}

/// What a command may lead to, besides everything staying as it was.
#[derive(Debug)]
enum Outcome {
    /// The alias shows this text.
    Shows(String),
    /// The alias shows what it showed before.
    Same,
    /// The alias shows another deployment of this preview.
    Other,
    Gone,
}

struct Action {
    namespace: &'static str,
    outcome: Outcome,
    command: Child,
    what: String,
}

impl Story {
    /// Gives how often it was killed.
    fn kill_the_platform(&mut self) -> u32 {
        let mut action = self.act();
        self.random.pause();
        let built = self.builds_done(action.namespace);
        self.platform.kill();
        let mut killed = 1;
        // Sometimes at its start too, while it takes over what runs.
        while self.random.below(4) == 0 {
            self.platform.begin();
            park_timeout(Duration::from_millis(self.random.below(150)));
            self.platform.kill();
            killed += 1;
        }
        self.platform.start_again();
        let done = self.finish(&mut action);
        self.settle(action.namespace);
        self.judge(&action, done);
        if let Some((deployment, lines)) = built {
            let now = self.build_lines(&deployment);
            // Its preview may be deleted by now, and its log with it.
            assert!(
                now.is_none_or(|now| now == lines),
                "{} built again: {}",
                deployment,
                action.what
            );
        }
        killed
    }

    fn kill_the_zygote(&mut self) {
        let mut action = self.act();
        self.random.pause();
        // None is there for a moment after another one ended.
        if let Some(zygote) = child_called(self.platform.pid(), "cygni-zygote") {
            kill(zygote);
        }
        let done = self.finish(&mut action);
        self.settle(action.namespace);
        self.judge(&action, done);
    }

    /// `false` where something had to be deployed first: nothing runs, or what runs was killed often and waits long.
    fn kill_an_init(&mut self) -> bool {
        let servers = ["server-a", "server-b"];
        let namespace = servers[self.random.below(2) as usize];
        let running = self
            .serving
            .get(namespace)
            .map(|serving| serving.deployment.clone());
        let instance = running.map(|deployment| {
            let instance = &self.deployment(&deployment)["instances"][0]["id"];
            instance.as_str().unwrap().to_owned()
        });
        let fresh = |instance: &String| {
            self.init_kills
                .get(instance)
                .is_none_or(|kills| *kills < INIT_KILLS_MAX)
        };
        let Some(instance) = instance.filter(fresh) else {
            let mut action = self.deploy(namespace);
            let done = self.finish(&mut action);
            self.settle(namespace);
            self.judge(&action, done);
            return false;
        };
        *self.init_kills.entry(instance.clone()).or_default() += 1;
        let init = self
            .init_of(&instance)
            .unwrap_or_else(|| panic!("{instance} has no init"));
        kill(init);
        self.until_started_again(namespace, &instance, init);
        true
    }

    fn until_started_again(&mut self, namespace: &'static str, instance: &str, init: u32) {
        let before = self.serving[namespace].deployment.clone();
        let begin = Instant::now();
        loop {
            let now = self.look(namespace);
            if let Some(now) = now.filter(|now| now.deployment == before)
                && self.init_of(instance).is_some_and(|new| new != init)
            {
                self.serving.insert(namespace, now);
                return;
            }
            self.in_time(begin, || format!("{instance} is not started again"));
        }
    }

    /// Begins something and does not wait for it.
    fn act(&mut self) -> Action {
        let namespace = NAMESPACES[self.random.below(NAMESPACES.len() as u64) as usize];
        if !self.serving.contains_key(namespace) {
            return self.deploy(namespace);
        }
        let selected = ["--project", PROJECT, "--namespace", namespace];
        let (outcome, arguments) = match self.random.below(8) {
            0 => (
                Outcome::Gone,
                vec![
                    "delete",
                    "--project",
                    PROJECT,
                    "--namespace",
                    namespace,
                    "--force",
                ],
            ),
            1 | 2 => (Outcome::Other, [&["rollback"], selected.as_slice()].concat()),
            3 => (Outcome::Same, [&["redeploy"], selected.as_slice()].concat()),
            4 => return self.deploy_broken(namespace),
            _ => return self.deploy(namespace),
        };
        self.begin(namespace, outcome, &arguments)
    }

    /// A source that serves a text of its own: built files, or a server.
    fn deploy(&mut self, namespace: &'static str) -> Action {
        let text = format!("text {} of {namespace}", self.round);
        let server = namespace.starts_with("server");
        let files: &[(&str, String)] = &if server {
            let code = format!(
                "require('http').createServer((q, s) => s.end('{text}|' + PID)).listen(process.env.PORT);\n\
                 const PID = process.hrtime.bigint() + '';\n"
            );
            let package = r#"{"name":"server","scripts":{"start":"node server.js"}}"#.to_owned();
            [("server.js", code), ("package.json", package)]
        } else {
            let project = format!(
                "[build]\ncommand = \"echo {BUILT} && mkdir -p dist && cp page.html dist/index.html\"\noutput = \"dist\"\n"
            );
            [("page.html", text.clone()), ("cx.toml", project)]
        };
        self.deploy_files(namespace, files, Outcome::Shows(text))
    }

    fn deploy_broken(&mut self, namespace: &'static str) -> Action {
        let project = format!(
            "[build]\ncommand = \"echo {BUILT} {} && exit 3\"\noutput = \"dist\"\n",
            self.round
        );
        self.deploy_files(namespace, &[("cx.toml", project)], Outcome::Same)
    }

    fn deploy_files(
        &mut self,
        namespace: &'static str,
        files: &[(&str, String)],
        outcome: Outcome,
    ) -> Action {
        let directory = self.source.path().join(self.round.to_string());
        std::fs::create_dir(&directory).unwrap();
        for (name, text) in files {
            std::fs::write(directory.join(name), text).unwrap();
        }
        let directory = directory.to_str().unwrap().to_owned();
        let arguments = [
            "deploy",
            &directory,
            "--project",
            PROJECT,
            "--namespace",
            namespace,
        ];
        self.begin(namespace, outcome, &arguments)
    }

    fn begin(&self, namespace: &'static str, outcome: Outcome, arguments: &[&str]) -> Action {
        let mut command = self.platform.command();
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Action {
            namespace,
            what: format!(
                "round {}: {} in {namespace}: {outcome:?}",
                self.round, arguments[0]
            ),
            outcome,
            command: command.spawn().unwrap(),
        }
    }

    /// Waits for the command; gives whether it says that it was done.
    fn finish(&mut self, action: &mut Action) -> bool {
        let begin = Instant::now();
        loop {
            if let Some(status) = action.command.try_wait().unwrap() {
                let done = status.success();
                self.commands.0 += u32::from(done);
                self.commands.1 += u32::from(!done);
                return done;
            }
            self.in_time(begin, || format!("the command does not end: {}", action.what));
        }
    }

    /// Waits until nothing is under way in the namespace.
    fn settle(&self, namespace: &str) {
        let begin = Instant::now();
        loop {
            let newest = self
                .preview(namespace)
                .map(|preview| preview["newest"]["state"].clone());
            let state = newest.as_ref().and_then(Value::as_str).unwrap_or("");
            if !["queued", "building", "deploying"].contains(&state) {
                return;
            }
            self.in_time(begin, || {
                format!("round {}: {namespace} stays {state}", self.round)
            });
        }
    }

    /// What is served must be what the command was to lead to, if it said so; else that, or what was before.
    fn judge(&mut self, action: &Action, done: bool) {
        let namespace = action.namespace;
        let before = self.serving.get(namespace).cloned();
        let begin = Instant::now();
        let now = loop {
            let now = self.look(namespace);
            // Something that exists serves; it may have to be woken or started first.
            if now.is_some()
                || self
                    .preview(namespace)
                    .is_none_or(|preview| preview["current"].is_null())
            {
                break now;
            }
            self.in_time(begin, || format!("nobody answers: {}", action.what));
        };
        let same = before.as_ref().map(|before| &before.text) == now.as_ref().map(|now| &now.text);
        let reached = match &action.outcome {
            Outcome::Shows(text) => now.as_ref().is_some_and(|now| now.text == *text),
            Outcome::Same => same,
            Outcome::Other => now.is_some(),
            Outcome::Gone => now.is_none(),
        };
        assert!(
            reached || (!done && same),
            "{}: {before:?} became {now:?}, done {done}",
            action.what
        );
        if let (Some(before), Some(now)) = (&before, &now)
            && before.deployment == now.deployment
        {
            assert_eq!(before.pid, now.pid, "another process serves: {}", action.what);
        }
        match now {
            Some(now) => self.serving.insert(namespace, now),
            None => self.serving.remove(namespace),
        };
        for (other, expected) in self.serving.iter().filter(|(name, _)| **name != namespace) {
            let now = self.look(other);
            assert_eq!(now.as_ref(), Some(expected), "{other} after {}", action.what);
        }
    }

    /// Nothing exists on the machine that no deployment calls for.
    fn assert_only_what_is_called_for(&self) {
        let begin = Instant::now();
        loop {
            let (mut instances, mut deployments) = (BTreeSet::new(), BTreeSet::new());
            for preview in self.previews() {
                let path = format!("/api/v1/previews/{}/deployments", preview["id"].as_str().unwrap());
                for deployment in self.api(&path).as_array().unwrap() {
                    deployments.insert(short(&deployment["id"]));
                    let of = deployment["instances"].as_array().unwrap();
                    instances.extend(of.iter().map(|instance| short(&instance["id"])));
                }
            }
            let strangers = Traces::strangers(&self.platform.data(), &instances, &deployments);
            if strangers.is_empty() {
                return;
            }
            self.in_time(begin, || {
                format!("round {}: left behind: {strangers:#?}", self.round)
            });
        }
    }

    /// The newest deployment of the namespace and how many builds its log tells of, once they are over.
    fn builds_done(&self, namespace: &str) -> Option<(String, usize)> {
        let newest = self.preview(namespace)?["newest"].clone();
        let over = ["deploying", "ready", "failed"].contains(&newest["state"].as_str()?);
        let id = newest["id"].as_str()?.to_owned();
        let lines = over.then(|| self.build_lines(&id))??;
        Some((id, lines))
    }

    fn build_lines(&self, deployment: &str) -> Option<usize> {
        let path = format!("/api/v1/deployments/{deployment}/logs");
        let page = self.try_api(&path)?;
        let lines = page["lines"].as_array()?;
        let told = |line: &&Value| line["text"].as_str().is_some_and(|text| text.starts_with(BUILT));
        Some(lines.iter().filter(told).count())
    }

    /// What a visitor of the alias sees; none where nobody answers.
    fn look(&self, namespace: &str) -> Option<Serving> {
        let preview = self.preview(namespace)?;
        let answer = try_get(preview["url"].as_str()?)
            .ok()
            .filter(|answer| answer.status == 200)?;
        let deployment = answer.header("x-cygni-deployment").to_owned();
        assert_eq!(
            Some(deployment.as_str()),
            preview["current"].as_str(),
            "{namespace}"
        );
        let (text, pid) = match answer.body.split_once('|') {
            Some((text, pid)) => (text.to_owned(), Some(pid.to_owned())),
            None => (answer.body, None),
        };
        Some(Serving {
            text,
            pid,
            deployment,
        })
    }

    fn preview(&self, namespace: &str) -> Option<Value> {
        self.previews()
            .into_iter()
            .find(|preview| preview["namespace"] == namespace)
    }

    fn previews(&self) -> Vec<Value> {
        self.api("/api/v1/previews").as_array().unwrap().clone()
    }

    fn deployment(&self, id: &str) -> Value {
        self.api(&format!("/api/v1/deployments/{id}"))
    }

    fn api(&self, path: &str) -> Value {
        self.try_api(path)
            .unwrap_or_else(|| panic!("{path}: {}", self.platform.log()))
    }

    fn try_api(&self, path: &str) -> Option<Value> {
        let token = format!("Bearer {}", self.platform.token());
        let url = self.platform.url("localhost", path);
        let answer = request("GET", &url, &[("authorization", &token)], b"").ok()?;
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())
    }

    fn init_of(&self, instance: &str) -> Option<u32> {
        let sandboxes = self.platform.data().join("sandboxes");
        let mine = |path: &Path| {
            path.to_string_lossy()
                .contains(instance.rsplit('_').next().unwrap())
        };
        let directory = std::fs::read_dir(sandboxes)
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| mine(path))?;
        let state = std::fs::read(directory.join("state.json")).ok()?;
        let state: Value = serde_json::from_slice(&state).ok()?;
        state["pid"].as_u64().map(|pid| pid as u32)
    }

    /// Waits a moment; gives up when it has been too long.
    fn in_time(&self, begin: Instant, what: impl FnOnce() -> String) {
        if begin.elapsed() > PATIENCE {
            panic!("{}\n{}", what(), self.platform.log());
        }
        park_timeout(Duration::from_millis(10));
    }
}

/// What is unique in an id.
fn short(id: &Value) -> String {
    id.as_str().unwrap().rsplit('_').next().unwrap().to_owned()
}

fn child_called(parent: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_dir("/proc").unwrap().flatten();
    children
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            let read =
                |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let stat = read("stat");
            let of = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1));
            of == Some(parent.to_string().as_str()) && read("cmdline").starts_with(name)
        })
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid as i32).unwrap();
    // It may have ended by itself a moment ago.
    let _ = kill_process(pid, Signal::KILL);
}

/// A linear congruential generator: the same seed, the same story.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Anything from the first request of a command to its end.
    fn pause(&mut self) {
        let most = [20, 80, 300, 1_000][self.below(4) as usize];
        park_timeout(Duration::from_millis(self.below(most)));
    }
}
