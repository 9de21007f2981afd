//! The page for people: one card, no outside resources, light and dark, fit for a phone.

use std::fmt::Write as _;

use model::Failure;

use super::trouble::{Trouble, Words};

const STYLE: &str = include_str!("style.css");
/// Seconds after which the page of something that passes looks again.
const REFRESH_SECONDS: u32 = 1;

pub(super) fn render(trouble: &Trouble, words: &Words) -> String {
    let waits = matches!(trouble, Trouble::Queued | Trouble::Building | Trouble::Starting);
    let refresh = match waits {
        true => format!("<meta http-equiv=\"refresh\" content=\"{REFRESH_SECONDS}\">"),
        false => String::new(),
    };
    let mood = match trouble {
        _ if waits => "waits",
        Trouble::Failed(_) => "failed",
        _ if words.status.is_server_error() => "failed",
        _ => "quiet",
    };
    let before = if waits { steps(words.code) } else { String::new() };
    // Hints of failures speak of the log below.
    let after = match trouble {
        Trouble::Failed(failure) => failure_part(failure),
        _ => String::new(),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{refresh}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><main class=\"{mood}\"><p class=\"mark\"><span class=\"dot\"></span>{status} · {code}</p>\
         <h1>{title}</h1><p class=\"detail\">{detail}</p>{before}<p class=\"hint\">{hint}</p>{after}\
         </main><footer>Cygni</footer></body></html>\n",
        status = words.status.as_u16(),
        code = words.code,
        title = words.title,
        detail = marked(&words.detail),
        hint = marked(&words.hint),
    )
}

/// The way to a first deployment, with the step that it is at.
fn steps(code: &str) -> String {
    let mut list = "<ol class=\"steps\">".to_owned();
    let mut class = "done";
    for (step, name) in [
        ("queued", "Queue"),
        ("building", "Build"),
        ("starting", "Start"),
        ("ready", "Ready"),
    ] {
        if step == code {
            class = "now";
        }
        let _ = write!(list, "<li class=\"{class}\">{name}</li>");
        if class == "now" {
            class = "later";
        }
    }
    list + "</ol>"
}

fn failure_part(failure: &Failure) -> String {
    let mut part = String::new();
    for location in &failure.locations {
        let (place, said) = (location.to_string(), location.message.as_deref().unwrap_or(""));
        let _ = write!(
            part,
            "<p class=\"place\"><code>{}</code> {}</p>",
            escape(&place),
            escape(said)
        );
    }
    if !failure.log_excerpt.is_empty() {
        let _ = write!(part, "<pre>{}</pre>", escape(&failure.log_excerpt.join("\n")));
    }
    part
}

/// Text with `code` between backticks.
fn marked(text: &str) -> String {
    let mut html = String::new();
    let mut parts = text.split('`').peekable();
    let mut inside = false;
    while let Some(part) = parts.next() {
        // A last backtick without a partner opens nothing.
        match inside && parts.peek().is_some() {
            true => drop(write!(html, "<code>{}</code>", escape(part))),
            false => html.push_str(&escape(part)),
        }
        inside = !inside;
    }
    html
}

fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use model::failure::{Code, Location};

    use super::*;

    fn page(trouble: &Trouble) -> String {
        render(trouble, &trouble.words())
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "<script>alert(1)</script>";
        let failure = Failure::new(Code::BuildFailed, evil)
            .hint(format!("run `{evil}`"))
            .location(Location {
                file: evil.to_owned(),
                message: Some(evil.to_owned()),
                ..Location::default()
            })
            .excerpt(vec![evil.to_owned()]);
        for trouble in [
            Trouble::Failed(Box::new(failure)),
            Trouble::UnknownHost {
                host: evil.to_owned(),
                home: evil.to_owned(),
            },
            Trouble::FileNotFound {
                path: evil.to_owned(),
            },
        ] {
            let html = page(&trouble);
            assert!(
                !html.contains("<script") && html.contains("&lt;script&gt;"),
                "{html}"
            );
        }
    }

    #[test]
    fn only_what_passes_is_looked_at_again() {
        assert!(page(&Trouble::Building).contains("http-equiv=\"refresh\""));
        assert!(!page(&Trouble::Gone).contains("http-equiv=\"refresh\""));
    }

    #[test]
    fn steps_show_where_it_is() {
        let list = steps("building");
        assert!(list.contains(
            "<li class=\"done\">Queue</li><li class=\"now\">Build</li><li class=\"later\">Start</li>"
        ));
    }

    #[test]
    fn code_in_words_is_marked() {
        assert_eq!(marked("run `cx list` now"), "run <code>cx list</code> now");
        assert_eq!(marked("a ` alone"), "a  alone");
    }
}
