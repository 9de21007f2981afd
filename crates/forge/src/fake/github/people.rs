//! What people do at GitHub. Each act is remembered as a delivery, in GitHub's form; see the deliveries for what becomes
//! of it.

use std::path::Path;

use model::commit::CommitSha;
use serde_json::{Value, json};

use super::FakeGitHub;
use super::render;
use super::source::Source;
use super::world::{Comment, Installation, Pull, Repository, World};

/// Who does what nobody in particular does.
const SOMEBODY: &str = "octocat";

/// Files with what is in them; those without are removed.
pub type NewFiles<'a> = &'a [(&'a str, Option<&'a [u8]>)];

/// A pull request to be opened.
#[derive(Clone, Debug)]
pub struct NewPull {
    pub title: String,
    pub author: String,
    pub head_branch: String,
    /// Where it is not what the branch points to, as for copies.
    pub head: Option<CommitSha>,
    pub base_branch: String,
    /// Whose copy of the repository it comes from.
    pub fork: Option<String>,
    pub draft: bool,
    pub labels: Vec<String>,
}

impl NewPull {
    /// From a branch of the repository itself to `main`.
    pub fn from(branch: &str) -> Self {
        Self {
            title: format!("Change by {branch}"),
            author: SOMEBODY.to_owned(),
            head_branch: branch.to_owned(),
            head: None,
            base_branch: "main".to_owned(),
            fork: None,
            draft: false,
            labels: Vec::new(),
        }
    }

    /// From somebody's copy, by its owner.
    pub fn from_fork(owner: &str, branch: &str, head: CommitSha) -> Self {
        Self {
            author: owner.to_owned(),
            fork: Some(owner.to_owned()),
            head: Some(head),
            ..Self::from(branch)
        }
    }
}

impl FakeGitHub {
    /// A private repository with a first commit on `main`; the App is installed for its owner, who administers it.
    pub fn create_repository(&self, name: &str) -> u64 {
        self.add_repository(name, Source::told());
        self.commit_files(name, "main", &[("README.md", Some(b"# Hello\n"))]);
        self.take_deliveries();
        self.world().named(name).id
    }

    /// One whose commits are those of a bare git repository.
    pub fn create_git_repository(&self, name: &str, bare: &Path) -> u64 {
        self.add_repository(name, Source::Git(bare.to_owned()))
    }

    fn add_repository(&self, name: &str, source: Source) -> u64 {
        let mut world = self.world();
        let id = world.id();
        let name = Self::name(name);
        if world.installation_of(name.owner()).is_none() {
            let installation = world.id();
            let owner = name.owner().to_owned();
            let new = Installation {
                owner,
                suspended: false,
            };
            world.installations.insert(installation, new);
        }
        let repository = Repository {
            id,
            private: true,
            default_branch: "main".to_owned(),
            source,
            roles: [name.owner(), SOMEBODY]
                .map(|login| (login.to_owned(), "admin".to_owned()))
                .into(),
            name,
            pulls: Default::default(),
            comments: Default::default(),
            checks: Default::default(),
            deployments: Default::default(),
            environments: Default::default(),
            statuses: Default::default(),
            hooks: Default::default(),
        };
        world.repositories.insert(id, repository);
        id
    }

    pub fn make_public(&self, repository: &str) {
        self.world().named(repository).private = false;
    }

    /// Gives a role, such as `write`; an empty one is taken away.
    pub fn grant(&self, repository: &str, login: &str, role: &str) {
        let mut world = self.world();
        let roles = &mut world.named(repository).roles;
        match role {
            "" => drop(roles.remove(login)),
            role => drop(roles.insert(login.to_owned(), role.to_owned())),
        }
    }

    /// A commit upon the branch, which is pushed; a branch that is not there begins at `main`. Files without bytes are
    /// removed. Open pull requests from the branch follow.
    pub fn commit_files(&self, repository: &str, branch: &str, files: NewFiles<'_>) -> CommitSha {
        self.commit_saying(repository, branch, (&format!("Change {branch}"), files))
    }

