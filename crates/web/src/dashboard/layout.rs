//! The frame of every page.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// What a page is made of.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// What the script listens to; the parts of the page that carry `data-live` are fetched again when it speaks.
    pub(super) events: Option<String>,
    /// For the button that ends the session; `None` where nobody is logged in.
    pub(super) form_token: Option<&'a str>,
    pub(super) content: Markup,
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        Html(self.render().into_string()).into_response()
    }
}

impl Page<'_> {
    pub(super) fn render(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Cygni" }
                    link rel="icon" type="image/svg+xml" href="/assets/cygni.svg";
                    link rel="stylesheet" href="/assets/cygni.css";
                    script defer src="/assets/cygni.js" {}
                }
                body data-events=[self.events.as_deref()] {
                    header.top {
                        a.brand href="/" { img src="/assets/cygni.svg" alt="" width="26" height="26"; span { "Cygni" } }
                        @if let Some(token) = self.form_token {
                            span.link-state data-link-state hidden { "reconnecting…" }
                            form method="post" action="/logout" {
                                input type="hidden" name="form" value=(token);
                                button.quiet { "Log out" }
                            }
                        }
                    }
                    main { (self.content) }
                }
            }
        }
    }
}
