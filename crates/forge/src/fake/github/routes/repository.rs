//! What a repository holds: pull requests, branches, files, and who may do what.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::super::render;
use super::super::reply::{Reply, Request};
use super::super::source::Entry;
use super::super::template;
use super::super::world::World;
use super::of;

/// GitHub lists no more files of a pull request.
const FILES_MAX: usize = 3_000;

pub(super) fn show(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = &world.repositories[&request.repository];
    let mut body = template::answer("get", request.template, render::repository(world, repository));
    if let Some(body) = body.as_object_mut() {
        // GitHub's example is a copy of another one.
        for name in ["parent", "source", "template_repository"] {
            body.remove(name);
        }
    }
    Ok(Reply::new(200, body))
}

pub(super) fn pulls(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = &world.repositories[&request.repository];
    let state = request.query.get("state").map_or("open", String::as_str);
    let mut pulls: Vec<_> = repository
        .pulls
        .values()
        .filter(|pull| state == "all" || pull.open == (state == "open"))
        .collect();
    if request.query.get("direction").map(String::as_str) != Some("asc") {
        pulls.reverse();
    }
    let (pulls, headers) = request.page(pulls, &world.url);
    let item = |pull| template::answer("get", request.template, render::pull(world, repository, pull));
    Ok(Reply {
        status: 200,
        headers,
        body: Some(pulls.into_iter().map(item).collect()),
    })
}

pub(super) fn pull(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = &world.repositories[&request.repository];
    let pull = repository.pulls.get(&request.number("pull_number")?);
    let pull = pull.ok_or_else(Reply::not_found)?;
    let mut body = template::answer("get", request.template, render::pull(world, repository, pull));
    body["merged"] = json!(pull.merged);
    Ok(Reply::new(200, body))
}

pub(super) fn files(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = &world.repositories[&request.repository];
    let pull = repository.pulls.get(&request.number("pull_number")?);
    let pull = pull.ok_or_else(Reply::not_found)?;
    let base = repository.source.head(&pull.base_branch);
    let mut names = match base {
        Some(base) => repository.source.changed(&base, &pull.head),
        None => Vec::new(),
    };
    names.truncate(FILES_MAX);
    let (names, headers) = request.page(names, &world.url);
    let item = |name| template::answer("get", request.template, json!({ "filename": name }));
    Ok(Reply {
        status: 200,
        headers,
        body: Some(names.into_iter().map(item).collect()),
    })
}

pub(super) fn reference(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let name = request.text("ref").to_owned();
    let branch = name.strip_prefix("heads/").ok_or_else(Reply::not_found)?;
    let head = of(world, request)?
        .source
        .head(branch)
        .ok_or_else(Reply::not_found)?;
    let body = json!({ "ref": format!("refs/{name}"), "object": { "sha": head, "type": "commit" } });
    Ok(Reply::new(200, template::answer("get", request.template, body)))
}

pub(super) fn commit(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let sha = request.text("commit_sha");
    let found = of(world, request)?
        .source
        .commit(sha)
        .ok_or_else(Reply::not_found)?;
    let body = json!({ "sha": sha, "message": found.message });
    Ok(Reply::new(200, template::answer("get", request.template, body)))
}

pub(super) fn branch(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = of(world, request)?;
    let name = request.text("branch");
    let head = repository.source.head(name).ok_or_else(Reply::not_found)?;
    let commit = repository
        .source
        .commit(head.as_str())
        .ok_or_else(Reply::not_found)?;
    let body = json!({
        "name": name,
        "commit": {
            "sha": head,
            "commit": { "message": commit.message },
            "author": render::user(&commit.author),
        },
    });
    Ok(Reply::new(200, template::answer("get", request.template, body)))
}

pub(super) fn contents(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = of(world, request)?;
    let head = repository.source.head(&repository.default_branch);
    let at = request
        .query
        .get("ref")
        .cloned()
        .or_else(|| head.map(String::from));
    let at = at.ok_or_else(Reply::not_found)?;
    let path = request.text("path");
    match repository.source.file(&at, path) {
        Entry::Absent => Err(Reply::not_found()),
        Entry::Directory => Ok(Reply::new(200, json!([]))),
        Entry::File(bytes) => {
            let encoded = BASE64.encode(&bytes);
            let lines: Vec<&str> = encoded
                .as_bytes()
                .chunks(60)
                .filter_map(|l| str::from_utf8(l).ok())
                .collect();
            let name = path.rsplit('/').next().unwrap_or(path);
            let body = json!({
                "type": "file",
                "encoding": "base64",
                "name": name,
                "path": path,
                "size": bytes.len(),
                "content": lines.join("\n"),
            });
            Ok(Reply::new(200, template::answer("get", request.template, body)))
        }
    }
}

/// GitHub has more roles than it has permissions.
pub(super) fn permission(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = of(world, request)?;
    let login = request.text("username");
    let role = repository.roles.get(login).cloned();
    if role.is_none() && (login.starts_with("nobody") || render::is_bot(login)) {
        return Err(Reply::problem(404, &format!("{login} is not a user")));
    }
    let is_public = !repository.private;
    let role = role.unwrap_or_else(|| if is_public { "read" } else { "none" }.to_owned());
    let permission = match role.as_str() {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let mut user = render::user(login);
    user["role_name"] = json!(role);
    let body: Value = json!({ "permission": permission, "role_name": role, "user": user });
    Ok(Reply::new(200, template::answer("get", request.template, body)))
}
