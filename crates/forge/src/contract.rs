//! What every forge promises, as one suite that each of them must pass.
//!
//! A [`Subject`] brings a forge with nothing on it, and plays the people there.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use model::commit::CommitSha;

use crate::change::{Button, RepositoryRef};
use crate::error::ForgeError;
use crate::forge::{DeliveryError, Forge, Headers, Listing};
use crate::report::{
    Check, CheckState, Comment, CommitStatus, Deployment, DeploymentState, Message, Reaction, StatusState,
};
use crate::source::{ChangedFiles, Permission};

/// A forge under test, and the people on it.
#[async_trait]
pub trait Subject: Send + Sync {
    fn forge(&self) -> Arc<dyn Forge>;
    /// A new private repository with a first commit on `main`.
    async fn repository(&self) -> RepositoryRef;
    /// A commit upon the branch; one that is not there begins at `main`.
    async fn commit(&self, repository: &RepositoryRef, branch: &str, files: &[(&str, &str)]) -> CommitSha;
    /// A pull request from the branch to `main`; its number.
    async fn open(&self, repository: &RepositoryRef, branch: &str, title: &str) -> u64;
    async fn close(&self, repository: &RepositoryRef, number: u64);
    /// Somebody who is not the forge's own user writes a comment; its number.
    async fn write(&self, repository: &RepositoryRef, number: u64, text: &str) -> String;
    /// Somebody deletes a comment.
    async fn erase(&self, repository: &RepositoryRef, comment: &str);
    /// The texts of all comments, oldest first.
    async fn comments(&self, repository: &RepositoryRef, number: u64) -> Vec<String>;
    /// The login of somebody with that permission.
    async fn member(&self, repository: &RepositoryRef, permission: Permission) -> String;
}

/// A promise was broken: which, and how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl From<ForgeError> for Broken {
    fn from(error: ForgeError) -> Self {
        Self(error.to_string())
    }
}

type Outcome = Result<(), Broken>;
type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One promise: its name, and what finds out whether it is kept.
#[derive(Clone, Copy)]
pub struct Promise {
    pub name: &'static str,
    check: for<'a> fn(&'a dyn Subject) -> Running<'a>,
}

impl Promise {
    /// Finds out whether `subject` keeps it.
    pub async fn check(&self, subject: &dyn Subject) -> Result<(), Broken> {
        (self.check)(subject).await
    }
}

macro_rules! promises {
    ($($name:ident)*) => {
        /// All promises.
        pub const PROMISES: &[Promise] =
            &[$(Promise { name: stringify!($name), check: |subject| Box::pin($name(subject)) }),*];
    };
}

promises! {
    what_is_true_is_told
    open_pull_requests_are_all_listed
    files_and_branches_are_read_at_a_commit
    permissions_are_asked_for
    git_has_an_address_and_a_scope
    a_comment_is_one_and_stays_one
    a_status_can_be_told_again
    what_it_cannot_do_is_unsupported_and_the_rest_works
    a_comment_can_be_answered
    what_is_not_signed_is_not_believed
}

async fn what_is_true_is_told(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let repository = forge.repository(&reference.name).await?;
    is(&repository.reference.id, &reference.id, "the repository's id")?;
    is(&repository.default_branch.as_str(), &"main", "the default branch")?;
    is(&repository.private, &true, "that it is private")?;
    absent(forge.repository(&"nobody/nothing".parse().expect("a name")).await)?;
    let head = subject.commit(&reference, "feature/x", &[("a", "1")]).await;
    let number = subject.open(&reference, "feature/x", "Add a").await;
    let pull = forge.pull_request(&reference, number).await?;
    is(
        &(pull.number, pull.open, pull.merged, pull.fork),
        &(number, true, false, false),
        "how it is",
    )?;
    is(&pull.head, &head, "the head")?;
    is(
        &(pull.head_branch.as_str(), pull.base_branch.as_str()),
        &("feature/x", "main"),
        "the branches",
    )?;
    is(&pull.title.as_str(), &"Add a", "the title")?;
    let newer = subject.commit(&reference, "feature/x", &[("a", "2")]).await;
    let base = subject.commit(&reference, "main", &[("cx.toml", "")]).await;
    let pull = forge.pull_request(&reference, number).await?;
    is(&(pull.head, pull.base), &(newer, base), "the newer commits")?;
    subject.close(&reference, number).await;
    is(
        &forge.pull_request(&reference, number).await?.open,
        &false,
        "that it is open",
    )?;
    absent(forge.pull_request(&reference, 9_999).await)
}

