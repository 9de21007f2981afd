//! A GitHub of one's own: it keeps what it is told, forbids what GitHub forbids, sends what GitHub sends, and holds every
//! call made to it, and every answer it gives, against GitHub's own description of its API.
//!
//! A test makes a [`FakeGitHub`], plays people on it ([`people`]), lets things go wrong ([`Rule`]), and looks at what was
//! made there. Whatever did not fit the description makes the test fail when the fake is dropped.

mod access;
mod deliveries;
mod faults;
mod openapi;
mod owners;
mod people;
mod place;
mod render;
mod reply;
mod routes;
mod server;
mod source;
mod template;
mod world;

use std::sync::{Arc, MutexGuard};

use model::commit::CommitSha;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::faults::{Fault, Rule};
pub use self::people::{NewFiles, NewPull};
pub use self::server::Call;
pub use self::template::webhooks;
pub use self::world::{Check, Comment, Delivery, Deployment, DeploymentStatus, Pull, Status};

use self::server::Shared;
use self::world::{APP_ID, APP_SLUG, Grant, World};
use crate::change::{RepositoryName, RepositoryRef};
use crate::settings::{Credentials, Settings};

/// What its webhooks are signed with where nothing else was said.
pub const WEBHOOK_SECRET: &str = "the secret of the tests";

pub struct FakeGitHub {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl FakeGitHub {
    /// Listens on a free port of this machine.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn start_at(address: &str) -> Self {
        // Read before anything waits for it.
        openapi::spec();
        let listener = TcpListener::bind(address)
            .await
            .expect("an address of this machine");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let shared = Arc::new(Shared::default());
        shared
            .world
            .lock()
            .expect("nobody panics holding it")
            .url
            .clone_from(&url);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Self { url, shared, server }
    }

    /// Where its API is, and its pages.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// To use it as its App.
    pub fn app(&self) -> Settings {
        self.settings(Credentials::App {
            id: APP_ID,
            slug: APP_SLUG.to_owned(),
            private_key: access::KEY.to_owned(),
        })
    }

    /// To use it as a person.
    pub fn person(&self, login: &str) -> Settings {
        let token = format!("ghp_{login}");
        self.world()
            .tokens
            .insert(token.clone(), Grant::User(login.to_owned()));
        self.settings(Credentials::Token { token })
    }

    /// To use it as nobody.
    pub fn anonymous(&self) -> Settings {
        self.settings(Credentials::Anonymous)
    }

    fn settings(&self, credentials: Credentials) -> Settings {
        Settings {
            api: self.url.clone(),
            web: self.url.clone(),
            webhook_secret: Some(WEBHOOK_SECRET.to_owned()),
            ..Settings::github(credentials)
        }
    }

    /// Lets something go wrong from now on.
    pub fn fail(&self, rule: Rule) {
        self.shared
            .rules
            .lock()
            .expect("nobody panics holding it")
            .push(rule);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.shared
            .rules
            .lock()
            .expect("nobody panics holding it")
            .clear();
    }

    /// All calls so far, those without an answer among them.
    pub fn calls(&self) -> Vec<Call> {
        self.shared
            .calls
            .lock()
            .expect("nobody panics holding it")
            .clone()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.shared
            .calls
            .lock()
            .expect("nobody panics holding it")
            .clear();
    }

    /// What of calls and answers does not fit GitHub's description.
    pub fn violations(&self) -> Vec<String> {
        self.shared
            .violations
            .lock()
            .expect("nobody panics holding it")
            .clone()
    }

    /// The repository as webhooks name it.
    pub fn reference(&self, name: &str) -> RepositoryRef {
        let mut world = self.world();
        let (id, name) = {
            let repository = world.named(name);
            (repository.id.to_string(), repository.name.clone())
        };
        let installation = world.installation_of(name.owner());
        RepositoryRef {
            id,
            name,
            installation: installation.map(|id| id.to_string()),
        }
    }

    /// The head of a branch.
    pub fn head(&self, repository: &str, branch: &str) -> Option<CommitSha> {
        self.world().named(repository).source.head(branch)
    }

    pub fn pull(&self, repository: &str, number: u64) -> Pull {
        self.world().named(repository).pulls[&number].clone()
    }

    /// The comments of a pull request, oldest first.
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        let mut world = self.world();
        let comments = world.named(repository).comments.values();
        comments
            .filter(|comment| comment.number == number)
            .cloned()
            .collect()
    }

    /// All check runs, oldest first.
    pub fn checks(&self, repository: &str) -> Vec<Check> {
        self.world().named(repository).checks.values().cloned().collect()
    }

    /// All deployments, oldest first.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        self.world()
            .named(repository)
            .deployments
            .values()
            .cloned()
            .collect()
    }

    /// The names of all environments.
    pub fn environments(&self, repository: &str) -> Vec<String> {
        self.world()
            .named(repository)
            .environments
            .iter()
            .cloned()
            .collect()
    }

    /// All commit statuses, oldest first.
    pub fn statuses(&self, repository: &str) -> Vec<Status> {
        self.world()
            .named(repository)
            .statuses
            .values()
            .cloned()
            .collect()
    }

    /// The addresses of a repository's own webhooks.
    pub fn hooks(&self, repository: &str) -> Vec<String> {
        let mut world = self.world();
        let hooks = world.named(repository).hooks.values();
        hooks.map(|hook| hook.url.clone()).collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().expect("nobody panics holding it")
    }

    fn name(name: &str) -> RepositoryName {
        name.parse().expect("owner/name")
    }
}

/// What did not fit makes the test fail, unless it has failed already.
impl Drop for FakeGitHub {
    fn drop(&mut self) {
        self.server.abort();
        let violations = self.violations();
        if !violations.is_empty() && !std::thread::panicking() {
            panic!(
                "calls or answers that GitHub does not describe:\n{}",
                violations.join("\n")
            );
        }
    }
}
