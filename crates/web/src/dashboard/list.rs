//! All previews, newest first.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use control::view;
use maud::{Markup, html};

use super::layout::Page;
use super::parts::{pill, time};
use super::visitor::Visitor;
use super::words;
use crate::problem::Problem;
use crate::service::Web;

pub(super) async fn page(State(web): State<Web>, visitor: Visitor) -> Result<Response, Problem> {
    let mut previews = web.control.previews().await?;
    previews.sort_by_key(|preview| std::cmp::Reverse(newest_ms(preview)));
    let content = html! {
        div.head { h1 { "Previews" } }
        div #previews data-live {
            @if previews.is_empty() { (nothing_yet()) } @else {
                ul.previews { @for preview in &previews { (row(preview)) } }
            }
        }
    };
    let events = Some("/api/v1/events".to_owned());
    Ok(Page {
        title: "Previews",
        events,
        form_token: Some(&visitor.form_token),
        content,
    }
    .into_response())
}

pub(super) fn row(preview: &view::Preview) -> Markup {
    html! {
        li {
            a.whole href={ "/previews/" (preview.id) } {
                span.name { b { (preview.project) } span.namespace { (preview.namespace) } }
            }
            a.url href=(preview.url) { (words::bare(&preview.url)) }
            span.now { (now(preview)) }
            (pill(words::preview(preview)))
            span.age { (time(newest_ms(preview))) }
        }
    }
}

/// What its newest deployment is doing, while it is doing something.
fn now(preview: &view::Preview) -> Markup {
    let phase = preview.newest.as_ref().and_then(words::running);
    html! { @if let Some(phase) = phase { (phase.name) "…" } }
}

fn nothing_yet() -> Markup {
    html! {
        section.empty {
            h2 { "Nothing is deployed yet" }
            p { "Go to a directory with a site or an app, and run:" }
            pre { "cx deploy" }
            p.note { "It appears here at once, with its own address. " code { "cx plan" } " shows beforehand how it would be built." }
        }
    }
}

fn newest_ms(preview: &view::Preview) -> i64 {
    preview
        .newest
        .as_ref()
        .map_or(preview.created_at_ms, |newest| newest.created_at_ms)
}
