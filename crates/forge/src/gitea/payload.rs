//! What a webhook of Gitea says, as far as it tells us where to look. Only that is read of it: the truth is asked for.
//!
//! It resembles GitHub's and differs where it matters: a push to a pull request is `synchronized`, a change of labels does
//! not say which, so that labels approve nothing here, and there is no ping.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::truth::{Repo, User};
use crate::change::Change;
use crate::command;
use crate::forge::DeliveryError;

/// What begins the names of branches.
const BRANCHES: &str = "refs/heads/";

#[derive(Deserialize)]
struct Place {
    repository: Repo,
}

pub(super) fn changes(event: &str, body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    match event {
        // Whatever happened to it, a review included.
        "pull_request" => pull_request(body),
        "push" => push(body),
        "create" | "delete" => made_or_deleted(body),
        "issue_comment" => issue_comment(body),
        "repository" => repository(body),
        _ => Ok(Vec::new()),
    }
}

fn pull_request(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        number: u64,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    Ok(vec![Change::PullRequest {
        repository: payload.place.repository.reference(),
        number: payload.number,
    }])
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

fn made_or_deleted(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "ref")]
        name: String,
        ref_type: String,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    let name = payload.name.strip_prefix(BRANCHES).unwrap_or(&payload.name);
    Ok(match payload.ref_type.as_str() {
        "branch" => vec![looked_at(&payload.place, name)],
        _ => Vec::new(),
    })
}

fn looked_at(place: &Place, branch: &str) -> Change {
    Change::Branch {
        repository: place.repository.reference(),
        branch: branch.to_owned(),
    }
}

/// Only what is newly written under a pull request can be a command. The event is the same for issues.
fn issue_comment(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        #[serde(default)]
        is_pull: bool,
        issue: Issue,
        comment: Comment,
        #[serde(flatten)]
        place: Place,
    }
    #[derive(Deserialize)]
    struct Issue {
        number: u64,
    }
    #[derive(Deserialize)]
    struct Comment {
        id: u64,
        #[serde(default)]
        body: String,
        user: Option<User>,
    }
    let payload: Payload = read(body)?;
    if payload.action != "created" || !payload.is_pull {
        return Ok(Vec::new());
    }
    let command = command::parse(&payload.comment.body);
    let change = command.map(|command| Change::Command {
        repository: payload.place.repository.reference(),
        number: payload.issue.number,
        comment: payload.comment.id.to_string(),
        author: User::account(payload.comment.user),
        command,
    });
    Ok(change.into_iter().collect())
}

fn repository(body: &[u8]) -> Result<Vec<Change>, DeliveryError> {
    #[derive(Deserialize)]
    struct Payload {
        action: String,
        #[serde(flatten)]
        place: Place,
    }
    let payload: Payload = read(body)?;
    let repository = payload.place.repository.reference();
    Ok(match payload.action.as_str() {
        "renamed" | "transferred" | "edited" => vec![Change::RepositoryRenamed { repository }],
        "deleted" => vec![Change::RepositoryDeleted { repository }],
        _ => Vec::new(),
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DeliveryError> {
    serde_json::from_slice(body).map_err(|error| DeliveryError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::change::{Account, Command, RepositoryRef};

    fn said(event: &str, mut body: Value) -> Vec<Change> {
        body["repository"] = json!({ "id": 7, "full_name": "team/shop", "default_branch": "main" });
        body["secret"] = json!("");
        changes(event, body.to_string().as_bytes()).unwrap()
    }

    fn shop() -> RepositoryRef {
        RepositoryRef {
            id: "7".to_owned(),
            name: "team/shop".parse().unwrap(),
            installation: None,
        }
    }

    #[test]
    fn whatever_happens_to_a_pull_request_is_looked_at() {
        for action in [
            "opened",
            "synchronized",
            "label_updated",
            "closed",
            "reopened",
            "edited",
        ] {
            let body = json!({ "action": action, "number": 3, "pull_request": { "number": 3 } });
            let expected = Change::PullRequest {
                repository: shop(),
                number: 3,
            };
            assert_eq!(said("pull_request", body), [expected], "{action}");
        }
    }

    #[test]
    fn branches_are_looked_at_and_tags_are_not() {
        let branch = |name: &str| Change::Branch {
            repository: shop(),
            branch: name.to_owned(),
        };
        let push = |reference: &str| said("push", json!({ "ref": reference }));
        assert_eq!(push("refs/heads/fix/a"), [branch("fix/a")]);
        assert_eq!(push("refs/tags/v1"), []);
        let gone = |kind: &str| said("delete", json!({ "ref": "old", "ref_type": kind }));
        assert_eq!(gone("branch"), [branch("old")]);
        assert_eq!(gone("tag"), []);
    }

    #[test]
    fn a_command_is_a_new_comment_of_a_pull_request() {
        let comment = |action: &str, is_pull: bool| {
            let body = json!({
                "action": action,
                "is_pull": is_pull,
                "issue": { "number": 3 },
                "comment": { "id": 11, "body": "/cx redeploy", "user": { "login": "dev" } },
            });
            said("issue_comment", body)
        };
        let expected = Change::Command {
            repository: shop(),
            number: 3,
            comment: "11".to_owned(),
            author: Account {
                login: "dev".to_owned(),
                bot: false,
            },
            command: Command::Redeploy,
        };
        assert_eq!(comment("created", true), [expected]);
        assert_eq!(comment("edited", true), []);
        assert_eq!(comment("created", false), [], "an issue has no preview");
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_broken_is_said() {
        assert_eq!(changes("wiki", b"{}"), Ok(Vec::new()));
        assert_eq!(changes("pull_request_approved", b"{}"), Ok(Vec::new()));
        for body in [&b""[..], b"{", b"[]", b"{\"number\":\"3\"}"] {
            assert!(matches!(
                changes("pull_request", body),
                Err(DeliveryError::Unreadable(_))
            ));
        }
    }
}
