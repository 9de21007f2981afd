//! What people do at GitHub. Each act is remembered as a delivery, in GitHub's form; see the deliveries for what becomes
//! of it.

use model::commit::CommitSha;
use serde_json::{Value, json};

use super::FakeGitHub;
use super::render;
use super::world::{Comment, Pull, World};

/// Who does what nobody in particular does.
pub(super) const SOMEBODY: &str = "octocat";

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
