//! What users do meanwhile: deploy, go back, deploy again, delete.

use std::process::{Child, Stdio};
use std::time::Instant;

use super::{BUILT, NAMESPACES, PROJECT, Story};

/// What a command may lead to, besides everything staying as it was.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The alias shows this text.
    Shows(String),
    /// The alias shows what it showed before.
    Same,
    /// The alias shows another deployment of this preview.
    Other,
    Gone,
}

/// A command under way.
pub(super) struct Action {
    pub(super) namespace: &'static str,
    pub(super) outcome: Outcome,
    command: Child,
    pub(super) what: String,
}

impl Story {
    /// Begins something and does not wait for it.
    pub(super) fn act(&mut self) -> Action {
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
    pub(super) fn deploy(&mut self, namespace: &'static str) -> Action {
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

    pub(super) fn deploy_broken(&mut self, namespace: &'static str) -> Action {
        let project = format!(
            "[build]\ncommand = \"echo {BUILT} {} && exit 3\"\noutput = \"dist\"\n",
            self.round
        );
        self.deploy_files(namespace, &[("cx.toml", project)], Outcome::Same)
    }

    pub(super) fn deploy_files(
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

    pub(super) fn begin(&self, namespace: &'static str, outcome: Outcome, arguments: &[&str]) -> Action {
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
    pub(super) fn finish(&mut self, action: &mut Action) -> bool {
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
}
