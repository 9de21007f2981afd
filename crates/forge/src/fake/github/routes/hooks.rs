//! Webhooks of a repository.

use serde_json::{Value, json};

use super::super::reply::{Reply, Request};
use super::super::template;
use super::super::world::{Hook, World};
use super::of;

const SHOWN: &str = "/repos/{owner}/{repo}/hooks";

/// The secret is never shown.
fn shown(hook: &Hook) -> Value {
    let changes = json!({
        "id": hook.id,
        "events": hook.events,
        "config": { "url": hook.url, "content_type": "json", "secret": "********" },
    });
    template::answer("get", SHOWN, changes)
}

pub(super) fn list(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let base = world.url.clone();
    let hooks = of(world, request)?.hooks.values().map(shown).collect();
    Ok(request.list(hooks, &base))
}

pub(super) fn make(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = world.id();
    let hook = read(id, &request.body)?;
    let repository = of(world, request)?;
    if repository.hooks.values().any(|other| other.url == hook.url) {
        return Err(Reply::problem(422, "Hook already exists on this repository"));
    }
    let reply = Reply::new(201, shown(&hook));
    repository.hooks.insert(id, hook);
    Ok(reply)
}

pub(super) fn edit(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("hook_id")?;
    let hook = of(world, request)?
        .hooks
        .get_mut(&id)
        .ok_or_else(Reply::not_found)?;
    *hook = read(id, &request.body)?;
    Ok(Reply::new(200, shown(hook)))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("hook_id")?;
    match of(world, request)?.hooks.remove(&id) {
        Some(_) => Ok(Reply::empty(204)),
        None => Err(Reply::not_found()),
    }
}

fn read(id: u64, body: &Value) -> Result<Hook, Reply> {
    let config = &body["config"];
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    if !text("url").starts_with("http") || text("content_type") != "json" {
        return Err(Reply::invalid("config"));
    }
    let events = body["events"].as_array().into_iter().flatten();
    Ok(Hook {
        id,
        url: text("url"),
        secret: text("secret"),
        events: events
            .filter_map(|event| event.as_str().map(str::to_owned))
            .collect(),
    })
}
