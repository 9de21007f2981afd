//! The seam: what every forge is asked and what it answers. Every call can be repeated.

use async_trait::async_trait;
use model::commit::CommitSha;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::change::{Change, RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::report::{Message, Reaction};
use crate::source::{Branch, ChangedFiles, GitAccess, Permission, PullRequest, Repository};

/// What a forge can do, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// For people, such as `GitHub`.
    pub name: String,
    pub check_runs: bool,
    pub deployments: bool,
    pub statuses: bool,
    /// Whether deliveries that failed can be listed and asked for again.
    pub redelivery: bool,
    /// How far apart calls that change something have to be.
    pub mutation_spacing: Duration,
}

/// Headers of a webhook, by lower-case name.
pub type Headers = std::collections::BTreeMap<String, String>;

/// The delivery is not from who it says, or is not readable. Nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    #[error("the signature is missing; set the secret of the webhook")]
    Unsigned,
    #[error("the signature does not fit; set the same secret at both ends")]
    WrongSignature,
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
}

/// One verified delivery, not looked into yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The forge's id of the delivery: the same when it is delivered again.
    pub delivery: String,
    /// The forge's name of the event, such as `pull_request`.
    pub event: String,
}

/// An answer to "list", with what makes the next one cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing<T> {
    /// Nothing has changed since the tag that was given.
    Unchanged,
    /// All there are; never a part of them.
    All { items: Vec<T>, tag: Option<String> },
}

/// A forge at an address, with credentials. A new kind of forge implements this and passes the contract suite.
#[async_trait]
pub trait Forge: Send + Sync {
    fn capabilities(&self) -> Capabilities;

    /// Whether the delivery is signed with `secret` over its raw body, compared in constant time.
    fn verify(&self, headers: &Headers, body: &[u8], secret: &str) -> Result<Envelope, DeliveryError>;

    /// What a verified delivery says. Empty for what does not concern us; unknown events are no error.
    fn changes(&self, event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError>;

    async fn repository(&self, name: &RepositoryName) -> Result<Repository, ForgeError>;

    async fn pull_request(&self, repository: &RepositoryRef, number: u64) -> Result<PullRequest, ForgeError>;

    /// All open pull requests, all pages of them or an error. Their `base` may be as old as their last push; what it is
    /// now says [`Forge::pull_request`].
    async fn open_pull_requests(
        &self,
        repository: &RepositoryRef,
        tag: Option<&str>,
    ) -> Result<Listing<PullRequest>, ForgeError>;

    async fn branch(&self, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError>;

    /// The bytes of a file at a commit, at most 256 KiB of them; `None` where it is not there.
    async fn file(
        &self,
        repository: &RepositoryRef,
        path: &str,
        at: &CommitSha,
    ) -> Result<Option<Vec<u8>>, ForgeError>;

    async fn changed_files(
        &self,
        repository: &RepositoryRef,
        number: u64,
    ) -> Result<ChangedFiles, ForgeError>;

    /// What `login` may do, asked from the forge now.
    async fn permission(&self, repository: &RepositoryRef, login: &str) -> Result<Permission, ForgeError>;

    /// How git reaches the repository, with a token that can only read it.
    async fn git_access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError>;

    /// Makes the webhook that delivers to `url`, or brings the one that does up to date. Unsupported where the
    /// deliveries come with the installation of an App.
    async fn ensure_hook(
        &self,
        repository: &RepositoryRef,
        url: &str,
        secret: &str,
    ) -> Result<(), ForgeError>;

    /// Removes the webhook that delivers to `url`; absent is fine.
    async fn remove_hook(&self, repository: &RepositoryRef, url: &str) -> Result<(), ForgeError>;

    /// Asks for deliveries again that failed since then, in milliseconds since 1970; says how many.
    async fn redeliver_failed(&self, since_ms: i64) -> Result<u32, ForgeError>;

    /// Shows `message`: makes it, or brings up to date what is `known` of it. The id of what shows it now, by which it
    /// is known the next time. Where nothing is known, what an earlier try may have left is looked for first if `search`.
    async fn put(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: Option<&str>,
        search: bool,
    ) -> Result<String, ForgeError>;

    /// Takes back what a message has left at the forge, as far as it can be; absent is fine.
    async fn withdraw(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: &str,
    ) -> Result<(), ForgeError>;

    /// Answers a comment of a pull request with a reaction.
    async fn react(
        &self,
        repository: &RepositoryRef,
        comment: &str,
        reaction: Reaction,
    ) -> Result<(), ForgeError>;
}
