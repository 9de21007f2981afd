//! Deployments with their statuses, environments, and statuses of commits.

use model::commit::CommitSha;
use serde_json::{Value, json};

use super::super::render;
use super::super::reply::{Reply, Request};
use super::super::template;
use super::super::world::{Deployment, DeploymentStatus, Repository, Status, World};
use super::{author, of};

/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 140;
const SHOWN: &str = "/repos/{owner}/{repo}/deployments";

fn shown(deployment: &Deployment, creator: &str) -> Value {
    let mut shown = template::answer(
        "get",
        SHOWN,
        json!({
            "id": deployment.id,
            "sha": deployment.commit,
            "ref": deployment.commit,
            "environment": deployment.environment,
            "original_environment": deployment.environment,
            "description": deployment.description,
            "creator": render::user(creator),
            "transient_environment": deployment.transient,
            "production_environment": deployment.production,
        }),
    );
    shown["payload"] = deployment.payload.clone();
    shown
}

pub(super) fn list(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let base = world.url.clone();
    let fits = |name: &str, value: &str| request.query.get(name).is_none_or(|wanted| wanted == value);
    let deployments = of(world, request)?.deployments.values().rev();
    let found = deployments.filter(|deployment| {
        fits("environment", &deployment.environment) && fits("sha", deployment.commit.as_str())
    });
    let found = found.map(|deployment| shown(deployment, "octocat")).collect();
    Ok(request.list(found, &base))
}

/// GitHub would merge, and wait for other checks, if it were not told otherwise.
pub(super) fn make(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let (id, body) = (world.id(), &request.body);
    let creator = author(&request.actor);
    let repository = of(world, request)?;
    let reference = request.said("ref").ok_or_else(|| Reply::invalid("ref"))?;
    let commit: CommitSha = match reference.parse() {
        Ok(commit) => commit,
        Err(_) => repository
            .source
            .head(&reference)
            .ok_or_else(|| Reply::invalid("ref"))?,
    };
    if repository.source.commit(commit.as_str()).is_none() {
        return Err(Reply::problem(422, &format!("No ref found for: {reference}")));
    }
    if body["auto_merge"] != false {
        return Err(Reply::problem(409, "Conflict merging main into the ref"));
    }
    if body["required_contexts"]
        .as_array()
        .is_none_or(|contexts| !contexts.is_empty())
    {
        return Err(Reply::problem(409, "Conflict: Commit status checks failed"));
    }
    let environment = request
        .said("environment")
        .unwrap_or_else(|| "production".to_owned());
    let deployment = Deployment {
        id,
        commit,
        production: body["production_environment"]
            .as_bool()
            .unwrap_or(environment == "production"),
        transient: body["transient_environment"] == true,
        payload: body["payload"].clone(),
        description: described(request)?,
        environment: environment.clone(),
        statuses: Vec::new(),
    };
    let reply = Reply::new(201, shown(&deployment, &creator));
    repository.environments.insert(environment);
    repository.deployments.insert(id, deployment);
    Ok(reply)
}

pub(super) fn tell(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("deployment_id")?;
    let text = |name: &str| request.said(name).unwrap_or_default();
    for name in ["environment_url", "log_url"] {
        let url = text(name);
        if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Reply::invalid(name));
        }
    }
    let status = DeploymentStatus {
        state: request.said("state").ok_or_else(|| Reply::invalid("state"))?,
        environment_url: text("environment_url"),
        log_url: text("log_url"),
        description: described(request)?,
    };
    let repository = of(world, request)?;
    let deployment = repository.deployments.get_mut(&id).ok_or_else(Reply::not_found)?;
    let mut body = json!({
        "state": status.state,
        "description": status.description,
        "environment": deployment.environment,
    });
    for (name, url) in [
        ("environment_url", &status.environment_url),
        ("log_url", &status.log_url),
    ] {
        if !url.is_empty() {
            body[name] = json!(url);
        }
    }
    deployment.statuses.push(status);
    Ok(Reply::new(201, template::answer("post", request.template, body)))
}

/// Only what is inactive can be deleted, unless it is the only one.
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("deployment_id")?;
    let repository = of(world, request)?;
    let is_only = repository.deployments.len() == 1;
    let deployment = repository.deployments.get(&id).ok_or_else(Reply::not_found)?;
    if deployment.state() != "inactive" && !is_only {
        return Err(Reply::problem(
            422,
            "We cannot delete an active deployment unless it is the only deployment",
        ));
    }
    repository.deployments.remove(&id);
    Ok(Reply::empty(204))
}

pub(super) fn delete_environment(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let name = request.text("environment_name");
    match of(world, request)?.environments.remove(name) {
        true => Ok(Reply::empty(204)),
        false => Err(Reply::not_found()),
    }
}

pub(super) fn status(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = world.id();
    let repository: &mut Repository = of(world, request)?;
    let sha = request.text("sha");
    if repository.source.commit(sha).is_none() {
        return Err(Reply::problem(422, &format!("No commit found for SHA: {sha}")));
    }
    let status = Status {
        id,
        commit: sha.parse().map_err(|_| Reply::invalid("sha"))?,
        context: request.said("context").unwrap_or_else(|| "default".to_owned()),
        state: request.said("state").ok_or_else(|| Reply::invalid("state"))?,
        target_url: request.said("target_url"),
        description: described(request)?,
    };
    let body = json!({
        "id": id,
        "state": status.state,
        "context": status.context,
        "target_url": status.target_url,
        "description": status.description,
        "creator": render::user(&author(&request.actor)),
    });
    repository.statuses.insert(id, status);
    Ok(Reply::new(201, template::answer("post", request.template, body)))
}

fn described(request: &Request) -> Result<String, Reply> {
    let description = request.said("description").unwrap_or_default();
    match description.chars().count() <= DESCRIPTION_CHARS_MAX {
        true => Ok(description),
        false => Err(Reply::invalid("description")),
    }
}