async fn open_pull_requests_are_all_listed(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let mut numbers = Vec::new();
    for branch in ["a", "b", "c"] {
        subject.commit(&reference, branch, &[(branch, "1")]).await;
        numbers.push(subject.open(&reference, branch, branch).await);
    }
    subject.close(&reference, numbers.remove(1)).await;
    let Listing::All { items, tag } = forge.open_pull_requests(&reference, None).await? else {
        return Err(Broken("nothing can be unchanged without a tag".to_owned()));
    };
    let mut listed: Vec<u64> = items.iter().map(|pull| pull.number).collect();
    listed.sort_unstable();
    is(&listed, &numbers, "the open ones")?;
    subject.close(&reference, numbers[0]).await;
    match forge.open_pull_requests(&reference, tag.as_deref()).await? {
        Listing::All { items, .. } => is(&items.len(), &1, "how many are left"),
        Listing::Unchanged => Err(Broken("a closed one is a change".to_owned())),
    }
}

async fn files_and_branches_are_read_at_a_commit(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let files = [("apps/web/cx.toml", "[git]\n"), ("ä b.txt", "ü")];
    let first = subject.commit(&reference, "feature/x", &files).await;
    subject
        .commit(&reference, "feature/x", &[("apps/web/cx.toml", "other")])
        .await;
    let read = async |path: &str| forge.file(&reference, path, &first).await;
    is(
        &read("apps/web/cx.toml").await?,
        &Some(b"[git]\n".to_vec()),
        "the file as it was",
    )?;
    is(
        &read("ä b.txt").await?,
        &Some("ü".as_bytes().to_vec()),
        "the file with a strange name",
    )?;
    is(&read("apps/web").await?, &None, "the directory")?;
    is(&read("absent").await?, &None, "what is not there")?;
    let number = subject.open(&reference, "feature/x", "Files").await;
    let ChangedFiles::All(mut changed) = forge.changed_files(&reference, number).await? else {
        return Err(Broken("two files are not too many".to_owned()));
    };
    changed.sort();
    is(
        &changed,
        &vec!["apps/web/cx.toml".to_owned(), "ä b.txt".to_owned()],
        "the changed files",
    )?;
    let branch = forge.branch(&reference, "feature/x").await?;
    let head = forge.pull_request(&reference, number).await?.head;
    is(
        &(branch.name.as_str(), branch.head),
        &("feature/x", head),
        "the branch",
    )?;
    absent(forge.branch(&reference, "feature/y").await)
}

async fn permissions_are_asked_for(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    for permission in [Permission::Read, Permission::Write, Permission::Admin] {
        let login = subject.member(&reference, permission).await;
        is(&forge.permission(&reference, &login).await?, &permission, &login)?;
    }
    is(
        &forge.permission(&reference, "nobody-of-that-name").await?,
        &Permission::None,
        "nobody",
    )
}

async fn git_has_an_address_and_a_scope(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let access = forge.git_access(&reference).await?;
    is(
        &access.url.starts_with(&access.scope),
        &true,
        "that the address is in the scope",
    )?;
    is(
        &access.authorization.is_some(),
        &true,
        "that a private repository needs a token",
    )?;
    is(
        &access.url.contains('@'),
        &false,
        "that the address holds a token",
    )
}

async fn a_comment_is_one_and_stays_one(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    subject.commit(&reference, "b", &[("a", "1")]).await;
    let number = subject.open(&reference, "b", "Comment").await;
    let message = |text: &str| {
        let marker = "<!-- contract -->".to_owned();
        Message::Comment(Comment {
            number,
            body: format!("{marker}\n{text}"),
            marker,
        })
    };
    let imitation = "<!-- contract -->\nnot ours";
    subject.write(&reference, number, imitation).await;
    let put = async |text: &str, known: Option<&str>, search| {
        forge.put(&reference, &message(text), known, search).await
    };
    let id = put("one", None, true).await?;
    is(&put("two", Some(&id), false).await?, &id, "the edited comment")?;
    is(&put("three", None, true).await?, &id, "the comment that is found")?;
    let texts = subject.comments(&reference, number).await;
    is(
        &texts,
        &vec![imitation.to_owned(), "<!-- contract -->\nthree".to_owned()],
        "the comments",
    )?;
    subject.erase(&reference, &id).await;
    let anew = put("four", Some(&id), false).await?;
    is(
        &subject.comments(&reference, number).await.len(),
        &2,
        "the comments, one of them made anew",
    )?;
    for _ in 0..2 {
        forge.withdraw(&reference, &message(""), &anew).await?;
    }
    is(
        &subject.comments(&reference, number).await,
        &vec![imitation.to_owned()],
        "what is left",
    )
}

