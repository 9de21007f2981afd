//! One deployment: how far it is, and its logs as they are written.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use control::view;
use maud::{Markup, html};
use model::deployment::State as DeploymentState;
use model::{DeploymentId, ServiceName};
use serde::Deserialize;

use super::layout::Page;
use super::parts::{button, failure, phases, pill, time};
use super::preview::plan_section;
use super::visitor::Visitor;
use super::words;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::service::Web;

/// What the address asks for.
#[derive(Deserialize)]
pub(super) struct Shown {
    /// The number of the instance whose log is shown.
    #[serde(default = "first")]
    instance: u32,
}

fn first() -> u32 {
    1
}

pub(super) async fn page(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<DeploymentId>,
    Query(shown): Query<Shown>,
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
        (log(&deployment, &format!("kind=runtime&instance={}", shown.instance), "Runtime log"))
        div #instances data-live { (choice(&deployment, shown.instance)) }
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

/// Whose log is on the page; of one alone, because a browser keeps few streams open at a time.
fn choice(deployment: &view::Deployment, shown: u32) -> Markup {
    let planned = deployment.plan.as_ref();
    let instances = planned.map_or(1, |plan| plan.instances(&ServiceName::web()));
    html! {
        @if instances > 1 {
            p.facts {
                span { "Runtime log of" }
                @for number in 1..=instances {
                    @if number == shown { span.mark { (ServiceName::web()) "-" (number) } }
                    @else { a href={ "?instance=" (number) } { (ServiceName::web()) "-" (number) } }
                }
            }
        }
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
