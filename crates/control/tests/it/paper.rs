//! A forge on paper: repositories, pull requests and branches in memory, which a story changes as people do. It survives
//! the platform, and what leads to it is a [`Lifeline`].
//!
//! What it delivers is signed with the agreed secret and says what happened in the words of `forge` itself; how real
//! forges say it is tested there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use forge::change::{Account, RepositoryName, RepositoryRef};
use forge::report::{Message, Reaction};
use forge::source::{Branch, ChangedFiles, GitAccess, Permission, PullRequest, Repository};
use forge::{Capabilities, Change, DeliveryError, Envelope, Forge, ForgeError, Headers, Listing};
use model::commit::CommitSha;

use crate::faults::{Lifeline, Seam};

/// What its webhooks are signed with.
pub(crate) const SECRET: &str = "whsec";

/// Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct PaperForge {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Paper>,
    /// What it answers instead, to everything.
    failing: Option<ForgeError>,
    commits: u64,
    deliveries: u64,
    reactions: Vec<(String, Reaction)>,
    shown: BTreeMap<String, Message>,
    /// What it answers to whoever wants something shown.
    refusing: Option<ForgeError>,
    shown_calls: u64,
    calls: u64,
}

/// One repository.
struct Paper {
    truth: Repository,
    pulls: BTreeMap<u64, PullRequest>,
    branches: BTreeMap<String, Branch>,
    /// By path and commit.
    files: BTreeMap<(String, String), String>,
    changed: BTreeMap<u64, Vec<String>>,
    permissions: BTreeMap<String, Permission>,
    gone: bool,
    /// Whether its list leaves out what there is.
    blind: bool,
}

impl PaperForge {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes the repository, with a commit on `main` that holds nothing but `settings` as cx.toml.
    pub(crate) fn create(&self, id: &str, name: &str, settings: &str) -> RepositoryRef {
        let main = self.commit();
        let mut state = self.state();
        let reference = RepositoryRef {
            id: id.to_owned(),
            name: name.parse().unwrap(),
            installation: None,
        };
        let branch = Branch {
            name: "main".to_owned(),
            head: main.clone(),
            message: "Begin".to_owned(),
            author: None,
        };
        let paper = Paper {
            truth: Repository {
                reference: reference.clone(),
                default_branch: "main".to_owned(),
                private: false,
                web_url: format!("https://forge.test/{name}"),
            },
            pulls: BTreeMap::new(),
            branches: [("main".to_owned(), branch)].into(),
            files: [(("cx.toml".to_owned(), main.to_string()), settings.to_owned())].into(),
            changed: BTreeMap::new(),
            permissions: BTreeMap::new(),
            gone: false,
            blind: false,
        };
        state.repositories.insert(id.to_owned(), paper);
        reference
    }

    /// The name of a commit that nobody has used.
    pub(crate) fn commit(&self) -> CommitSha {
        let mut state = self.state();
        state.commits += 1;
        let number = state.commits;
        // Differs in its first digits, as commits do.
        format!("{number:07x}{:033x}", number * 31).parse().unwrap()
    }

    fn with<T>(&self, id: &str, change: impl FnOnce(&mut Paper) -> T) -> T {
        change(self.state().repositories.get_mut(id).unwrap())
    }

    pub(crate) fn reference(&self, id: &str) -> RepositoryRef {
        self.with(id, |paper| paper.truth.reference.clone())
    }

    /// Opens a pull request with `head`; what `change` does to it first.
    pub(crate) fn open(
        &self,
        id: &str,
        (number, head): (u64, &CommitSha),
        change: impl FnOnce(&mut PullRequest),
    ) -> Change {
        self.with(id, |paper| {
            let mut pull = PullRequest {
                number,
                title: format!("Change {number}"),
                open: true,
                merged: false,
                draft: false,
                author: Account {
                    login: "ada".to_owned(),
                    bot: false,
                },
                labels: Vec::new(),
                head: head.clone(),
                head_branch: format!("feature-{number}"),
                head_repository: Some(paper.truth.reference.name.clone()),
                fork: false,
                base_branch: "main".to_owned(),
                base: paper.branches["main"].head.clone(),
                web_url: format!("{}/pull/{number}", paper.truth.web_url),
            };
            change(&mut pull);
            paper.pulls.insert(number, pull);
        });
        self.about(id, number)
    }

