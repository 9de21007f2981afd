//! GitHub, also on servers of one's own: as an App, as the owner of a token, or as nobody.
//!
//! Sources: docs.github.com/rest (the description of the API is what the tests hold every call against),
//! docs.github.com/webhooks. It does *not* know what a change leads to, and remembers nothing but tokens.

mod answer;
mod api;
mod check;
mod comment;
mod deployment;
mod git;
mod hooks;
mod key;
pub mod manifest;
mod pages;
mod payload;
mod read;
mod redelivery;
mod tokens;
mod truth;

use std::time::Duration;

use async_trait::async_trait;
use model::commit::CommitSha;
use reqwest::Method;
use serde_json::json;
use tokio::sync::OnceCell;

use self::api::{Api, Identity, Right};
use crate::change::{Change, RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::forge::{Capabilities, DeliveryError, Envelope, Forge, Headers, Listing};
use crate::report::{CommitStatus, Message, Reaction, StatusState};
use crate::settings::{OpenError, Reach, Settings};
use crate::signature;
use crate::source::{Branch, ChangedFiles, GitAccess, Permission, PullRequest, Repository};

/// GitHub asks that calls that change something are at least this far apart.
const MUTATION_SPACING: Duration = Duration::from_secs(1);

pub struct GitHub {
    api: Api,
    /// Where its pages and repositories are, without a slash at the end.
    web: String,
    /// Whose the token is, once asked.
    login: OnceCell<Option<String>>,
}

impl GitHub {
    pub fn new(settings: &Settings, reach: &Reach) -> Result<Self, OpenError> {
        crate::http::address(&settings.web)?;
        Ok(Self {
            api: Api::new(settings, reach)?,
            web: settings.web.trim_end_matches('/').to_owned(),
            login: OnceCell::new(),
        })
    }

    fn is_app(&self) -> bool {
        matches!(self.api.identity, Identity::App { .. })
    }

    async fn put_status(
        &self,
        repository: &RepositoryRef,
        status: &CommitStatus,
    ) -> Result<String, ForgeError> {
        #[derive(serde::Deserialize)]
        struct Made {
            id: u64,
        }
        let state = match status.state {
            StatusState::Pending => "pending",
            StatusState::Success => "success",
            StatusState::Failure => "failure",
            StatusState::Error => "error",
        };
        let path = ["statuses", status.commit.as_str()];
        let mut call = self.api.of(repository, Method::POST, &path);
        call.body = Some(json!({
            "state": state,
            "target_url": status.target_url,
            "description": status.description,
            "context": status.context,
        }));
        let made: Made = self.api.json(Right::Repository(repository), call).await?;
        Ok(made.id.to_string())
    }
}

#[async_trait]
impl Forge for GitHub {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "GitHub".to_owned(),
            check_runs: self.is_app(),
            deployments: true,
            statuses: true,
            redelivery: self.is_app(),
            mutation_spacing: MUTATION_SPACING,
        }
    }

    fn verify(&self, headers: &Headers, body: &[u8], secret: &str) -> Result<Envelope, DeliveryError> {
        let header = |name: &'static str| headers.get(name).ok_or(DeliveryError::MissingHeader(name));
        let signature = headers
            .get("x-hub-signature-256")
            .ok_or(DeliveryError::Unsigned)?;
        let digits = signature.strip_prefix("sha256=");
        if !digits.is_some_and(|digits| signature::fits(digits, body, secret)) {
            return Err(DeliveryError::WrongSignature);
        }
        Ok(Envelope {
            delivery: header("x-github-delivery")?.clone(),
            event: header("x-github-event")?.clone(),
        })
    }

    fn changes(&self, event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
        payload::changes(event, body)
    }

    async fn repository(&self, name: &RepositoryName) -> Result<Repository, ForgeError> {
        read::repository(&self.api, name).await
    }

    async fn pull_request(&self, repository: &RepositoryRef, number: u64) -> Result<PullRequest, ForgeError> {
        read::pull_request(&self.api, repository, number).await
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryRef,
        tag: Option<&str>,
    ) -> Result<Listing<PullRequest>, ForgeError> {
        read::open_pull_requests(&self.api, repository, tag).await
    }

    async fn branch(&self, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError> {
        read::branch(&self.api, repository, name).await
    }

    async fn file(
        &self,
        repository: &RepositoryRef,
        path: &str,
        at: &CommitSha,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        read::file(&self.api, repository, path, Some(at)).await
    }

    async fn changed_files(
        &self,
        repository: &RepositoryRef,
        number: u64,
    ) -> Result<ChangedFiles, ForgeError> {
        read::changed_files(&self.api, repository, number).await
    }

    async fn permission(&self, repository: &RepositoryRef, login: &str) -> Result<Permission, ForgeError> {
        read::permission(&self.api, repository, login).await
    }

    async fn git_access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError> {
        self.access(repository).await
    }

    async fn ensure_hook(
        &self,
        repository: &RepositoryRef,
        url: &str,
        secret: &str,
    ) -> Result<(), ForgeError> {
        hooks::ensure(&self.api, repository, (url, secret)).await
    }

    async fn remove_hook(&self, repository: &RepositoryRef, url: &str) -> Result<(), ForgeError> {
        hooks::remove(&self.api, repository, url).await
    }

    async fn redeliver_failed(&self, since_ms: i64) -> Result<u32, ForgeError> {
        redelivery::failed_since(&self.api, since_ms).await
    }

    async fn put(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: Option<&str>,
        search: bool,
    ) -> Result<String, ForgeError> {
        match message {
            Message::Comment(comment) => self.put_comment(repository, comment, known, search).await,
            Message::Check(check) => check::put(&self.api, repository, check, (known, search)).await,
            Message::Deployment(deployment) => {
                deployment::put(&self.api, repository, deployment, (known, search)).await
            }
            // The newest of its context is what counts: nothing to find again.
            Message::Status(status) => self.put_status(repository, status).await,
        }
    }

    async fn withdraw(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: &str,
    ) -> Result<(), ForgeError> {
        match message {
            Message::Comment(_) => comment::delete(&self.api, repository, known).await,
            Message::Deployment(deployment) => {
                deployment::withdraw(&self.api, repository, deployment, known).await
            }
            // What was said about a commit stays with it.
            Message::Check(_) | Message::Status(_) => Ok(()),
        }
    }

    async fn react(
        &self,
        repository: &RepositoryRef,
        comment: &str,
        reaction: Reaction,
    ) -> Result<(), ForgeError> {
        let content = match reaction {
            Reaction::Eyes => "eyes",
            Reaction::Rocket => "rocket",
            Reaction::Confused => "confused",
            Reaction::ThumbsDown => "-1",
        };
        let path = ["issues", "comments", comment, "reactions"];
        let mut call = self.api.of(repository, Method::POST, &path);
        call.body = Some(json!({ "content": content }));
        self.api.send(Right::Repository(repository), call).await.map(drop)
    }
}
