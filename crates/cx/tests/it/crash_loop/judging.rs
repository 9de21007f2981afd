//! What must hold after every kill: through the routes, through the API, in the rows and on the machine.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use super::acting::{Action, Outcome};
use super::{BUILT, Story, rows};
use crate::http::{request, try_get};
use crate::traces::Traces;

/// What visitors of an alias are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) text: String,
    /// The process that answers, as it sees itself; none for files.
    pub(super) pid: Option<String>,
    pub(super) deployment: String,
}

impl Story {
    /// Waits until nothing is under way in the namespace.
    pub(super) fn settle(&self, namespace: &str) {
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
    pub(super) fn judge(&mut self, action: &Action, done: bool) {
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

    /// Nothing exists on the machine or in the rows that no deployment calls for.
    pub(super) fn assert_only_what_is_called_for(&self) {
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
            let mut wrong = Traces::strangers(&self.platform.data(), &instances, &deployments);
            wrong.extend(rows::wrong(&self.platform.data()));
            if wrong.is_empty() {
                return;
            }
            self.in_time(begin, || format!("round {}: left behind: {wrong:#?}", self.round));
        }
    }

    /// The newest deployment of the namespace and how many builds its log tells of, once they are over.
    pub(super) fn builds_done(&self, namespace: &str) -> Option<(String, usize)> {
        let newest = self.preview(namespace)?["newest"].clone();
        let over = ["deploying", "ready", "failed"].contains(&newest["state"].as_str()?);
        let id = newest["id"].as_str()?.to_owned();
        let lines = over.then(|| self.build_lines(&id))??;
        Some((id, lines))
    }

    pub(super) fn build_lines(&self, deployment: &str) -> Option<usize> {
        let path = format!("/api/v1/deployments/{deployment}/logs");
        let page = self.try_api(&path)?;
        let lines = page["lines"].as_array()?;
        let told = |line: &&Value| line["text"].as_str().is_some_and(|text| text.starts_with(BUILT));
        Some(lines.iter().filter(told).count())
    }

    /// What a visitor of the alias sees; none where nobody answers.
    pub(super) fn look(&self, namespace: &str) -> Option<Serving> {
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

    pub(super) fn preview(&self, namespace: &str) -> Option<Value> {
        self.previews()
            .into_iter()
            .find(|preview| preview["namespace"] == namespace)
    }

    pub(super) fn previews(&self) -> Vec<Value> {
        self.api("/api/v1/previews").as_array().unwrap().clone()
    }

    pub(super) fn deployment(&self, id: &str) -> Value {
        self.api(&format!("/api/v1/deployments/{id}"))
    }

    pub(super) fn api(&self, path: &str) -> Value {
        self.try_api(path)
            .unwrap_or_else(|| panic!("{path}: {}", self.platform.log()))
    }

    pub(super) fn try_api(&self, path: &str) -> Option<Value> {
        let token = format!("Bearer {}", self.platform.token());
        let url = self.platform.url("localhost", path);
        let answer = request("GET", &url, &[("authorization", &token)], b"").ok()?;
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())
    }
}

/// What is unique in an id.
fn short(id: &Value) -> String {
    id.as_str().unwrap().rsplit('_').next().unwrap().to_owned()
}