    /// Changes a pull request, as people do.
    pub(crate) fn change(&self, id: &str, number: u64, change: impl FnOnce(&mut PullRequest)) -> Change {
        self.with(id, |paper| change(paper.pulls.get_mut(&number).unwrap()));
        self.about(id, number)
    }

    pub(crate) fn push(&self, id: &str, number: u64, head: &CommitSha) -> Change {
        self.change(id, number, |pull| pull.head = head.clone())
    }

    pub(crate) fn close(&self, id: &str, number: u64) -> Change {
        self.change(id, number, |pull| pull.open = false)
    }

    pub(crate) fn pull(&self, id: &str, number: u64) -> Option<PullRequest> {
        self.with(id, |paper| paper.pulls.get(&number).cloned())
    }

    pub(crate) fn branch_head(&self, id: &str, name: &str) -> CommitSha {
        self.with(id, |paper| paper.branches[name].head.clone())
    }

    pub(crate) fn touches(&self, id: &str, number: u64, paths: &[&str]) {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.with(id, |paper| paper.changed.insert(number, paths));
    }

    pub(crate) fn push_branch(
        &self,
        id: &str,
        name: &str,
        head: &CommitSha,
        settings: Option<&str>,
    ) -> Change {
        self.with(id, |paper| {
            let branch = Branch {
                name: name.to_owned(),
                head: head.clone(),
                message: "Push".to_owned(),
                author: None,
            };
            paper.branches.insert(name.to_owned(), branch);
            if let Some(settings) = settings {
                let place = ("cx.toml".to_owned(), head.to_string());
                paper.files.insert(place, settings.to_owned());
            }
        });
        self.about_branch(id, name)
    }

    pub(crate) fn delete_branch(&self, id: &str, name: &str) -> Change {
        self.with(id, |paper| paper.branches.remove(name));
        self.about_branch(id, name)
    }

    pub(crate) fn permit(&self, id: &str, login: &str, permission: Permission) {
        self.with(id, |paper| paper.permissions.insert(login.to_owned(), permission));
    }

    /// The repository has another name from now on.
    pub(crate) fn rename(&self, id: &str, name: &str) -> Change {
        self.with(id, |paper| paper.truth.reference.name = name.parse().unwrap());
        Change::RepositoryRenamed {
            repository: self.reference(id),
        }
    }

    /// Nothing of the repository is found any more.
    pub(crate) fn vanish(&self, id: &str) -> Change {
        self.with(id, |paper| paper.gone = true);
        Change::RepositoryDeleted {
            repository: self.reference(id),
        }
    }

    pub(crate) fn reappear(&self, id: &str) {
        self.with(id, |paper| paper.gone = false);
    }

    /// Its list of open pull requests is empty from now on, whatever there is.
    pub(crate) fn go_blind(&self, id: &str, blind: bool) {
        self.with(id, |paper| paper.blind = blind);
    }

    /// A pull request is not found any more.
    pub(crate) fn lose(&self, id: &str, number: u64) -> PullRequest {
        self.with(id, |paper| paper.pulls.remove(&number).unwrap())
    }

    pub(crate) fn find_again(&self, id: &str, pull: PullRequest) {
        self.with(id, |paper| paper.pulls.insert(pull.number, pull));
    }

    /// It answers everything with `error` from now on, or as it should again.
    pub(crate) fn fail(&self, error: Option<ForgeError>) {
        self.state().failing = error;
    }

    /// Somebody writes a command into a comment of a pull request.
    pub(crate) fn comment(
        &self,
        id: &str,
        (number, comment, author): (u64, &str, &str),
        command: forge::change::Command,
    ) -> Change {
        Change::Command {
            repository: self.reference(id),
            number,
            comment: comment.to_owned(),
            author: Account {
                login: author.to_owned(),
                bot: false,
            },
            command,
        }
    }

    fn about(&self, id: &str, number: u64) -> Change {
        Change::PullRequest {
            repository: self.reference(id),
            number,
        }
    }

    fn about_branch(&self, id: &str, branch: &str) -> Change {
        Change::Branch {
            repository: self.reference(id),
            branch: branch.to_owned(),
        }
    }

