//! One project: its repository, what is followed of it and why, its previews.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use control::view;
use maud::{Markup, html};
use model::ProjectName;

use super::actions::Plain;
use super::layout::Page;
use super::parts::{button, pill, said, time};
use super::visitor::{Pressed, Visitor};
use super::words;
use crate::extract::Path;
use crate::problem::Problem;
use crate::service::Web;

/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 7;

pub(super) async fn page(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<ProjectName>,
) -> Result<Response, Problem> {
    let project = web.control.project(&name).await?;
    let mut previews = web.control.previews().await?;
    previews.retain(|preview| preview.project == name);
    let heads = match &project.repository {
        Some(part) => followed(&web, &part.repository, &name).await?,
        None => Vec::new(),
    };
    let content = html! {
        div #head data-live { (head(&project, &visitor.form_token)) }
        @if project.repository.is_some() {
            h2 { "Changes" }
            div #changes data-live { (changes(&heads, &name)) }
        }
        h2 { "Previews" }
        div #previews data-live {
            @if previews.is_empty() { p.note { "There are none." } } @else {
                ul.previews { @for preview in &previews { (super::list::row(preview)) } }
            }
        }
    };
    let events = Some(format!("/api/v1/events?project={name}"));
    Ok(Page {
        title: name.as_str(),
        events,
        form_token: Some(&visitor.form_token),
        content,
    }
    .into_response())
}

pub(super) async fn pause(
    State(web): State<Web>,
    Path(name): Path<ProjectName>,
    _: Pressed<Plain>,
) -> Result<Redirect, Problem> {
    web.control.pause_project(&name).await?;
    Ok(Redirect::to(&format!("/projects/{name}")))
}

pub(super) async fn resume(
    State(web): State<Web>,
    Path(name): Path<ProjectName>,
    _: Pressed<Plain>,
) -> Result<Redirect, Problem> {
    web.control.resume_project(&name).await?;
    Ok(Redirect::to(&format!("/projects/{name}")))
}

/// What is open of the repository and concerns the project.
async fn followed(
    web: &Web,
    repository: &view::Repository,
    project: &ProjectName,
) -> Result<Vec<view::Head>, Problem> {
    let mut heads = web.control.heads().await?;
    let concerns = |head: &view::Head| {
        head.projects.is_empty() || head.projects.iter().any(|part| part.project == *project)
    };
    heads.retain(|head| {
        head.forge == repository.forge && head.repository == repository.name && !head.over && concerns(head)
    });
    Ok(heads)
}

fn head(project: &view::Project, token: &str) -> Markup {
    let (label, word) = match project.paused {
        true => ("Resume", "resume"),
        false => ("Pause", "pause"),
    };
    html! {
        p.crumbs { a href="/" { "Previews" } " / " (project.name) }
        div.head {
            div {
                h1 { (project.name) }
                @if let Some(part) = &project.repository {
                    p {
                        a.url href=(part.repository.web_url) { (part.repository.name) }
                        @if !part.root.is_empty() { " in " code { (part.root) } }
                    }
                } @else { p.note { "It follows no repository. " code { "cx project create --repo owner/name" } " lets it follow one." } }
            }
            (pill(state(project)))
        }
        @if let Some(part) = &project.repository { (facts(&part.repository)) }
        @if project.paused { p { "Changes are noted, and nothing is deployed because of them." } }
        div.actions { (button(label, &format!("/projects/{}/{word}", project.name), "", &[("form", token)])) }
    }
}

fn facts(repository: &view::Repository) -> Markup {
    let troubles = [
        &repository.held_reason,
        &repository.trouble,
        &repository.webhook_trouble,
    ];
    html! {
        p.facts {
            span { (repository.forge) }
            span { "webhook " (repository.webhook) }
            @if let Some(at) = repository.listed_at_ms { span { "looked at " (time(at)) } }
        }
        @for trouble in troubles.into_iter().flatten() {
            section.failure { p { (said(&words::sentence(trouble))) } }
        }
    }
}

fn state(project: &view::Project) -> (&'static str, &'static str) {
    let state = project
        .repository
        .as_ref()
        .map(|part| part.repository.state.as_str());
    match (project.paused, state) {
        (true, _) => ("Paused", "warn"),
        (false, Some("held")) => ("Held", "bad"),
        (false, Some("gone")) => ("Gone", "bad"),
        (false, Some(_)) => ("Follows", "good"),
        (false, None) => ("By hand", "calm"),
    }
}

fn changes(heads: &[view::Head], project: &ProjectName) -> Markup {
    html! {
        @if heads.is_empty() { p.note { "No pull request is open, and no branch is followed." } }
        ol.deployments { @for head in heads { (change(head, project)) } }
    }
}

fn change(head: &view::Head, project: &ProjectName) -> Markup {
    let part = head.projects.iter().find(|part| part.project == *project);
    let name = match (head.number, &head.branch) {
        (Some(number), _) => format!("#{number}"),
        (None, branch) => branch.clone().unwrap_or_default(),
    };
    let reason = part.and_then(|part| part.reason.as_ref());
    html! {
        li {
            div.line {
                (pill(verdict(part)))
                @if let Some(url) = &head.url { a href=(url) { (name) } } @else { b { (name) } }
                @if let Some(title) = &head.title { span { (title) } }
                @if let Some(commit) = &head.commit { code { (commit.get(..COMMIT_DIGITS).unwrap_or(commit)) } }
                @if let Some(author) = &head.author { span.note { (author) @if head.fork { ", from elsewhere" } } }
            }
            @if let Some(reason) = reason { p.note { (said(reason)) } }
            @if let Some(trouble) = &head.trouble { p.note { (said(&words::sentence(trouble))) } }
        }
    }
}

fn verdict(part: Option<&view::HeadProject>) -> (&'static str, &'static str) {
    match part.map(|part| part.state.as_str()) {
        Some("deploy") => ("Deployed", "good"),
        Some("awaits_approval") => ("Awaits approval", "warn"),
        Some("skipped") => ("Skipped", "calm"),
        Some("kept") => ("Kept", "calm"),
        Some("paused") => ("Paused", "warn"),
        Some("over") => ("Over", "calm"),
        _ => ("Not looked at yet", "busy"),
    }
}
