//! What Gitea's answers look like, as far as we read them, and what they mean in the words of the seam.

use model::commit::CommitSha;
use serde::Deserialize;

use crate::change::{Account, RepositoryName, RepositoryRef};
use crate::source::{PullRequest, Repository};

/// Whose account is gone is called this.
const GHOST: &str = "Ghost";

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repo {
    pub(super) id: u64,
    pub(super) full_name: RepositoryName,
    #[serde(default)]
    default_branch: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    html_url: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    number: u64,
    title: String,
    state: String,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    draft: bool,
    user: Option<User>,
    labels: Option<Vec<Label>>,
    head: End,
    base: End,
    html_url: String,
    merge_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Label {
    name: String,
}

/// Where a pull request comes from, or goes to.
#[derive(Clone, Debug, Deserialize)]
struct End {
    /// Empty where somebody pushed to `refs/for/…` instead of a branch.
    #[serde(default)]
    label: String,
    #[serde(rename = "ref")]
    branch: String,
    /// Empty where the branch is gone.
    #[serde(default)]
    sha: String,
    #[serde(default)]
    repo_id: i64,
    repo: Option<Repo>,
}

impl User {
    /// There is no telling who is a bot.
    pub(super) fn account(user: Option<Self>) -> Account {
        Account {
            login: user.map_or_else(|| GHOST.to_owned(), |user| user.login),
            bot: false,
        }
    }
}

impl Repo {
    pub(super) fn reference(&self) -> RepositoryRef {
        RepositoryRef {
            id: self.id.to_string(),
            name: self.full_name.clone(),
            installation: None,
        }
    }

    pub(super) fn repository(self) -> Repository {
        Repository {
            reference: self.reference(),
            default_branch: self.default_branch,
            private: self.private,
            web_url: self.html_url,
        }
    }
}

impl Pull {
    /// `None` where it is open and Gitea itself cannot say which commit is proposed.
    pub(super) fn pull_request(self) -> Option<PullRequest> {
        let commit = |text: &str| text.parse::<CommitSha>().ok();
        let open = self.state == "open";
        let head = commit(&self.head.sha);
        if open && head.is_none() {
            return None;
        }
        // Whoever may read may push to `refs/for/…`: it seems to come from the repository itself, and does not.
        let is_own = self.head.repo_id == self.base.repo_id && !self.head.label.is_empty();
        // Never the head where the base is gone: a pull request does not say what it may do.
        let base = commit(&self.base.sha).or_else(|| commit(self.merge_base.as_deref()?));
        Some(PullRequest {
            number: self.number,
            title: self.title,
            open,
            merged: self.merged,
            draft: self.draft,
            author: User::account(self.user),
            labels: self
                .labels
                .into_iter()
                .flatten()
                .map(|label| label.name)
                .collect(),
            head: head.unwrap_or_else(none),
            base: base.unwrap_or_else(none),
            head_branch: self.head.branch,
            fork: !is_own,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            base_branch: self.base.branch,
            web_url: self.html_url,
        })
    }
}

/// What git writes for a commit that is not there.
fn none() -> CommitSha {
    "0".repeat(40).parse().expect("forty digits are a commit")
}
