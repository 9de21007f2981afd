//! What a webhook of GitHub says, as far as it tells us where to look. Only that is read of it: the truth is asked for.

use model::commit::CommitSha;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::truth::{Repo, User};
use crate::change::{Button, Change, RepositoryRef};
use crate::command;
use crate::forge::DeliveryError;

/// What begins the names of branches.
const BRANCHES: &str = "refs/heads/";

/// What happens to a pull request that can make a difference; that somebody is asked for a review cannot.
const TOLD: [&str; 9] = [
    "opened",
    "synchronize",
    "reopened",
    "closed",
    "edited",
    "labeled",
    "unlabeled",
    "ready_for_review",
    "converted_to_draft",
];

#[derive(Deserialize)]
struct Place {
    repository: Repo,
    #[serde(default)]
    installation: Option<Installation>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

impl Place {
    fn reference(&self) -> RepositoryRef {
        let installation = self.installation.as_ref();
        let id = installation.map(|installation| installation.id.to_string());
        self.repository.reference(id)
    }
}

pub(super) fn changes(event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    match event {
        "ping" => Ok(vec![Change::Ping]),
        "pull_request" => pull_request(body),
        "push" => push(body),
        "delete" => delete(body),
        "issue_comment" => issue_comment(body),
        "check_run" => check_run(body),
        "installation" | "installation_repositories" => installation(event, body),
        "repository" => repository(body),
        _ => Ok(Vec::new()),
    }
}

fn pull_request(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        number: u64,
        pull_request: Pull,
        label: Option<Label>,
        sender: Option<User>,
        #[serde(flatten)]
        place: Place,
    }
    #[derive(Deserialize)]
    struct Pull {
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        sha: CommitSha,
    }
    #[derive(Deserialize)]
    struct Label {
        name: String,
    }
    let payload: Payload = read(body)?;
    if !TOLD.contains(&payload.action.as_str()) {
        return Ok(Vec::new());
    }
    let repository = payload.place.reference();
    let mut changes = vec![Change::PullRequest {
        repository: repository.clone(),
        number: payload.number,
    }];
    if let ("labeled", Some(label), Some(sender)) = (payload.action.as_str(), payload.label, payload.sender) {
        changes.push(Change::Labelled {
            repository,
            number: payload.number,
            label: label.name,
            commit: payload.pull_request.head.sha,
            author: User::account(Some(sender)),
        });
    }
    Ok(changes)
}

fn push(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "ref")]
        reference: String,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    let branch = payload.reference.strip_prefix(BRANCHES);
    Ok(branch.map_or_else(Vec::new, |branch| vec![looked_at(&payload.place, branch)]))
}

fn delete(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "ref")]
        branch: String,
        ref_type: String,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    Ok(match payload.ref_type.as_str() {
        "branch" => vec![looked_at(&payload.place, &payload.branch)],
        _ => Vec::new(),
    })
}

fn looked_at(place: &Place, branch: &str) -> Change {
    Change::Branch {
        repository: place.reference(),
        branch: branch.to_owned(),
    }
}

/// Only what is newly written by a person under a pull request can be a command.
fn issue_comment(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        issue: Issue,
        comment: Comment,
        #[serde(flatten)]
        place: Place,
    }
    #[derive(Deserialize)]
    struct Issue {
        number: u64,
        pull_request: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Comment {
        id: u64,
        #[serde(default)]
        body: String,
        user: Option<User>,
    }
    let payload: Payload = read(body)?;
    let author = User::account(payload.comment.user);
    if payload.action != "created" || payload.issue.pull_request.is_none() || author.bot {
        return Ok(Vec::new());
    }
    let command = command::parse(&payload.comment.body);
    let change = command.map(|command| Change::Command {
        repository: payload.place.reference(),
        number: payload.issue.number,
        comment: payload.comment.id.to_string(),
        author,
        command,
    });
    Ok(change.into_iter().collect())
}

fn check_run(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        check_run: CheckRun,
        requested_action: Option<Requested>,
        sender: Option<User>,
        #[serde(flatten)]
        place: Place,
    }
    #[derive(Deserialize)]
    struct CheckRun {
        head_sha: CommitSha,
        external_id: Option<String>,
    }
    #[derive(Deserialize)]
    struct Requested {
        identifier: String,
    }
    let payload: Payload = read(body)?;
    let requested = payload.requested_action.map(|action| action.identifier);
    let button = match (payload.action.as_str(), requested.as_deref()) {
        ("rerequested", _) | ("requested_action", Some("redeploy")) => Button::Redeploy,
        ("requested_action", Some("delete")) => Button::Delete,
        ("requested_action", Some("approve")) => Button::Approve,
        _ => return Ok(Vec::new()),
    };
    let key = payload.check_run.external_id.filter(|key| !key.is_empty());
    let change = key.map(|key| Change::Button {
        repository: payload.place.reference(),
        commit: payload.check_run.head_sha,
        key,
        author: User::account(payload.sender),
        button,
    });
    Ok(change.into_iter().collect())
}

fn installation(event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        installation: Installation,
    }
    let payload: Payload = read(body)?;
    Ok(vec![Change::Installation {
        installation: payload.installation.id.to_string(),
        gone: event == "installation" && matches!(payload.action.as_str(), "deleted" | "suspend"),
    }])
}

fn repository(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    let repository = payload.place.reference();
    Ok(match payload.action.as_str() {
        // Another default branch is said by an edit.
        "renamed" | "transferred" | "edited" => vec![Change::RepositoryRenamed { repository }],
        "deleted" => vec![Change::RepositoryDeleted { repository }],
        _ => Vec::new(),
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DeliveryError> {
    serde_json::from_slice(body).map_err(|error| DeliveryError::Unreadable(error.to_string()))
}
