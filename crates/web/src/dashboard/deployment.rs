//! One deployment: how far it is, and its logs as they are written.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use control::view;
use maud::{Markup, html};
use model::deployment::State as DeploymentState;
use model::{DeploymentId, ServiceName};

use super::layout::Page;
use super::parts::{button, failure, phases, pill, time};
use super::preview::plan_section;
use super::visitor::Visitor;
use super::words;
use crate::extract::Path;
use crate::problem::Problem;
use crate::service::Web;

pub(super) async fn page(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<DeploymentId>,
) -> Result<Response, Problem> {
    let deployment = web.control.deployment(&id).await?;
    let preview = web
        .control
        .find_preview(&deployment.project, &deployment.namespace)
        .await
        .ok();
    let token = visitor.form_token.as_str();
    let content = html! {
        div #head data-live { (head(&deployment, preview.as_ref(), token)) }
        div #phases data-live { (phases(&deployment)) }
        div #failure data-live { @if let Some(failed) = &deployment.failure { (failure(failed)) } }
        (log(&deployment, "kind=build", "Build log"))
        @for number in 1..=instances(&deployment) { (runtime_log(&deployment, number)) }
        div #plan data-live { @if let Some(plan) = &deployment.plan { (plan_section(plan)) } }
    };
    let title = format!("{} {}", deployment.project, deployment.id);
    let events = Some(format!("/api/v1/events?deployment={id}"));
    Ok(Page {
        title: &title,
        events,
        form_token: Some(token),
        content,
    }
    .into_response())
}

fn head(deployment: &view::Deployment, preview: Option<&view::Preview>, token: &str) -> Markup {
    // Before and after, nothing answers at its address.
    let serves = deployment.state == DeploymentState::Ready;
    html! {
        p.crumbs {
            a href="/" { "Previews" } " / "
            @if let Some(preview) = preview {
                a href={ "/previews/" (preview.id) } { (deployment.project) " · " (deployment.namespace) }
            } @else { (deployment.project) " · " (deployment.namespace) }
        }
        div.head {
            div {
                h1 { code { (deployment.id) } }
                @if serves { p { a.url href=(deployment.url) { (words::bare(&deployment.url)) } } }
            }
            (pill(words::deployment(deployment)))
        }
        p.facts {
            span { (deployment.environment) }
            span { "begun " (time(deployment.created_at_ms)) }
            @if let Some(reason) = &deployment.waiting { span.mark { "waits: " (reason) } }
            @if deployment.current { span.mark { "current" } }
            @for instance in &deployment.instances {
                span { (instance.name()) " " (instance.state.as_str()) }
            }
        }
        div.actions {
            @if serves { a.button.primary href=(deployment.url) { "Open" } }
            @if deployment.state.is_unfinished() {
                (button("Cancel", &format!("/deployments/{}/cancel", deployment.id), "", &[("form", token)]))
            } @else {
                (button("Redeploy", &format!("/deployments/{}/redeploy", deployment.id), "", &[("form", token)]))
            }
        }
    }
}

/// How many instances the service that is shown has, or will have.
fn instances(deployment: &view::Deployment) -> u32 {
    let planned = deployment.plan.as_ref();
    planned.map_or(1, |plan| plan.instances(&ServiceName::web()).max(1))
}

fn runtime_log(deployment: &view::Deployment, number: u32) -> Markup {
    match instances(deployment) {
        1 => log(deployment, "kind=runtime", "Runtime log"),
        _ => log(
            deployment,
            &format!("kind=runtime&instance={number}"),
            &format!("Runtime log of {}-{number}", ServiceName::web()),
        ),
    }
}

/// A log that the script fills as it is written.
fn log(deployment: &view::Deployment, which: &str, title: &str) -> Markup {
    let address = format!("/api/v1/deployments/{}/logs?{which}&follow=true", deployment.id);
    html! {
        section.log {
            h2 { (title) span.log-state data-log-state {} }
            ol tabindex="0" aria-label=(title) data-log=(address) {}
            noscript { p { "Logs need the script of this page; " code { "cx logs " (deployment.id) } " shows them too." } }
        }
    }
}
