//! What every forge promises, by GitHub: as its App, and with a person's token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use forge::Forge;
use forge::change::RepositoryRef;
use forge::contract::{PROMISES, Subject};
use forge::fake::FakeGitHub;
use forge::fake::github::NewPull;
use forge::source::Permission;
use model::commit::CommitSha;

use super::open;

struct Fake {
    fake: FakeGitHub,
    forge: Arc<dyn Forge>,
    made: AtomicU64,
}

#[async_trait]
impl Subject for Fake {
    fn forge(&self) -> Arc<dyn Forge> {
        Arc::clone(&self.forge)
    }

    async fn repository(&self) -> RepositoryRef {
        let name = format!("octo/r{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.fake.create_repository(&name);
        self.fake.reference(&name)
    }

    async fn commit(&self, repository: &RepositoryRef, branch: &str, files: &[(&str, &str)]) -> CommitSha {
        self.fake.commit(&repository.name.to_string(), branch, files)
    }

    async fn open(&self, repository: &RepositoryRef, branch: &str, title: &str) -> u64 {
        let new = NewPull {
            title: title.to_owned(),
            ..NewPull::from(branch)
        };
        self.fake.open_pull(&repository.name.to_string(), new)
    }

    async fn close(&self, repository: &RepositoryRef, number: u64) {
        self.fake.close_pull(&repository.name.to_string(), number);
    }

    async fn write(&self, repository: &RepositoryRef, number: u64, text: &str) -> String {
        let id = self
            .fake
            .comment(&repository.name.to_string(), number, ("mallory", text));
        id.to_string()
    }

    async fn erase(&self, repository: &RepositoryRef, comment: &str) {
        let id = comment.parse().expect("a number");
        self.fake.delete_comment(&repository.name.to_string(), id);
    }

    async fn comments(&self, repository: &RepositoryRef, number: u64) -> Vec<String> {
        let comments = self.fake.comments(&repository.name.to_string(), number);
        comments.into_iter().map(|comment| comment.body).collect()
    }

    async fn member(&self, repository: &RepositoryRef, permission: Permission) -> String {
        let role = match permission {
            Permission::None => "",
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
        };
        let login = format!("{role}er");
        self.fake.grant(&repository.name.to_string(), &login, role);
        login
    }
}

#[tokio::test]
async fn the_app_keeps_every_promise() {
    let fake = FakeGitHub::start().await;
    let forge = open(&fake.app());
    keeps(fake, forge).await;
}

#[tokio::test]
async fn a_token_keeps_every_promise() {
    let fake = FakeGitHub::start().await;
    let forge = open(&fake.person("octocat"));
    keeps(fake, forge).await;
}

async fn keeps(fake: FakeGitHub, forge: Arc<dyn Forge>) {
    let made = AtomicU64::new(0);
    let subject = Fake { fake, forge, made };
    for promise in PROMISES {
        let kept = promise.check(&subject).await;
        kept.unwrap_or_else(|broken| panic!("{}: {broken}", promise.name));
    }
}