    /// The same, of text files that are all there.
    pub fn commit(&self, repository: &str, branch: &str, files: &[(&str, &str)]) -> CommitSha {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, Some(text.as_bytes())))
            .collect();
        self.commit_files(repository, branch, &files)
    }

    /// The same, with a message.
    pub fn commit_saying(
        &self,
        repository: &str,
        branch: &str,
        (message, files): (&str, NewFiles<'_>),
    ) -> CommitSha {
        let head = {
            let mut world = self.world();
            let found = world.named(repository);
            let parent = found.source.head(branch).or_else(|| found.source.head("main"));
            found.source.grow(parent.as_ref(), (SOMEBODY, message), files)
        };
        self.push(repository, branch, head.clone());
        head
    }

    /// A commit that is on no branch of the repository: of a copy.
    pub fn commit_in_fork(&self, repository: &str, files: &[(&str, &str)]) -> CommitSha {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, Some(text.as_bytes())))
            .collect();
        let mut world = self.world();
        let found = world.named(repository);
        let parent = found.source.head("main");
        found
            .source
            .grow(parent.as_ref(), ("stranger", "From elsewhere"), &files)
    }

    /// Lets a branch point to a commit that is there. Open pull requests from it follow.
    pub fn push(&self, repository: &str, branch: &str, head: CommitSha) {
        let mut world = self.world();
        let found = world.named(repository);
        let before = found.source.head(branch);
        found.source.set_head(branch, Some(head.clone()));
        let following: Vec<u64> = found
            .pulls
            .values()
            .filter(|pull| pull.open && pull.fork.is_none() && pull.head_branch == branch)
            .map(|pull| pull.number)
            .collect();
        self.pushed(&mut world, repository, (branch, before, Some(&head)));
        for number in following {
            self.synchronize(&mut world, repository, (number, head.clone()));
        }
    }

    /// A newer commit of a pull request from a copy.
    pub fn push_to_pull(&self, repository: &str, number: u64, head: CommitSha) {
        let mut world = self.world();
        self.synchronize(&mut world, repository, (number, head));
    }

    pub fn delete_branch(&self, repository: &str, branch: &str) {
        let mut world = self.world();
        let found = world.named(repository);
        let before = found.source.head(branch);
        found.source.set_head(branch, None);
        self.pushed(&mut world, repository, (branch, before, None));
        let body = json!({ "ref": branch, "ref_type": "branch" });
        self.emit(&mut world, repository, ("delete", None), (SOMEBODY, body));
    }

    /// Opens it; its number.
    pub fn open_pull(&self, repository: &str, new: NewPull) -> u64 {
        let mut world = self.world();
        let found = world.named(repository);
        let number = found.pulls.keys().max().unwrap_or(&0) + 1;
        let head = new.head.or_else(|| found.source.head(&new.head_branch));
        let pull = Pull {
            number,
            title: new.title,
            author: new.author.clone(),
            open: true,
            merged: false,
            draft: new.draft,
            labels: new.labels,
            head: head.unwrap_or_else(|| panic!("no branch {} in {repository}", new.head_branch)),
            head_branch: new.head_branch,
            base_branch: new.base_branch,
            fork: new.fork,
            fork_deleted: false,
        };
        found.source.set_pull(number, &pull.head);
        found.pulls.insert(number, pull);
        self.about(
            &mut world,
            repository,
            (number, "opened"),
            (&new.author, json!({})),
        );
        number
    }

    pub fn close_pull(&self, repository: &str, number: u64) {
        self.change(repository, (number, "closed"), |pull| pull.open = false);
    }

    pub fn merge_pull(&self, repository: &str, number: u64) {
        self.change(repository, (number, "closed"), |pull| {
            pull.open = false;
            pull.merged = true;
        });
    }

    pub fn reopen_pull(&self, repository: &str, number: u64) {
        self.change(repository, (number, "reopened"), |pull| pull.open = true);
    }

    pub fn rename_pull(&self, repository: &str, number: u64, title: &str) {
        self.change(repository, (number, "edited"), |pull| {
            title.clone_into(&mut pull.title)
        });
    }

    pub fn rebase_pull(&self, repository: &str, number: u64, base_branch: &str) {
        self.change(repository, (number, "edited"), |pull| {
            base_branch.clone_into(&mut pull.base_branch);
        });
    }

    pub fn set_draft(&self, repository: &str, number: u64, draft: bool) {
        let action = if draft {
            "converted_to_draft"
        } else {
            "ready_for_review"
        };
        self.change(repository, (number, action), |pull| pull.draft = draft);
    }

    /// The copy that a pull request comes from is deleted; GitHub says nothing of that.
    pub fn delete_fork(&self, repository: &str, number: u64) {
        let mut world = self.world();
        let pull = world.named(repository).pulls.get_mut(&number);
        pull.expect("a pull request").fork_deleted = true;
    }

    pub fn label(&self, repository: &str, number: u64, (who, label): (&str, &str)) {
        let mut world = self.world();
        let pull = world
            .named(repository)
            .pulls
            .get_mut(&number)
            .expect("a pull request");
        pull.labels.push(label.to_owned());
        let body = json!({ "label": render::label(label) });
        self.about(&mut world, repository, (number, "labeled"), (who, body));
    }

    pub fn unlabel(&self, repository: &str, number: u64, (who, label): (&str, &str)) {
        let mut world = self.world();
        let pull = world
            .named(repository)
            .pulls
            .get_mut(&number)
            .expect("a pull request");
        pull.labels.retain(|other| other != label);
        let body = json!({ "label": render::label(label) });
        self.about(&mut world, repository, (number, "unlabeled"), (who, body));
    }

    /// Somebody writes under a pull request; the comment's number.
    pub fn comment(&self, repository: &str, number: u64, (who, text): (&str, &str)) -> u64 {
        let mut world = self.world();
        let id = world.id();
        let comment = Comment {
            id,
            number,
            author: who.to_owned(),
            body: text.to_owned(),
            reactions: Vec::new(),
            edits: 0,
        };
        let found = world.named(repository);
        found.comments.insert(id, comment);
        let author = render::user(&found.pulls[&number].author);
        let body = json!({
            "issue": { "number": number, "user": author, "pull_request": { "url": "https://localhost" } },
            "comment": { "id": id, "body": text, "user": render::user(who) },
        });
        self.emit(
            &mut world,
            repository,
            ("issue_comment", Some("created")),
            (who, body),
        );
        id
    }

    /// Somebody deletes a comment.
    pub fn delete_comment(&self, repository: &str, id: u64) {
        self.world().named(repository).comments.remove(&id);
    }

    /// Somebody deletes a deployment.
    pub fn delete_deployment(&self, repository: &str, id: u64) {
        self.world().named(repository).deployments.remove(&id);
    }

    /// Somebody clicks a button of a check run, by its identifier; an empty one asks for the check to run again.
    pub fn click(&self, repository: &str, check: u64, (who, button): (&str, &str)) {
        let mut world = self.world();
        let found = world.named(repository).checks.get(&check).expect("a check run");
        let shown = json!({
            "id": found.id,
            "name": found.name,
            "head_sha": found.commit,
            "external_id": found.external_id,
        });
        let mut body = json!({ "check_run": shown });
        let action = match button {
            "" => "rerequested",
            button => {
                assert!(
                    found.actions.iter().any(|action| action == button),
                    "no button {button}"
                );
                body["requested_action"] = json!({ "identifier": button });
                "requested_action"
            }
        };
        self.emit(&mut world, repository, ("check_run", Some(action)), (who, body));
    }

    /// The repository has another name, or another owner. The old name leads to it.
    pub fn rename_repository(&self, repository: &str, to: &str) {
        let mut world = self.world();
        let found = world.named(repository);
        let (id, old, new) = (found.id, found.name.clone(), Self::name(to));
        let is_transfer = old.owner() != new.owner();
        found.name = new.clone();
        if is_transfer && world.installation_of(new.owner()).is_none() {
            let installation = world.id();
            let owner = new.owner().to_owned();
            world.installations.insert(
                installation,
                Installation {
                    owner,
                    suspended: false,
                },
            );
        }
        world.old_names.insert(old, id);
        let action = if is_transfer { "transferred" } else { "renamed" };
        self.emit(
            &mut world,
            to,
            ("repository", Some(action)),
            (SOMEBODY, json!({})),
        );
    }

    pub fn delete_repository(&self, repository: &str) {
        let mut world = self.world();
        let id = world.named(repository).id;
        self.emit(
            &mut world,
            repository,
            ("repository", Some("deleted")),
            (SOMEBODY, json!({})),
        );
        world.repositories.remove(&id);
    }

    /// The App is taken away from an owner's repositories.
    pub fn uninstall(&self, owner: &str) {
        let mut world = self.world();
        let id = world.installation_of(owner).expect("the App is installed");
        self.emit_installation(&mut world, id, "deleted");
        world.installations.remove(&id);
        world.tokens.retain(
            |_, grant| !matches!(grant, super::world::Grant::Installation { id: of, .. } if *of == id),
        );
    }

    /// The App is installed again, under another number.
    pub fn install(&self, owner: &str) {
        let mut world = self.world();
        let id = world.id();
        let owner = owner.to_owned();
        world.installations.insert(
            id,
            Installation {
                owner,
                suspended: false,
            },
        );
        self.emit_installation(&mut world, id, "created");
    }

    pub fn suspend(&self, owner: &str, suspended: bool) {
        let mut world = self.world();
        let id = world.installation_of(owner).expect("the App is installed");
        world.installations.get_mut(&id).expect("it is there").suspended = suspended;
        let action = if suspended { "suspend" } else { "unsuspend" };
        self.emit_installation(&mut world, id, action);
    }

    /// Tokens of installations that were given so far are not taken any more.
    pub fn expire_tokens(&self) {
        let mut world = self.world();
        world
            .tokens
            .retain(|_, grant| matches!(grant, super::world::Grant::User(_)));
    }

    /// The code that GitHub would send the browser back with.
    pub fn manifest_code(&self) -> String {
        let mut world = self.world();
        let code = format!("code-{}", world.id());
        world.codes.insert(code.clone());
        code
    }

    fn change(&self, repository: &str, (number, action): (u64, &str), change: impl FnOnce(&mut Pull)) {
        let mut world = self.world();
        let pull = world
            .named(repository)
            .pulls
            .get_mut(&number)
            .expect("a pull request");
        change(pull);
        self.about(&mut world, repository, (number, action), (SOMEBODY, json!({})));
    }

    fn synchronize(&self, world: &mut World, repository: &str, (number, head): (u64, CommitSha)) {
        let found = world.named(repository);
        found.source.set_pull(number, &head);
        found.pulls.get_mut(&number).expect("a pull request").head = head;
        self.about(world, repository, (number, "synchronize"), (SOMEBODY, json!({})));
    }

    fn pushed(
        &self,
        world: &mut World,
        repository: &str,
        (branch, before, after): (&str, Option<CommitSha>, Option<&CommitSha>),
    ) {
        let nothing = render::nothing();
        let body = json!({
            "ref": format!("refs/heads/{branch}"),
            "before": before.as_ref().unwrap_or(&nothing),
            "after": after.unwrap_or(&nothing),
            "created": before.is_none(),
            "deleted": after.is_none(),
        });
        self.emit(world, repository, ("push", None), (SOMEBODY, body));
    }

    /// A delivery about a pull request.
    fn about(
        &self,
        world: &mut World,
        repository: &str,
        (number, action): (u64, &str),
        (who, mut body): (&str, Value),
    ) {
        let id = world.named(repository).id;
        let found = &world.repositories[&id];
        body["number"] = json!(number);
        body["pull_request"] = render::pull(world, found, &found.pulls[&number]);
        self.emit(world, repository, ("pull_request", Some(action)), (who, body));
    }
}
