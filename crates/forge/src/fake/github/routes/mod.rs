//! Which calls the fake knows, what they need, and what answers them.

mod app;
mod checks;
mod comments;
mod deployments;
mod hooks;
mod repository;

use std::collections::BTreeMap;

use super::access::{self, Actor, Needs};
use super::reply::{Reply, Request};
use super::world::{Repository, World};

pub(super) type Handler = fn(&mut World, &Request) -> Result<Reply, Reply>;

pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    pub(super) needs: Needs,
    handler: Handler,
}

const fn route(method: &'static str, template: &'static str, needs: Needs, handler: Handler) -> Route {
    Route {
        method,
        template,
        needs,
        handler,
    }
}

macro_rules! repo {
    ($rest:literal) => {
        concat!("/repos/{owner}/{repo}", $rest)
    };
}

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    route("get", repo!(""), Needs::Read("metadata"), repository::show),
    route("get", repo!("/installation"), Needs::App, app::installation),
    route("post", "/app/installations/{installation_id}/access_tokens", Needs::App, app::token),
    route("get", "/app/hook/deliveries", Needs::App, app::deliveries),
    route("post", "/app/hook/deliveries/{delivery_id}/attempts", Needs::App, app::redeliver),
    route("post", "/app-manifests/{code}/conversions", Needs::Nothing, app::convert),
    route("get", "/user", Needs::User, app::user),
    route("get", repo!("/pulls"), Needs::Read("pull_requests"), repository::pulls),
    route("get", repo!("/pulls/{pull_number}"), Needs::Read("pull_requests"), repository::pull),
    route("get", repo!("/pulls/{pull_number}/files"), Needs::Read("pull_requests"), repository::files),
    route("get", repo!("/git/ref/{ref}"), Needs::Read("contents"), repository::reference),
    route("get", repo!("/git/commits/{commit_sha}"), Needs::Read("contents"), repository::commit),
    route("get", repo!("/branches/{branch}"), Needs::Read("contents"), repository::branch),
    route("get", repo!("/contents/{path}"), Needs::Read("contents"), repository::contents),
    route("get", repo!("/collaborators/{username}/permission"), Needs::Read("metadata"), repository::permission),
    route("get", repo!("/issues/{issue_number}/comments"), Needs::Read("issues"), comments::list),
    route("post", repo!("/issues/{issue_number}/comments"), Needs::Write("issues"), comments::make),
    route("patch", repo!("/issues/comments/{comment_id}"), Needs::Write("issues"), comments::edit),
    route("delete", repo!("/issues/comments/{comment_id}"), Needs::Write("issues"), comments::delete),
    route("post", repo!("/issues/comments/{comment_id}/reactions"), Needs::Write("issues"), comments::react),
    route("post", repo!("/check-runs"), Needs::AppWrite("checks"), checks::make),
    route("get", repo!("/check-runs/{check_run_id}"), Needs::Read("checks"), checks::show),
    route("patch", repo!("/check-runs/{check_run_id}"), Needs::AppWrite("checks"), checks::edit),
    route("get", repo!("/commits/{ref}/check-runs"), Needs::Read("checks"), checks::list),
    route("get", repo!("/deployments"), Needs::Read("deployments"), deployments::list),
    route("post", repo!("/deployments"), Needs::Write("deployments"), deployments::make),
    route("delete", repo!("/deployments/{deployment_id}"), Needs::Write("deployments"), deployments::delete),
    route("post", repo!("/deployments/{deployment_id}/statuses"), Needs::Write("deployments"), deployments::tell),
    route("delete", repo!("/environments/{environment_name}"), Needs::Write("environments"), deployments::delete_environment),
    route("post", repo!("/statuses/{sha}"), Needs::Write("statuses"), deployments::status),
    route("get", repo!("/hooks"), Needs::Admin, hooks::list),
    route("post", repo!("/hooks"), Needs::Admin, hooks::make),
    route("patch", repo!("/hooks/{hook_id}"), Needs::Admin, hooks::edit),
    route("delete", repo!("/hooks/{hook_id}"), Needs::Admin, hooks::delete),
];

/// All paths of the table.
pub(super) fn templates() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|route| route.template)
}

/// The route of a path, and what its parameters are.
pub(super) fn find(
    method: &str,
    segments: &[String],
) -> Option<(&'static Route, BTreeMap<&'static str, String>)> {
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| Some((route, parameters(route.template, segments)?)))
}

/// The last parameter takes the rest where it is a path itself.
fn parameters(template: &'static str, segments: &[String]) -> Option<BTreeMap<&'static str, String>> {
    let parts: Vec<&'static str> = template.split('/').skip(1).collect();
    let mut found = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let Some(name) = name else {
            if segments.get(index).map(String::as_str) != Some(part) {
                return None;
            }
            continue;
        };
        let takes_rest = index + 1 == parts.len() && matches!(name, "path" | "ref");
        let rest = segments.get(index..)?;
        let value = match takes_rest {
            true if !rest.is_empty() => rest.join("/"),
            _ => rest.first()?.clone(),
        };
        found.insert(name, value);
        if takes_rest {
            return Some(found);
        }
    }
    (parts.len() == segments.len()).then_some(found)
}

/// The answer to a call, as far as the caller may have it.
pub(super) fn answer(world: &mut World, route: &Route, request: &Request) -> Reply {
    let repository = world.repositories.get(&request.repository);
    let allowed = access::allowed(world, &request.actor, route.needs, repository);
    let answer = allowed.and_then(|()| (route.handler)(world, request));
    answer.unwrap_or_else(|reply| reply)
}

/// The repository of a call that is about one.
fn of<'a>(world: &'a mut World, request: &Request) -> Result<&'a mut Repository, Reply> {
    let found = world.repositories.get_mut(&request.repository);
    found.ok_or_else(Reply::not_found)
}

/// Who writes.
fn author(actor: &Actor) -> String {
    match actor {
        Actor::User(login) => login.clone(),
        _ => format!("{}[bot]", super::world::APP_SLUG),
    }
}
