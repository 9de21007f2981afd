//! What there is at the fake GitHub.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::commit::CommitSha;
use serde_json::Value;

use super::source::Source;
use crate::change::RepositoryName;

/// The App that everything here is reported by.
pub(super) const APP_ID: u64 = 4711;
pub(super) const APP_SLUG: &str = "cygni-test";

#[derive(Default)]
pub(super) struct World {
    /// Where it is reached, such as `http://127.0.0.1:1234`.
    pub(super) url: String,
    last_id: u64,
    pub(super) repositories: BTreeMap<u64, Repository>,
    /// Where names lead that repositories had before.
    pub(super) old_names: BTreeMap<RepositoryName, u64>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) tokens: BTreeMap<String, Grant>,
    /// Where the App's deliveries go, if anywhere.
    pub(super) hook: Option<Hook>,
    /// All attempts, oldest first.
    pub(super) deliveries: Vec<Delivery>,
    /// Manifests whose code has not been exchanged.
    pub(super) codes: BTreeSet<String>,
}

pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) name: RepositoryName,
    pub(super) private: bool,
    pub(super) default_branch: String,
    pub(super) source: Source,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) checks: BTreeMap<u64, Check>,
    pub(super) deployments: BTreeMap<u64, Deployment>,
    pub(super) environments: BTreeSet<String>,
    pub(super) statuses: BTreeMap<u64, Status>,
    pub(super) hooks: BTreeMap<u64, Hook>,
    /// `admin`, `maintain`, `write`, `triage` or `read`, by login.
    pub(super) roles: BTreeMap<String, String>,
}

/// A pull request at the fake GitHub.
#[derive(Clone, Debug)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub author: String,
    pub open: bool,
    pub merged: bool,
    pub draft: bool,
    pub labels: Vec<String>,
    pub head_branch: String,
    pub head: CommitSha,
    pub base_branch: String,
    /// Whose copy of the repository it comes from; `None` from the repository itself.
    pub fork: Option<String>,
    /// That copy has been deleted.
    pub fork_deleted: bool,
}

/// A comment at the fake GitHub.
#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub number: u64,
    pub author: String,
    pub body: String,
    pub reactions: Vec<String>,
    /// How often it was edited.
    pub edits: u32,
}

/// A check run at the fake GitHub.
#[derive(Clone, Debug)]
pub struct Check {
    pub id: u64,
    pub commit: CommitSha,
    pub name: String,
    pub external_id: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub details_url: Option<String>,
    pub title: String,
    pub summary: String,
    pub annotations: Vec<Value>,
    /// The identifiers of its buttons.
    pub actions: Vec<String>,
}

/// A deployment at the fake GitHub.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub id: u64,
    pub commit: CommitSha,
    pub environment: String,
    pub payload: Value,
    pub transient: bool,
    pub production: bool,
    pub description: String,
    /// The last is what it is.
    pub statuses: Vec<DeploymentStatus>,
}

#[derive(Clone, Debug)]
pub struct DeploymentStatus {
    pub state: String,
    pub environment_url: String,
    pub log_url: String,
    pub description: String,
}

/// A commit status at the fake GitHub.
#[derive(Clone, Debug)]
pub struct Status {
    pub id: u64,
    pub commit: CommitSha,
    pub context: String,
    pub state: String,
    pub target_url: Option<String>,
    pub description: String,
}

#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) id: u64,
    pub(super) url: String,
    pub(super) secret: String,
    pub(super) events: Vec<String>,
}

pub(super) struct Installation {
    pub(super) owner: String,
    pub(super) suspended: bool,
}

/// What a token opens.
#[derive(Clone, Debug)]
pub(super) enum Grant {
    User(String),
    Installation {
        id: u64,
        /// `None` for all that the installation sees.
        repositories: Option<BTreeSet<u64>>,
        /// `None` for all that the App was given.
        permissions: Option<BTreeMap<String, String>>,
        expires: Timestamp,
    },
}

/// One attempt to deliver something.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: u64,
    /// The same for all attempts.
    pub guid: String,
    pub event: String,
    pub body: Vec<u8>,
    pub delivered_at: Timestamp,
    /// What came back; 0 for nothing, or not tried yet.
    pub status: u16,
    pub redelivery: bool,
}

impl World {
    pub(super) fn id(&mut self) -> u64 {
        self.last_id += 1;
        1_000 + self.last_id
    }

    pub(super) fn find(&self, name: &RepositoryName) -> Option<u64> {
        let found = self
            .repositories
            .values()
            .find(|repo| repo.name.to_string().eq_ignore_ascii_case(&name.to_string()));
        found.map(|repo| repo.id)
    }

    pub(super) fn named(&mut self, name: &str) -> &mut Repository {
        let id = self.find(&name.parse().expect("owner/name"));
        let repository = id.and_then(|id| self.repositories.get_mut(&id));
        repository.unwrap_or_else(|| panic!("no repository {name} at the fake GitHub"))
    }

    /// The installation that sees the repositories of an owner.
    pub(super) fn installation_of(&self, owner: &str) -> Option<u64> {
        let mut found = self.installations.iter();
        found
            .find(|(_, installation)| installation.owner == owner)
            .map(|(&id, _)| id)
    }
}

impl Check {
    pub(super) fn new(id: u64, commit: CommitSha, name: &str) -> Self {
        Self {
            id,
            commit,
            name: name.to_owned(),
            external_id: String::new(),
            status: "queued".to_owned(),
            conclusion: None,
            details_url: None,
            title: String::new(),
            summary: String::new(),
            annotations: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Deployment {
    pub fn state(&self) -> &str {
        self.statuses.last().map_or("pending", |status| &status.state)
    }
}
