//! Gitea and Forgejo, with the token of an account of their own: statuses and a comment, since there are neither Apps,
//! check runs nor deployments.
//!
//! Sources: docs.gitea.com/api, docs.gitea.com/usage/webhooks, and what a real one answers in the tests. It does *not*
//! know what a change leads to, and remembers nothing but whose the token is.

mod answer;
mod api;
mod comment;
mod hooks;
mod payload;
mod read;
mod truth;

use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64;
use model::commit::CommitSha;
use reqwest::Method;
use serde_json::json;
use tokio::sync::OnceCell;

use self::api::Api;
use crate::change::{Change, RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::forge::{Capabilities, DeliveryError, Envelope, Forge, Headers, Listing};
use crate::report::{CommitStatus, Message, Reaction, StatusState};
use crate::settings::{OpenError, Reach, Settings};
use crate::signature;
use crate::source::{Branch, ChangedFiles, GitAccess, Permission, PullRequest, Repository};

/// There is no limit to respect; it is often a small machine.
const MUTATION_SPACING: Duration = Duration::from_millis(100);
/// The names under which both send their headers; Forgejo sends Gitea's as well.
const SENDERS: [&str; 2] = ["x-gitea", "x-forgejo"];

pub struct Gitea {
    api: Api,
    /// Where its pages and repositories are, without a slash at the end.
    web: String,
    /// Whose the token is, once asked.
    login: OnceCell<String>,
}

impl Gitea {
    pub fn new(settings: &Settings, reach: &Reach) -> Result<Self, OpenError> {
        crate::http::address(&settings.web)?;
        Ok(Self {
            api: Api::new(settings, reach)?,
            web: settings.web.trim_end_matches('/').to_owned(),
            login: OnceCell::new(),
        })
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
            "target_url": status.target_url.as_deref().unwrap_or_default(),
            "description": status.description,
            "context": status.context,
        }));
        let made: Made = self.api.json(call).await?;
        Ok(made.id.to_string())
    }
}

#[async_trait]
impl Forge for Gitea {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "Gitea".to_owned(),
            check_runs: false,
            deployments: false,
            statuses: true,
            redelivery: false,
            mutation_spacing: MUTATION_SPACING,
        }
    }

    fn verify(&self, headers: &Headers, body: &[u8], secret: &str) -> Result<Envelope, DeliveryError> {
        let header = |what: &str| {
            let mut found = SENDERS
                .iter()
                .filter_map(|sender| headers.get(&format!("{sender}-{what}")));
            found.next()
        };
        let hub = headers.get("x-hub-signature-256");
        let hub = hub.and_then(|signature| signature.strip_prefix("sha256="));
        let digits = header("signature")
            .map(String::as_str)
            .filter(|digits| !digits.is_empty());
        let digits = digits.or(hub).ok_or(DeliveryError::Unsigned)?;
        if !signature::fits(digits, body, secret) {
            return Err(DeliveryError::WrongSignature);
        }
        Ok(Envelope {
            delivery: header("delivery")
                .ok_or(DeliveryError::MissingHeader("x-gitea-delivery"))?
                .clone(),
            event: header("event")
                .ok_or(DeliveryError::MissingHeader("x-gitea-event"))?
                .clone(),
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
        _tag: Option<&str>,
    ) -> Result<Listing<PullRequest>, ForgeError> {
        read::open_pull_requests(&self.api, repository).await
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
        read::file(&self.api, repository, path, at).await
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

    /// There are no tokens for one repository: it is the account's own.
    async fn git_access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError> {
        let token = self.api.token();
        let basic = |token| BASE64.encode(format!("x-access-token:{token}").as_bytes());
        Ok(GitAccess {
            url: format!("{}/{}.git", self.web, repository.name),
            scope: format!("{}/", self.web),
            authorization: token.map(|token| format!("Basic {}", basic(token))),
        })
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

    async fn redeliver_failed(&self, _since_ms: i64) -> Result<u32, ForgeError> {
        Err(ForgeError::Unsupported("deliveries that can be asked for again"))
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
            // The newest of its context is what counts: nothing to find again.
            Message::Status(status) => self.put_status(repository, status).await,
            Message::Check(_) => Err(ForgeError::Unsupported("check runs")),
            Message::Deployment(_) => Err(ForgeError::Unsupported("deployments")),
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
            // What was said about a commit stays with it.
            Message::Status(_) => Ok(()),
            Message::Check(_) => Err(ForgeError::Unsupported("check runs")),
            Message::Deployment(_) => Err(ForgeError::Unsupported("deployments")),
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
        self.api.send(call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Credentials;

    fn gitea() -> Gitea {
        let token = Credentials::Token {
            token: "t0ken".to_owned(),
        };
        Gitea::new(&Settings::gitea("http://127.0.0.1:1/", token), &Reach::default()).unwrap()
    }

    fn delivery(sender: &str, signature: &str) -> Headers {
        let header = |what: &str, value: &str| (format!("{sender}-{what}"), value.to_owned());
        Headers::from([
            header("signature", signature),
            header("delivery", "d1"),
            header("event", "push"),
            ("x-github-event".to_owned(), "something-else".to_owned()),
        ])
    }

    #[test]
    fn deliveries_of_both_are_told_by_their_signature() {
        let (body, secret) = (b"{}", "hush");
        let signature = signature::of(body, secret);
        for sender in SENDERS {
            let envelope = gitea().verify(&delivery(sender, &signature), body, secret);
            let expected = Envelope {
                delivery: "d1".to_owned(),
                event: "push".to_owned(),
            };
            assert_eq!(envelope, Ok(expected));
        }
        let mut headers = delivery("x-gitea", &signature);
        headers.remove("x-gitea-signature");
        assert_eq!(
            gitea().verify(&headers, body, secret),
            Err(DeliveryError::Unsigned)
        );
        headers.insert("x-hub-signature-256".to_owned(), format!("sha256={signature}"));
        assert!(gitea().verify(&headers, body, secret).is_ok());
        assert_eq!(
            gitea().verify(&headers, b"{ }", secret),
            Err(DeliveryError::WrongSignature)
        );
        headers.remove("x-gitea-event");
        assert_eq!(
            gitea().verify(&headers, body, secret),
            Err(DeliveryError::MissingHeader("x-gitea-event"))
        );
    }

    #[test]
    fn there_are_no_apps() {
        let app = Credentials::App {
            id: 1,
            slug: String::new(),
            private_key: String::new(),
        };
        let settings = Settings::gitea("https://git.example.com", app);
        assert!(matches!(
            Gitea::new(&settings, &Reach::default()),
            Err(OpenError::NoApps("Gitea"))
        ));
    }
}
