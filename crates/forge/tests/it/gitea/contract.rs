//! What every forge promises, by Gitea.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use forge::contract::{PROMISES, Subject};
use forge::source::Permission;
use model::commit::CommitSha;

use super::*;

struct Real {
    world: World,
    made: AtomicU64,
    /// Who writes comments.
    mallory: String,
}

impl Real {
    async fn comments(&self, repository: &RepositoryRef, number: u64) -> Vec<String> {
        let path = format!("/repos/{}/issues/{number}/comments", repository.name);
        let comments = self.world.call(Method::GET, &path, Value::Null).await;
        let body = |comment: &Value| comment["body"].as_str().unwrap().to_owned();
        comments.as_array().unwrap().iter().map(body).collect()
    }
}

#[async_trait]
impl Subject for Real {
    fn forge(&self) -> Arc<dyn Forge> {
        Arc::clone(&self.world.forge)
    }

    async fn repository(&self) -> RepositoryRef {
        let name = format!("r{}", self.made.fetch_add(1, Ordering::Relaxed));
        let made = self.world.create(&name).await;
        self.world
            .grant(&made.name.to_string(), ("mallory", "read"))
            .await;
        made
    }

    async fn commit(&self, repository: &RepositoryRef, branch: &str, files: &[(&str, &str)]) -> CommitSha {
        let name = repository.name.to_string();
        let made = self.world.commit(&name, branch, files).await;
        made.parse().unwrap()
    }

    async fn open(&self, repository: &RepositoryRef, branch: &str, title: &str) -> u64 {
        let name = repository.name.to_string();
        self.world.open(&self.world.boss, &name, (branch, title)).await
    }

    async fn close(&self, repository: &RepositoryRef, number: u64) {
        let path = format!("/repos/{}/pulls/{number}", repository.name);
        let closed = json!({ "state": "closed" });
        self.world.call(Method::PATCH, &path, closed).await;
    }

    async fn write(&self, repository: &RepositoryRef, number: u64, text: &str) -> String {
        let path = format!("/repos/{}/issues/{number}/comments", repository.name);
        let body = json!({ "body": text });
        let made = self
            .world
            .gitea
            .api(&self.mallory, (Method::POST, &path), body)
            .await;
        made["id"].to_string()
    }

    async fn erase(&self, repository: &RepositoryRef, comment: &str) {
        let path = format!("/repos/{}/issues/comments/{comment}", repository.name);
        self.world.call(Method::DELETE, &path, Value::Null).await;
    }

    async fn comments(&self, repository: &RepositoryRef, number: u64) -> Vec<String> {
        Self::comments(self, repository, number).await
    }

    async fn member(&self, repository: &RepositoryRef, permission: Permission) -> String {
        let role = match permission {
            Permission::None => return "nobody-of-that-name".to_owned(),
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
        };
        let login = format!("{role}er{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.world.gitea.user(&login).await;
        let name = repository.name.to_string();
        self.world.grant(&name, (&login, role)).await;
        login
    }
}

#[tokio::test]
async fn gitea_keeps_every_promise() {
    let world = World::new().await;
    let mallory = world.gitea.user("mallory").await;
    let made = AtomicU64::new(0);
    let subject = Real { world, made, mallory };
    for promise in PROMISES {
        let kept = promise.check(&subject).await;
        kept.unwrap_or_else(|broken| panic!("{}: {broken}", promise.name));
    }
}