async fn a_status_can_be_told_again(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let commit = subject.commit(&reference, "b", &[("a", "1")]).await;
    let mut known = None;
    for state in [
        StatusState::Pending,
        StatusState::Failure,
        StatusState::Error,
        StatusState::Success,
    ] {
        let message = Message::Status(CommitStatus {
            commit: commit.clone(),
            context: "cygni/shop".to_owned(),
            state,
            target_url: Some("https://example.com/log".to_owned()),
            description: "So it is".to_owned(),
        });
        known = Some(forge.put(&reference, &message, known.as_deref(), false).await?);
    }
    Ok(())
}

async fn what_it_cannot_do_is_unsupported_and_the_rest_works(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    let commit = subject.commit(&reference, "b", &[("a", "1")]).await;
    let check = |state| {
        Message::Check(Check {
            key: "preview-1/shop".to_owned(),
            commit: commit.clone(),
            name: "Preview (shop)".to_owned(),
            state,
            details_url: None,
            title: "Preview".to_owned(),
            summary: "As it is.".to_owned(),
            annotations: Vec::new(),
            buttons: vec![Button::Redeploy],
        })
    };
    let deployment = |state| {
        Message::Deployment(Deployment {
            key: "d1".to_owned(),
            commit: commit.clone(),
            environment: "preview-1/shop".to_owned(),
            state,
            environment_url: None,
            log_url: None,
            description: "As it is".to_owned(),
        })
    };
    let can = forge.capabilities();
    let pairs = [
        (
            can.check_runs,
            check(CheckState::Queued),
            check(CheckState::Success),
        ),
        (
            can.deployments,
            deployment(DeploymentState::Queued),
            deployment(DeploymentState::Success),
        ),
    ];
    for (is_there, first, second) in pairs {
        let made = forge.put(&reference, &first, None, true).await;
        if !is_there {
            let is_so = matches!(made, Err(ForgeError::Unsupported(_)));
            is(&is_so, &true, "that what it cannot do is unsupported")?;
            continue;
        }
        let id = made?;
        is(
            &forge.put(&reference, &second, Some(&id), false).await?,
            &id,
            "what is known",
        )?;
        is(
            &forge.put(&reference, &second, None, true).await?,
            &id,
            "what is found",
        )?;
        for _ in 0..2 {
            forge.withdraw(&reference, &second, &id).await?;
        }
    }
    match forge.redeliver_failed(0).await {
        Ok(_) => is(&can.redelivery, &true, "that deliveries can be asked for again"),
        Err(ForgeError::Unsupported(_)) => is(&can.redelivery, &false, "that they can be"),
        Err(error) => Err(error.into()),
    }
}

async fn a_comment_can_be_answered(subject: &dyn Subject) -> Outcome {
    let (forge, reference) = (subject.forge(), subject.repository().await);
    subject.commit(&reference, "b", &[("a", "1")]).await;
    let number = subject.open(&reference, "b", "React").await;
    let comment = subject.write(&reference, number, "/cx redeploy").await;
    for reaction in [
        Reaction::Eyes,
        Reaction::Eyes,
        Reaction::Rocket,
        Reaction::Confused,
        Reaction::ThumbsDown,
    ] {
        forge.react(&reference, &comment, reaction).await?;
    }
    Ok(())
}

async fn what_is_not_signed_is_not_believed(subject: &dyn Subject) -> Outcome {
    let forge = subject.forge();
    let unsigned = forge.verify(&Headers::new(), b"{}", "secret");
    is(
        &unsigned,
        &Err(DeliveryError::Unsigned),
        "what comes without a signature",
    )?;
    is(
        &forge.changes("no-such-event", b"{}"),
        &Ok(Vec::new()),
        "an unknown event",
    )?;
    let is_refused = forge.changes("pull_request", b"{").is_err();
    is(&is_refused, &true, "that half a body cannot be read")
}

fn absent<T: Debug>(answer: Result<T, ForgeError>) -> Outcome {
    match answer {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        other => Err(Broken(format!("what is not there was answered with {other:?}"))),
    }
}

fn is<T: PartialEq + Debug>(found: &T, expected: &T, what: &str) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(Broken(format!("{what}: {found:?} instead of {expected:?}"))),
    }
}