    /// A delivery of `change`, signed.
    pub(crate) fn delivery(&self, change: &Change) -> (Headers, Vec<u8>) {
        let mut state = self.state();
        state.deliveries += 1;
        let header = |name: &str, value: String| (name.to_owned(), value);
        let headers = [
            header("delivery", format!("delivery-{}", state.deliveries)),
            header("event", "change".to_owned()),
            header("signature", SECRET.to_owned()),
        ];
        (headers.into(), serde_json::to_vec(&[change]).unwrap())
    }

    /// Whoever wants something shown is answered so from now on, or as it should be again.
    pub(crate) fn refuse_to_show(&self, error: Option<ForgeError>) {
        self.state().refusing = error;
    }

    /// Everything that it shows.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.state().shown.values().cloned().collect()
    }

    /// How often somebody wanted something shown.
    pub(crate) fn shown_calls(&self) -> u64 {
        self.state().shown_calls
    }

    pub(crate) fn reactions(&self) -> Vec<(String, Reaction)> {
        self.state().reactions.clone()
    }

    /// How often it was asked for anything.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Answers from the repository that is meant.
    fn answer<T>(
        &self,
        reference: &RepositoryRef,
        answer: impl FnOnce(&Paper) -> Option<T>,
    ) -> Result<T, ForgeError> {
        let mut state = self.state();
        state.calls += 1;
        if let Some(error) = &state.failing {
            return Err(error.clone());
        }
        let found = state.repositories.get(&reference.id);
        let found = found.filter(|paper| !paper.gone && paper.truth.reference.name == reference.name);
        found.and_then(answer).ok_or_else(|| ForgeError::NotFound {
            what: reference.name.to_string(),
        })
    }
}

/// The forge as the platform reaches it.
pub(crate) struct OutsideForge {
    pub(crate) forge: PaperForge,
    pub(crate) line: Lifeline,
}

impl OutsideForge {
    async fn call<T: Send>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> Result<T, ForgeError> + Send,
    ) -> Result<T, ForgeError> {
        let refused = || {
            Err(ForgeError::Unavailable {
                message: "the story wants it".to_owned(),
            })
        };
        self.line.call(Seam::Forge(what), async { work() }, refused).await
    }
}

