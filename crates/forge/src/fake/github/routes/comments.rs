//! Comments of issues and pull requests.

use serde_json::{Value, json};

use super::super::access::Actor;
use super::super::render;
use super::super::reply::{Reply, Request};
use super::super::template;
use super::super::world::{Comment, World};
use super::{author, of};

/// Longest comment, in characters.
const COMMENT_CHARS_MAX: usize = 65_536;

fn shown(request: &Request, comment: &Comment) -> Value {
    let by_app = render::is_bot(&comment.author);
    let body = json!({
        "id": comment.id,
        "body": comment.body,
        "user": render::user(&comment.author),
    });
    let method = if request.method == "patch" { "patch" } else { "get" };
    let template = match method {
        "patch" => request.template,
        _ => "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    };
    let mut shown = template::answer(method, template, body);
    if by_app {
        let check = template::answer(
            "get",
            "/repos/{owner}/{repo}/check-runs/{check_run_id}",
            json!({}),
        );
        shown["performed_via_github_app"] = check["app"].clone();
        for (name, value) in render::app().as_object().into_iter().flatten() {
            shown["performed_via_github_app"][name] = value.clone();
        }
    }
    shown
}

pub(super) fn list(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let number = request.number("issue_number")?;
    let base = world.url.clone();
    let repository = of(world, request)?;
    if !repository.pulls.contains_key(&number) {
        return Err(Reply::not_found());
    }
    let comments = repository
        .comments
        .values()
        .filter(|comment| comment.number == number);
    let shown = comments.map(|comment| shown(request, comment)).collect();
    Ok(request.list(shown, &base))
}

pub(super) fn make(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let number = request.number("issue_number")?;
    let body = valid(request)?;
    let id = world.id();
    let repository = of(world, request)?;
    if !repository.pulls.contains_key(&number) {
        return Err(Reply::not_found());
    }
    let comment = Comment {
        id,
        number,
        author: author(&request.actor),
        body,
        reactions: Vec::new(),
        edits: 0,
    };
    let reply = Reply::new(201, shown(request, &comment));
    repository.comments.insert(id, comment);
    Ok(reply)
}

pub(super) fn edit(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let body = valid(request)?;
    let comment = own(world, request)?;
    comment.body = body;
    comment.edits += 1;
    Ok(Reply::new(200, shown(request, comment)))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = own(world, request)?.id;
    of(world, request)?.comments.remove(&id);
    Ok(Reply::empty(204))
}

pub(super) fn react(world: &mut World, request: &Request) -> Result<Reply, Reply> {
    let id = request.number("comment_id")?;
    let content = request.said("content").ok_or_else(|| Reply::invalid("content"))?;
    let comment = of(world, request)?.comments.get_mut(&id);
    let comment = comment.ok_or_else(Reply::not_found)?;
    let is_there = comment.reactions.contains(&content);
    let body = json!({ "content": content, "user": render::user(&author(&request.actor)) });
    if !is_there {
        comment.reactions.push(content);
    }
    let status = if is_there { 200 } else { 201 };
    Ok(Reply::new(
        status,
        template::answer("post", request.template, body),
    ))
}

fn valid(request: &Request) -> Result<String, Reply> {
    let body = request.said("body").ok_or_else(|| Reply::invalid("body"))?;
    match (1..=COMMENT_CHARS_MAX).contains(&body.chars().count()) {
        true => Ok(body),
        false => Err(Reply::invalid("body")),
    }
}

/// Others' comments can be edited by people with write permission, but not by Apps.
fn own<'a>(world: &'a mut World, request: &Request) -> Result<&'a mut Comment, Reply> {
    let id = request.number("comment_id")?;
    let writer = author(&request.actor);
    let repository = of(world, request)?;
    let may_write = matches!(
        repository.roles.get(&writer).map(String::as_str),
        Some("write" | "maintain" | "admin")
    );
    let comment = repository.comments.get_mut(&id).ok_or_else(Reply::not_found)?;
    match comment.author == writer || (may_write && matches!(request.actor, Actor::User(_))) {
        true => Ok(comment),
        false => Err(Reply::problem(403, "Resource not accessible by integration")),
    }
}
