//! Check runs.

use model::commit::CommitSha;
use serde_json::{Value, json};

use super::super::render;
use super::super::reply::{Reply, Request};
use super::super::template;
use super::super::world::{APP_ID, Check, World};
use super::of;

const SHOWN: &str = "/repos/{owner}/{repo}/check-runs/{check_run_id}";

fn shown(check: &Check) -> Value {
    let changes = json!({
        "id": check.id,
        "head_sha": check.commit,
        "name": check.name,
        "external_id": check.external_id,
        "status": check.status,
        "conclusion": check.conclusion,
        "completed_at": check.conclusion.as_ref().map(|_| "2026-01-02T03:04:05Z"),
        "details_url": check.details_url,
        "app": render::app(),
        "pull_requests": [],
        "output": {
            "title": check.title,
            "summary": check.summary,
            "text": null,
            "annotations_count": check.annotations.len(),
        },
    });
    template::answer("get", SHOWN, changes)
}

pub(super) fn make(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = world.id();
    let repository = of(world, request)?;
    let sha = request.said("head_sha").unwrap_or_default();
    let commit: CommitSha = sha.parse().map_err(|_| Reply::invalid("head_sha"))?;
    if repository.source.commit(commit.as_str()).is_none() {
        return Err(Reply::problem(422, "No commit found for SHA"));
    }
    let name = request.said("name").ok_or_else(|| Reply::invalid("name"))?;
    let mut check = Check::new(id, commit, &name);
    write(&mut check, &request.body)?;
    let reply = Reply::new(201, shown(&check));
    repository.checks.insert(id, check);
    Ok(reply)
}

pub(super) fn show(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("check_run_id")?;
    let check = of(world, request)?.checks.get(&id).ok_or_else(Reply::not_found)?;
    Ok(Reply::new(200, shown(check)))
}

pub(super) fn edit(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("check_run_id")?;
    let check = of(world, request)?
        .checks
        .get_mut(&id)
        .ok_or_else(Reply::not_found)?;
    write(check, &request.body)?;
    Ok(Reply::new(200, shown(check)))
}

pub(super) fn list(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let app = request.query.get("app_id");
    let is_other = app.is_some_and(|app| *app != APP_ID.to_string());
    let base = world.url.clone();
    let name = request.query.get("check_name");
    let commit = request.text("ref");
    let checks = of(world, request)?.checks.values();
    let found = checks.filter(|check| {
        !is_other && check.commit.as_str() == commit && name.is_none_or(|name| *name == check.name)
    });
    let found: Vec<Value> = found.map(shown).collect();
    let total = found.len();
    let (found, headers) = request.page(found, &base);
    Ok(Reply {
        status: 200,
        headers,
        body: Some(json!({ "total_count": total, "check_runs": found })),
    })
}

/// What is said is taken; annotations are added to those that are there, and buttons are as last said.
fn write(check: &mut Check, body: &Value) -> Result<(), Reply> {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let output = &body["output"];
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    let actions = body["actions"].as_array().cloned().unwrap_or_default();
    if annotations.len() > 50 || actions.len() > 3 {
        return Err(Reply::invalid("output"));
    }
    if let Some(conclusion) = text("conclusion") {
        check.conclusion = Some(conclusion);
        check.status = "completed".to_owned();
    } else if let Some(status) = text("status") {
        if status == "completed" {
            return Err(Reply::invalid("conclusion"));
        }
        check.conclusion = None;
        check.status = status;
    }
    check.name = text("name").unwrap_or_else(|| check.name.clone());
    check.external_id = text("external_id").unwrap_or_else(|| check.external_id.clone());
    check.details_url = text("details_url").or(check.details_url.take());
    if output.is_object() {
        check.title = output["title"].as_str().unwrap_or_default().to_owned();
        check.summary = output["summary"].as_str().unwrap_or_default().to_owned();
        check.annotations.extend(annotations);
    }
    let identifiers = actions.iter().filter_map(|action| action["identifier"].as_str());
    check.actions = identifiers.map(str::to_owned).collect();
    Ok(())
}
