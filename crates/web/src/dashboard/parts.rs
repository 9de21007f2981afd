//! Parts that several pages share.

use axum::response::{IntoResponse, Response};
use control::view;
use maud::{Markup, html};
use model::Failure;
use model::failure::Blame;
use model::units::format_millis;

use super::layout::Page;
use super::words;
use crate::problem::Problem;

/// A coloured word.
pub(super) fn pill((word, class): (&str, &str)) -> Markup {
    html! { span class={ "pill " (class) } { (word) } }
}

/// Text with what stands between backticks as code; a last backtick without a partner stays.
pub(super) fn said(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let last = parts.len() - 1;
    html! {
        @for (place, part) in parts.iter().enumerate() {
            @if place % 2 == 0 { (part) } @else if place < last { code { (part) } } @else { "`" (part) }
        }
    }
}

/// A point in time, as distance; the whole is shown on demand, and the script keeps it fresh.
pub(super) fn time(at_ms: i64) -> Markup {
    let whole = words::utc(at_ms);
    html! { time datetime=(whole) title=(whole) { (words::when(at_ms, words::now_ms())) } }
}

/// A button that does something: a form of its own.
pub(super) fn button(label: &str, action: &str, class: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        form method="post" action=(action) {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=(class) { (label) }
        }
    }
}

/// The phases of a deployment: a bar in proportion to their times, and the times.
pub(super) fn phases(deployment: &view::Deployment) -> Markup {
    let now = words::now_ms();
    let end = deployment.finished_at_ms.unwrap_or(now);
    let millis = |phase: &view::Phase| {
        phase
            .millis
            .unwrap_or_else(|| u64::try_from(end - phase.started_at_ms).unwrap_or(0))
            .max(1)
    };
    let total: u64 = deployment.phases.iter().map(millis).sum();
    let mut offset = 0;
    let bars = deployment.phases.iter().map(|phase| {
        let bar = (offset, millis(phase), phase);
        offset += millis(phase);
        bar
    });
    let bars: Vec<_> = bars.collect();
    html! {
        @if !bars.is_empty() {
            // Widths are attributes of the drawing, because inline styles are not allowed to any page.
            svg.phases viewBox={ "0 0 " (total) " 10" } preserveAspectRatio="none" role="img" aria-label="Time by phase" {
                @for (x, width, phase) in &bars {
                    rect x=(x) y="0" width=(width) height="10" class={ "phase-" (phase.name) @if phase.millis.is_none() { " running" } } {
                        title { (phase.name) " " (format_millis(*width)) }
                    }
                }
            }
            ul.legend {
                @for (_, width, phase) in &bars {
                    li class={ "phase-" (phase.name) } { (phase.name) " " b { (format_millis(*width)) } }
                }
                li.total { "in all " b { (format_millis(total)) } }
            }
        }
    }
}

/// Why a deployment failed and what to do next.
pub(super) fn failure(failure: &Failure) -> Markup {
    html! {
        section.failure {
            h3 { (said(&failure.message)) }
            @for location in &failure.locations {
                p.place { code { (location) } @if let Some(said) = &location.message { " " (said) } }
            }
            p { (said(&failure.hint)) }
            @if failure.blame == Blame::Platform { p.note { "This is a failure of the platform, not of the project." } }
            @if !failure.log_excerpt.is_empty() { pre { (failure.log_excerpt.join("\n")) } }
            p.note { code { (failure.code.as_str()) } }
        }
    }
}

/// An error as a page.
pub(super) fn problem_page(problem: &Problem, request_id: &str) -> Response {
    let title = problem.status.canonical_reason().unwrap_or("Error");
    let content = html! {
        section.notice {
            p.number { (problem.status.as_u16()) }
            h1 { (title) }
            p { (said(&words::sentence(&problem.detail))) "." }
            @if !problem.hint.is_empty() { p { (said(&problem.hint)) } }
            div.actions { a.button href="/" { "To the previews" } }
            p.note { "Request " code { (request_id) } }
        }
    };
    let page = Page {
        title,
        events: None,
        form_token: None,
        content,
    };
    (problem.status, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_become_code_and_text_stays_text() {
        let table = [
            ("`a <b>` ended", "<code>a &lt;b&gt;</code> ended"),
            ("no code", "no code"),
            ("a ` alone", "a ` alone"),
            ("`a` and `b", "<code>a</code> and `b"),
        ];
        for (text, html) in table {
            assert_eq!(said(text).into_string(), html, "{text}");
        }
    }
}
