//! One preview: where it is, its deployments, its plan.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use control::view;
use maud::{Markup, html};
use model::deployment::State as DeploymentState;
use model::plan::Serve;
use model::{Plan, PreviewId};

use super::layout::Page;
use super::parts::{button, failure, phases, pill, said, time};
use super::visitor::Visitor;
use super::words;
use crate::extract::Path;
use crate::problem::Problem;
use crate::service::Web;

pub(super) async fn page(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<PreviewId>,
) -> Result<Response, Problem> {
    let preview = web.control.preview(&id).await?;
    let deployments = web.control.deployments(&id).await?;
    let token = visitor.form_token.as_str();
    let newest = deployments.first();
    let serving = deployments
        .iter()
        .find(|deployment| deployment.current)
        .or(newest);
    let content = html! {
        div #head data-live { (head(&preview, serving, token)) }
        div #failure data-live {
            @if let Some(failed) = newest.and_then(|newest| newest.failure.as_ref()) {
                @if preview.current.is_some() { p { "The newest deployment failed; the one before it goes on serving." } }
                (failure(failed))
            }
        }
        h2 { "Deployments" }
        ol.deployments #deployments data-live {
            @for deployment in &deployments { (row(&preview, deployment, token)) }
        }
        div #plan data-live {
            @if let Some(plan) = newest.and_then(|newest| newest.plan.as_ref()) { (plan_section(plan)) }
        }
    };
    let title = format!("{} · {}", preview.project, preview.namespace);
    let events = Some(format!(
        "/api/v1/events?project={}&namespace={}",
        preview.project, preview.namespace
    ));
    Ok(Page {
        title: &title,
        events,
        form_token: Some(token),
        content,
    }
    .into_response())
}

fn head(preview: &view::Preview, serving: Option<&view::Deployment>, token: &str) -> Markup {
    html! {
        p.crumbs {
            a href="/" { "Previews" } " / "
            a href={ "/projects/" (preview.project) } { (preview.project) } " · " (preview.namespace)
        }
        div.head {
            div {
                h1 { (preview.project) " " span.namespace { (preview.namespace) } }
                p { a.url href=(preview.url) { (words::bare(&preview.url)) } }
            }
            (pill(words::preview(preview)))
        }
        p.facts {
            span { (preview.environment) }
            span { "created " (time(preview.created_at_ms)) }
            span { "expires " @if let Some(at) = preview.expires_at_ms { (time(at)) } @else { "never" } }
        }
        div.actions {
            @if preview.current.is_some() { a.button.primary href=(preview.url) { "Open" } }
            @if let Some(serving) = serving.filter(|serving| !serving.state.is_unfinished()) {
                (button("Redeploy", &format!("/deployments/{}/redeploy", serving.id), "", &[("form", token)]))
            }
            a.button.danger href={ "/previews/" (preview.id) "/delete" } { "Delete…" }
        }
    }
}

fn row(preview: &view::Preview, deployment: &view::Deployment, token: &str) -> Markup {
    let back = format!("/previews/{}/rollback", preview.id);
    let can_go_back = deployment.state == DeploymentState::Ready && !deployment.current;
    html! {
        li.current[deployment.current] {
            div.line {
                (pill(words::deployment(deployment)))
                a href={ "/deployments/" (deployment.id) } { code { (deployment.id) } }
                @if deployment.current { span.mark { "current" } }
                span.age { (time(deployment.created_at_ms)) }
                @if can_go_back {
                    (button("Roll back to this", &back, "quiet", &[("form", token), ("to", deployment.id.as_str())]))
                }
                @if deployment.state.is_unfinished() {
                    (button("Cancel", &format!("/deployments/{}/cancel", deployment.id), "quiet", &[("form", token)]))
                }
            }
            (phases(deployment))
            @if let Some(earlier) = &deployment.reused_build_of {
                p.note { "Uses the build of " a href={ "/deployments/" (earlier) } { code { (earlier) } } }
            }
        }
    }
}

/// The plan, each field with its reason.
pub(super) fn plan_section(plan: &Plan) -> Markup {
    let fields = fields(plan);
    let unsaid: Vec<_> = plan
        .reasons
        .iter()
        .filter(|(name, _)| !fields.iter().any(|(field, _)| field == name))
        .collect();
    html! {
        h2 { "Plan" }
        dl.plan {
            @for (name, value) in &fields {
                dt { (name) }
                dd { code { (value) } @if let Some(reason) = plan.reasons.get(*name) { span.reason { (said(reason)) } } }
            }
            @for (name, reason) in unsaid { dt { (name) } dd { span.reason { (said(reason)) } } }
        }
    }
}

fn fields(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut fields = vec![("framework", plan.framework.clone())];
    if !plan.root.is_empty() {
        fields.push(("root", plan.root.clone()));
    }
    if !plan.toolchains.is_empty() {
        let names = plan
            .toolchains
            .iter()
            .map(|toolchain| format!("{} {}", toolchain.name, toolchain.version));
        fields.push(("toolchains", names.collect::<Vec<_>>().join(", ")));
    }
    fields.extend(
        plan.install
            .as_ref()
            .map(|step| ("install", step.command.clone())),
    );
    fields.extend(plan.build.as_ref().map(|step| ("build", step.command.clone())));
    for service in &plan.services {
        match &service.serve {
            Serve::Static { output, spa } => {
                fields.push((
                    "output",
                    if output.is_empty() {
                        ".".to_owned()
                    } else {
                        output.clone()
                    },
                ));
                fields.push(("spa", if *spa { "yes" } else { "no" }.to_owned()));
            }
            Serve::Server {
                command,
                port,
                health,
                instances,
            } => {
                fields.push(("start", command.clone()));
                if *instances > 1 {
                    fields.push(("instances", instances.to_string()));
                }
                fields.extend(port.map(|port| ("port", port.to_string())));
                let path = health.path.as_deref().unwrap_or("/");
                fields.push(("health", format!("{path} within {} s", health.timeout_seconds)));
            }
        }
    }
    fields
}
