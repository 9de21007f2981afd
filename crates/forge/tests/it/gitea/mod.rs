//! Gitea, a real one.

mod contract;
mod hooks;
mod reads;

use std::sync::Arc;

use forge::change::RepositoryRef;
use forge::fake::gitea::RealGitea;
use forge::{Forge, Listing, Reach};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A Gitea with the repository `boss/shop`, of which the account `bot`, which is ours, is an administrator.
struct World {
    gitea: RealGitea,
    /// The owner's token.
    boss: String,
    forge: Arc<dyn Forge>,
    shop: RepositoryRef,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gitea = RealGitea::start(dir.path()).await;
        let (boss, bot) = (gitea.user("boss").await, gitea.user("bot").await);
        let forge = forge::open(&gitea.settings(&bot), &Reach::default()).unwrap();
        let shop = RepositoryRef {
            id: String::new(),
            name: "boss/shop".parse().unwrap(),
            installation: None,
        };
        let mut world = Self {
            gitea,
            boss,
            forge,
            shop,
            _dir: dir,
        };
        world.shop = world.create("shop").await;
        world
    }

    /// A private repository with a first commit.
    async fn create(&self, name: &str) -> RepositoryRef {
        let new = json!({ "name": name, "auto_init": true, "private": true, "default_branch": "main" });
        self.call(Method::POST, "/user/repos", new).await;
        self.grant(&format!("boss/{name}"), ("bot", "admin")).await;
        let name = format!("boss/{name}").parse().unwrap();
        self.forge.repository(&name).await.unwrap().reference
    }

    async fn grant(&self, repository: &str, (login, permission): (&str, &str)) {
        let path = format!("/repos/{repository}/collaborators/{login}");
        self.call(Method::PUT, &path, json!({ "permission": permission }))
            .await;
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.gitea.api(&self.boss, (method, path), body).await
    }

    /// A commit on a branch, which begins at `main` where it is new.
    async fn commit(&self, repository: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let base64 = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        let files: Vec<Value> = files
            .iter()
            .map(|(path, text)| json!({ "operation": "upload", "path": path, "content": base64(text) }))
            .collect();
        let path = format!("/repos/{repository}/branches");
        if branch != "main" && !self.has(repository, branch).await {
            let new = json!({ "new_branch_name": branch, "old_branch_name": "main" });
            self.call(Method::POST, &path, new).await;
        }
        let body = json!({ "branch": branch, "message": "A change", "files": files });
        let made = self
            .call(Method::POST, &format!("/repos/{repository}/contents"), body)
            .await;
        made["commit"]["sha"].as_str().unwrap().to_owned()
    }

    async fn has(&self, repository: &str, branch: &str) -> bool {
        let path = format!("/repos/{repository}/git/refs");
        let references = self.call(Method::GET, &path, Value::Null).await;
        let wanted = format!("refs/heads/{branch}");
        references
            .as_array()
            .is_some_and(|all| all.iter().any(|found| found["ref"] == wanted.as_str()))
    }

    /// Opens a pull request to `main` as the owner of `token`; its number.
    async fn open(&self, token: &str, repository: &str, (head, title): (&str, &str)) -> u64 {
        let body = json!({ "title": title, "head": head, "base": "main" });
        let path = format!("/repos/{repository}/pulls");
        let made = self.gitea.api(token, (Method::POST, &path), body).await;
        made["number"].as_u64().unwrap()
    }
}

fn all<T>(listing: Listing<T>) -> Vec<T> {
    match listing {
        Listing::All { items, .. } => items,
        Listing::Unchanged => panic!("there are no tags to be unchanged by"),
    }
}
