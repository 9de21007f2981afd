//! What there is, in GitHub's forms.

use model::commit::CommitSha;
use serde_json::{Value, json};

use super::template;
use super::world::{APP_ID, APP_SLUG, Pull, Repository, World};

/// Bots are called so.
pub(super) fn is_bot(login: &str) -> bool {
    login.ends_with("[bot]")
}

pub(super) fn user(login: &str) -> Value {
    json!({
        "login": login,
        "id": number(login),
        "type": if is_bot(login) { "Bot" } else { "User" },
        "html_url": format!("https://github.com/{}", login.trim_end_matches("[bot]")),
        "site_admin": false,
    })
}

/// The App itself, as part of what it made.
pub(super) fn app() -> Value {
    json!({ "id": APP_ID, "slug": APP_SLUG, "name": "Cygni Test" })
}

/// What says of a repository which it is.
pub(super) fn repository(world: &World, repository: &Repository) -> Value {
    let name = &repository.name;
    json!({
        "id": repository.id,
        "name": name.name(),
        "full_name": name.to_string(),
        "owner": user(name.owner()),
        "private": repository.private,
        "fork": false,
        "default_branch": repository.default_branch,
        "language": null,
        "html_url": format!("{}/{name}", world.url),
        "url": format!("{}/repos/{name}", world.url),
    })
}

/// The parts of a pull request that are the same alone, in a list and in a payload.
pub(super) fn pull(world: &World, repository: &Repository, pull: &Pull) -> Value {
    let to = self::repository(world, repository);
    let base = repository
        .source
        .head(&pull.base_branch)
        .unwrap_or_else(|| pull.head.clone());
    let from = match &pull.fork {
        None => to.clone(),
        Some(_) if pull.fork_deleted => Value::Null,
        Some(owner) => {
            let mut copy = to.clone();
            copy["id"] = json!(number(&format!("{owner}/{}", repository.name.name())));
            copy["full_name"] = json!(format!("{owner}/{}", repository.name.name()));
            copy["owner"] = user(owner);
            copy["fork"] = json!(true);
            copy
        }
    };
    let labels: Vec<Value> = pull.labels.iter().map(|label| self::label(label)).collect();
    let closed = (!pull.open).then_some("2026-01-02T03:04:05Z");
    json!({
        "number": pull.number,
        "state": if pull.open { "open" } else { "closed" },
        "title": pull.title,
        "draft": pull.draft,
        "user": user(&pull.author),
        "labels": labels,
        "requested_teams": [],
        "closed_at": closed,
        "merged_at": pull.merged.then_some("2026-01-02T03:04:05Z"),
        "html_url": format!("{}/{}/pull/{}", world.url, repository.name, pull.number),
        "head": { "ref": pull.head_branch, "sha": pull.head, "repo": from },
        "base": { "ref": pull.base_branch, "sha": base, "repo": to },
    })
}

pub(super) fn label(name: &str) -> Value {
    json!({
        "id": number(name),
        "node_id": "MDU6TGFiZWwyMDgwNDU5NDY=",
        "url": "https://api.github.com/repos/octocat/Hello-World/labels/bug",
        "name": name,
        "description": null,
        "color": "f29513",
        "default": false,
    })
}

/// What GitHub puts into every payload: where, who, and for which installation.
pub(super) fn surroundings(world: &World, repository: &Repository, sender: &str) -> Value {
    let mut around = json!({
        "repository": self::repository(world, repository),
        "sender": user(sender),
    });
    if let Some(id) = world.installation_of(repository.name.owner()) {
        around["installation"] = json!({ "id": id });
    }
    around
}

pub(super) fn payload(event: &str, action: Option<&str>, (around, changes): (Value, Value)) -> Value {
    let mut whole = around;
    if let (Value::Object(whole), Value::Object(changes)) = (&mut whole, changes) {
        whole.extend(changes);
    }
    template::payload(event, action, whole)
}

/// What the forge would count, of a text: always the same.
pub(super) fn number(text: &str) -> u64 {
    text.bytes().fold(5381, |hash: u64, byte| {
        (hash.wrapping_mul(33) ^ u64::from(byte)) & 0x7fff_ffff
    })
}

/// The commits of a payload that says that a branch does not exist, before or after.
pub(super) fn nothing() -> CommitSha {
    "0".repeat(40).parse().expect("forty digits")
}
