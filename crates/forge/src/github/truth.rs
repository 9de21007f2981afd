//! What GitHub's answers look like, as far as we read them, and what they mean in the words of the seam.

use model::commit::CommitSha;
use serde::Deserialize;

use crate::change::{Account, RepositoryName, RepositoryRef};
use crate::source::{PullRequest, Repository};

/// Whose account is gone is called this by GitHub.
const GHOST: &str = "ghost";

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) login: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repo {
    pub(super) id: u64,
    pub(super) full_name: RepositoryName,
    #[serde(default)]
    pub(super) default_branch: String,
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) html_url: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    number: u64,
    title: String,
    state: String,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    draft: bool,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    pub(super) head: End,
    pub(super) base: End,
    html_url: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Label {
    name: String,
}

/// Where a pull request comes from, or goes to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) branch: String,
    pub(super) sha: CommitSha,
    repo: Option<Repo>,
}

impl User {
    pub(super) fn account(user: Option<Self>) -> Account {
        match user {
            Some(user) => Account {
                bot: user.kind == "Bot",
                login: user.login,
            },
            None => Account {
                login: GHOST.to_owned(),
                bot: false,
            },
        }
    }
}

impl Repo {
    pub(super) fn reference(&self, installation: Option<String>) -> RepositoryRef {
        RepositoryRef {
            id: self.id.to_string(),
            name: self.full_name.clone(),
            installation,
        }
    }

    pub(super) fn repository(self, installation: Option<String>) -> Repository {
        Repository {
            reference: self.reference(installation),
            default_branch: self.default_branch,
            private: self.private,
            web_url: self.html_url,
        }
    }
}

impl Pull {
    pub(super) fn pull_request(self) -> PullRequest {
        let from = self.head.repo.as_ref().map(|repo| repo.id);
        let to = self.base.repo.as_ref().map(|repo| repo.id);
        PullRequest {
            number: self.number,
            title: self.title,
            open: self.state == "open",
            merged: self.merged_at.is_some(),
            draft: self.draft,
            author: User::account(self.user),
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            head: self.head.sha,
            head_branch: self.head.branch,
            fork: from.is_none() || from != to,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            base_branch: self.base.branch,
            base: self.base.sha,
            web_url: self.html_url,
        }
    }
}
