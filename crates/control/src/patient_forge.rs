//! How long control waits for a forge. Its own calls end in time; this is for one that does not, and for the pages of a
//! list together: what has not answered by then has not answered, and is asked again later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use forge::change::{RepositoryName, RepositoryRef};
use forge::report::{Message, Reaction};
use forge::source::{Branch, ChangedFiles, GitAccess, Permission, PullRequest, Repository};
use forge::{Capabilities, Change, DeliveryError, Envelope, Forge, ForgeError, Headers, Listing};
use model::commit::CommitSha;

use crate::clock::Clock;

/// Several calls of the forge, one after the other.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A forge whose answers come in time, or count as none.
pub(crate) struct PatientForge {
    pub(crate) forge: Arc<dyn Forge>,
    pub(crate) clock: Clock,
}

impl PatientForge {
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, ForgeError>> + Send,
    ) -> Result<T, ForgeError> {
        let answered = self.clock.within(ANSWER_MAX, call).await;
        answered.unwrap_or_else(|| {
            Err(ForgeError::Unavailable {
                message: format!("no answer came within {} s", ANSWER_MAX.as_secs()),
            })
        })
    }
}

#[async_trait]
impl Forge for PatientForge {
    fn capabilities(&self) -> Capabilities {
        self.forge.capabilities()
    }

    fn verify(&self, headers: &Headers, body: &[u8], secret: &str) -> Result<Envelope, DeliveryError> {
        self.forge.verify(headers, body, secret)
    }

    fn changes(&self, event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
        self.forge.changes(event, body)
    }

    async fn repository(&self, name: &RepositoryName) -> Result<Repository, ForgeError> {
        self.within(self.forge.repository(name)).await
    }

    async fn pull_request(&self, repository: &RepositoryRef, number: u64) -> Result<PullRequest, ForgeError> {
        self.within(self.forge.pull_request(repository, number)).await
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryRef,
        tag: Option<&str>,
    ) -> Result<Listing<PullRequest>, ForgeError> {
        self.within(self.forge.open_pull_requests(repository, tag)).await
    }

    async fn branch(&self, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError> {
        self.within(self.forge.branch(repository, name)).await
    }

    async fn file(
        &self,
        repository: &RepositoryRef,
        path: &str,
        at: &CommitSha,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        self.within(self.forge.file(repository, path, at)).await
    }

    async fn changed_files(
        &self,
        repository: &RepositoryRef,
        number: u64,
    ) -> Result<ChangedFiles, ForgeError> {
        self.within(self.forge.changed_files(repository, number)).await
    }

    async fn permission(&self, repository: &RepositoryRef, login: &str) -> Result<Permission, ForgeError> {
        self.within(self.forge.permission(repository, login)).await
    }

    async fn git_access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError> {
        self.within(self.forge.git_access(repository)).await
    }

    async fn ensure_hook(
        &self,
        repository: &RepositoryRef,
        url: &str,
        secret: &str,
    ) -> Result<(), ForgeError> {
        self.within(self.forge.ensure_hook(repository, url, secret)).await
    }

    async fn remove_hook(&self, repository: &RepositoryRef, url: &str) -> Result<(), ForgeError> {
        self.within(self.forge.remove_hook(repository, url)).await
    }

    async fn redeliver_failed(&self, since_ms: i64) -> Result<u32, ForgeError> {
        self.within(self.forge.redeliver_failed(since_ms)).await
    }

    async fn put(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: Option<&str>,
        search: bool,
    ) -> Result<String, ForgeError> {
        self.within(self.forge.put(repository, message, known, search))
            .await
    }

    async fn withdraw(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: &str,
    ) -> Result<(), ForgeError> {
        self.within(self.forge.withdraw(repository, message, known)).await
    }

    async fn react(
        &self,
        repository: &RepositoryRef,
        comment: &str,
        reaction: Reaction,
    ) -> Result<(), ForgeError> {
        self.within(self.forge.react(repository, comment, reaction)).await
    }
}
