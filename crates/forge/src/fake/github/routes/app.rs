//! Apps: their installations with tokens, their deliveries, and how they are made; and whose a token is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::access::{Actor, KEY};
use super::super::render;
use super::super::reply::{Reply, Request};
use super::super::template;
use super::super::world::{APP_ID, APP_SLUG, Delivery, Grant, World};

/// How long an installation's token is good.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);

pub(super) fn installation(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let repository = world
        .repositories
        .get(&request.repository)
        .ok_or_else(Reply::not_found)?;
    let owner = repository.name.owner().to_owned();
    let id = world.installation_of(&owner).ok_or_else(Reply::not_found)?;
    let body = json!({ "id": id, "app_id": APP_ID, "app_slug": APP_SLUG, "account": render::user(&owner) });
    let mut body = template::answer("get", request.template, body);
    body["permissions"] = json!({ "metadata": "read", "contents": "read", "checks": "write" });
    Ok(Reply::new(200, body))
}

pub(super) fn token(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("installation_id")?;
    let installation = world.installations.get(&id).ok_or_else(Reply::not_found)?;
    if installation.suspended {
        return Err(Reply::problem(403, "This installation has been suspended"));
    }
    let seen = |repository: u64| {
        let repository = world.repositories.get(&repository);
        repository.is_some_and(|repository| repository.name.owner() == installation.owner)
    };
    let wanted = request.body["repository_ids"].as_array();
    let repositories: Option<BTreeSet<u64>> =
        wanted.map(|ids| ids.iter().filter_map(Value::as_u64).collect());
    if repositories.iter().flatten().any(|&id| !seen(id)) {
        let why = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        return Err(Reply::problem(422, why));
    }
    let permissions: Option<BTreeMap<String, String>> =
        serde_json::from_value(request.body["permissions"].clone()).unwrap_or_default();
    let expires = Timestamp::now() + TOKEN_LIFE;
    let token = format!("ghs_{:036}", world.id());
    let mut body = json!({
        "token": token,
        "expires_at": expires.to_string(),
        "repository_selection": if repositories.is_some() { "selected" } else { "all" },
    });
    if let Some(permissions) = &permissions {
        body["permissions"] = json!(permissions);
    }
    let grant = Grant::Installation {
        id,
        repositories,
        permissions,
        expires,
    };
    world.tokens.insert(token, grant);
    let mut body = template::answer("post", request.template, body);
    if let Some(body) = body.as_object_mut() {
        body.remove("repositories");
    }
    Ok(Reply::new(201, body))
}

/// Newest first, going on from a cursor.
pub(super) fn deliveries(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let number = |name: &str| request.query.get(name).and_then(|text| text.parse::<u64>().ok());
    let size = number("per_page").unwrap_or(30).clamp(1, 100) as usize;
    let below = number("cursor").unwrap_or(u64::MAX);
    let rest: Vec<&Delivery> = world.deliveries.iter().rev().filter(|d| d.id < below).collect();
    let shown: Vec<Value> = rest.iter().take(size).map(|delivery| shown(delivery)).collect();
    let mut reply = Reply::new(200, Value::Array(shown));
    if rest.len() > size {
        let cursor = rest[size - 1].id;
        let next = format!(
            "<{}{}?per_page={size}&cursor={cursor}>; rel=\"next\"",
            world.url, request.path
        );
        reply = reply.with("link", next);
    }
    Ok(reply)
}

fn shown(delivery: &Delivery) -> Value {
    let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
    let changes = json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.delivered_at.to_string(),
        "redelivery": delivery.redelivery,
        "status": if delivery.status == 0 { "failed to connect" } else { "OK" },
        "status_code": delivery.status,
        "event": delivery.event,
        "action": body["action"].as_str(),
        "installation_id": body["installation"]["id"].as_u64(),
        "repository_id": body["repository"]["id"].as_u64(),
    });
    template::answer("get", "/app/hook/deliveries", changes)
}

/// The same again, with the same guid.
pub(super) fn redeliver(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let wanted = request.number("delivery_id")?;
    let found = world.deliveries.iter().find(|delivery| delivery.id == wanted);
    let again = found.cloned().ok_or_else(Reply::not_found)?;
    let id = world.id();
    world.deliveries.push(Delivery {
        id,
        redelivery: true,
        status: 0,
        delivered_at: Timestamp::now(),
        ..again
    });
    Ok(Reply::new(202, json!({})))
}

/// A code is good once.
pub(super) fn convert(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    if !world.codes.remove(request.text("code")) {
        return Err(Reply::not_found());
    }
    let body = json!({
        "id": APP_ID,
        "slug": APP_SLUG,
        "name": "Cygni Test",
        "html_url": format!("{}/apps/{APP_SLUG}", world.url),
        "pem": KEY,
        "webhook_secret": "made-by-github",
        "client_secret": "not-used",
    });
    Ok(Reply::new(201, template::answer("post", request.template, body)))
}

pub(super) fn user(_: &mut World, request: &Request) -> Result<Reply, Reply> {
    let Actor::User(login) = &request.actor else {
        return Err(Reply::not_found());
    };
    Ok(Reply::new(
        200,
        template::answer("get", request.template, render::user(login)),
    ))
}