#[async_trait]
impl Forge for OutsideForge {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "Paper".to_owned(),
            check_runs: true,
            deployments: true,
            statuses: true,
            redelivery: false,
            mutation_spacing: Duration::ZERO,
        }
    }

    fn verify(&self, headers: &Headers, _body: &[u8], secret: &str) -> Result<Envelope, DeliveryError> {
        let header = |name: &'static str| {
            let value = headers.get(name).cloned();
            value.ok_or(DeliveryError::MissingHeader(name))
        };
        match header("signature")? == secret {
            true => Ok(Envelope {
                delivery: header("delivery")?,
                event: header("event")?,
            }),
            false => Err(DeliveryError::WrongSignature),
        }
    }

    fn changes(&self, _event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
        serde_json::from_slice(body).map_err(|error| DeliveryError::Unreadable(error.to_string()))
    }

    async fn repository(&self, name: &RepositoryName) -> Result<Repository, ForgeError> {
        let id = {
            let state = self.forge.state();
            let mut all = state.repositories.iter();
            let found = all.find(|(_, paper)| paper.truth.reference.name == *name);
            found.map(|(id, _)| id.clone()).unwrap_or_default()
        };
        let reference = RepositoryRef {
            id,
            name: name.clone(),
            installation: None,
        };
        let work = || self.forge.answer(&reference, |paper| Some(paper.truth.clone()));
        self.call("repository", work).await
    }

    async fn pull_request(&self, repository: &RepositoryRef, number: u64) -> Result<PullRequest, ForgeError> {
        let work = || {
            self.forge
                .answer(repository, |paper| paper.pulls.get(&number).cloned())
        };
        self.call("pull_request", work).await
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryRef,
        tag: Option<&str>,
    ) -> Result<Listing<PullRequest>, ForgeError> {
        let work = || {
            self.forge.answer(repository, |paper| {
                let open = paper.pulls.values().filter(|pull| pull.open && !paper.blind);
                let items: Vec<_> = open.cloned().collect();
                let own = model::Digest::of(&serde_json::to_vec(&items).unwrap()).hex();
                Some(match tag {
                    Some(tag) if tag == own => Listing::Unchanged,
                    _ => Listing::All {
                        items,
                        tag: Some(own),
                    },
                })
            })
        };
        self.call("open_pull_requests", work).await
    }

    async fn branch(&self, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError> {
        let work = || {
            self.forge
                .answer(repository, |paper| paper.branches.get(name).cloned())
        };
        self.call("branch", work).await
    }

    async fn file(
        &self,
        repository: &RepositoryRef,
        path: &str,
        at: &CommitSha,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        let place = (path.to_owned(), at.to_string());
        let work = || {
            self.forge.answer(repository, |paper| {
                Some(paper.files.get(&place).map(|text| text.clone().into_bytes()))
            })
        };
        self.call("file", work).await
    }

    async fn changed_files(
        &self,
        repository: &RepositoryRef,
        number: u64,
    ) -> Result<ChangedFiles, ForgeError> {
        let work = || {
            self.forge.answer(repository, |paper| {
                let files = paper.changed.get(&number).cloned().unwrap_or_default();
                Some(ChangedFiles::All(files))
            })
        };
        self.call("changed_files", work).await
    }

    async fn permission(&self, repository: &RepositoryRef, login: &str) -> Result<Permission, ForgeError> {
        let work = || {
            self.forge.answer(repository, |paper| {
                Some(paper.permissions.get(login).copied().unwrap_or(Permission::Read))
            })
        };
        self.call("permission", work).await
    }

    async fn git_access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError> {
        let work = || {
            self.forge.answer(repository, |paper| {
                Some(GitAccess {
                    // An address, so that nobody is asked what it is.
                    url: format!("http://192.0.2.1/{}.git", paper.truth.reference.name),
                    scope: "http://192.0.2.1/".to_owned(),
                    authorization: Some("Bearer of-git".to_owned()),
                })
            })
        };
        self.call("git_access", work).await
    }

    async fn ensure_hook(&self, _: &RepositoryRef, _: &str, _: &str) -> Result<(), ForgeError> {
        Err(ForgeError::Unsupported("webhooks of repositories"))
    }

    async fn remove_hook(&self, _: &RepositoryRef, _: &str) -> Result<(), ForgeError> {
        Ok(())
    }

    async fn redeliver_failed(&self, _: i64) -> Result<u32, ForgeError> {
        Err(ForgeError::Unsupported("redelivery"))
    }

    async fn put(
        &self,
        repository: &RepositoryRef,
        message: &Message,
        known: Option<&str>,
        search: bool,
    ) -> Result<String, ForgeError> {
        let work = || {
            self.forge.answer(repository, |_| Some(()))?;
            let mut state = self.forge.state();
            state.shown_calls += 1;
            if let Some(error) = &state.refusing {
                return Err(error.clone());
            }
            let same = |shown: &&String| state.shown[*shown].key() == message.key();
            let found = match known {
                Some(known) => Some(known.to_owned()),
                None if search => state.shown.keys().find(same).cloned(),
                None => None,
            };
            let id = found.unwrap_or_else(|| format!("shown-{}", state.shown_calls));
            state.shown.insert(id.clone(), message.clone());
            Ok(id)
        };
        self.call("put", work).await
    }

    async fn withdraw(
        &self,
        repository: &RepositoryRef,
        _message: &Message,
        known: &str,
    ) -> Result<(), ForgeError> {
        let work = || {
            self.forge.answer(repository, |_| Some(()))?;
            self.forge.state().shown.remove(known);
            Ok(())
        };
        self.call("withdraw", work).await
    }

    async fn react(
        &self,
        repository: &RepositoryRef,
        comment: &str,
        reaction: Reaction,
    ) -> Result<(), ForgeError> {
        let work = || {
            self.forge.answer(repository, |_| Some(()))?;
            let (mut state, given) = (self.forge.state(), (comment.to_owned(), reaction));
            // The same reaction of the same person is there once.
            if !state.reactions.contains(&given) {
                state.reactions.push(given);
            }
            Ok(())
        };
        self.call("react", work).await
    }
}
