//! What a save led to, in one line: what changed, how long each phase took, and whether it is live.

use control::view;
use model::deployment::State;
use model::tree::{Entry, Tree};
use model::units::format_millis;

use super::progress::is_told;
use super::{Paint, failure_lines, plain};

/// Names that are given; of more only the number.
const NAMES_MAX: usize = 2;

/// Which files differ, in words.
pub(crate) fn changed_files(before: &Tree, after: &Tree) -> String {
    let (mut names, mut more) = (Vec::new(), 0_usize);
    let mut name = |text: String| match names.len() < NAMES_MAX {
        true => names.push(text),
        false => more += 1,
    };
    let (mut old, mut new) = (
        before.entries().iter().peekable(),
        after.entries().iter().peekable(),
    );
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(was), Some(is)) if was.path == is.path => {
                if was.node != is.node {
                    name(is.path.to_string());
                }
                old.next();
                new.next();
            }
            (Some(was), is) if is.is_none_or(|is| order(was) < order(is)) => {
                name(format!("{} (removed)", was.path));
                old.next();
            }
            (_, Some(is)) => {
                name(is.path.to_string());
                new.next();
            }
            (Some(_), None) => unreachable!("handled with what was removed"),
        }
    }
    let names = plain(&names.join(", "));
    match more {
        0 if names.is_empty() => "nothing".to_owned(),
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// Trees are sorted by path.
fn order(entry: &Entry) -> &str {
    entry.path.as_str()
}

/// What became of a change, and of what served before it.
pub(crate) struct Outcome<'a> {
    pub(crate) what: &'a str,
    pub(crate) deployment: &'a view::Deployment,
    /// From the save to the answer.
    pub(crate) millis: u64,
    /// Whether the one before had not worked.
    pub(crate) recovered: bool,
}

/// The line for a change, and what there is to say of a failure. Nothing of one that a newer change took the place of.
pub(crate) fn change_lines(outcome: &Outcome<'_>, paint: Paint) -> Vec<String> {
    let Outcome {
        what,
        deployment,
        millis,
        recovered,
    } = outcome;
    let phases = deployment
        .phases
        .iter()
        .filter(|phase| is_told(phase, deployment));
    let phases: Vec<String> = phases
        .filter_map(|phase| Some(format!("{} {}", phase.name, format_millis(phase.millis?))))
        .collect();
    let phases = paint.dim(phases.join(" · "));
    match deployment.state {
        State::Ready | State::Retired => {
            let live = paint.bold(format!("live in {}", format_millis(*millis)));
            let again = if *recovered { ", works again" } else { "" };
            vec![format!("{} {what}  {phases}  {live}{again}", paint.green("✓"))]
        }
        State::Cancelled => Vec::new(),
        State::Failed | State::Queued | State::Building | State::Deploying => {
            let mut lines = vec![
                format!("{} {what}  {phases}", paint.red("✗"))
                    .trim_end()
                    .to_owned(),
            ];
            if let Some(failure) = &deployment.failure {
                lines.extend(failure_lines(failure, paint));
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Failure, failure::Code};

    use super::*;
    use crate::fixture::{deployment, tree};

    #[test]
    fn what_changed_is_named_and_much_is_counted() {
        let before = tree(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let said = |files: &[(&str, &str)]| changed_files(&before, &tree(files));
        assert_eq!(said(&[("a", "1"), ("b", "2"), ("c", "1")]), "b");
        assert_eq!(said(&[("a", "1"), ("c", "1"), ("d", "1")]), "b (removed), d");
        assert_eq!(said(&[("a", "1"), ("aa", "1"), ("b", "1")]), "aa, c (removed)");
        assert_eq!(said(&[]), "a (removed), b (removed) and 1 more");
        assert_eq!(said(&[("a", "1"), ("b", "1"), ("c", "1")]), "nothing");
    }

    #[test]
    fn one_line_for_what_works_and_more_for_what_does_not() {
        let mut ready = deployment(State::Ready);
        ready.phases = vec![
            view::Phase {
                name: "upload".into(),
                started_at_ms: 1,
                millis: Some(3),
            },
            view::Phase {
                name: "route".into(),
                started_at_ms: 5,
                millis: Some(4),
            },
        ];
        let lines = |deployment: &view::Deployment, recovered| {
            let outcome = Outcome {
                what: "index.html",
                deployment,
                millis: 31,
                recovered,
            };
            change_lines(&outcome, Paint::default())
        };
        assert_eq!(lines(&ready, false), ["✓ index.html  route 4ms  live in 31ms"]);
        assert_eq!(
            lines(&ready, true),
            ["✓ index.html  route 4ms  live in 31ms, works again"]
        );
        assert!(lines(&deployment(State::Cancelled), false).is_empty());
        let mut failed = deployment(State::Failed);
        failed.failure = Some(Failure::new(Code::BuildFailed, "it broke"));
        let said = lines(&failed, false);
        assert_eq!(said[..2], ["✗ index.html", "error: it broke"]);
    }
}
