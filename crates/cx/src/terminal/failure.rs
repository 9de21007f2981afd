//! A failed deployment, in words.

use model::Failure;
use model::failure::{Blame, Location};

use super::{Paint, hint, plain};

/// What happened, where, the last lines of the log, and what to do next.
pub(crate) fn failure_lines(failure: &Failure, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("{} {}", paint.red("error:"), plain(&failure.message))];
    // Messages about cx.toml begin with the place, as compilers' do.
    let place = failure.location.as_ref().map(place);
    if let Some(place) = place.filter(|place| !failure.message.starts_with(place.as_str())) {
        lines.push(format!("  {} {}", paint.cyan("-->"), plain(&place)));
    }
    let excerpt: Vec<&String> = failure
        .log_excerpt
        .iter()
        .skip_while(|line| line.trim().is_empty())
        .collect();
    if !excerpt.is_empty() {
        lines.push(format!("  {}", paint.dim("│")));
        let line = |line: &&String| {
            format!("  {} {}", paint.dim("│"), plain(line))
                .trim_end()
                .to_owned()
        };
        lines.extend(excerpt.iter().map(line));
        lines.push(format!("  {}", paint.dim("│")));
    }
    lines.push(format!("{} {}", paint.cyan("hint:"), hint(&failure.hint)));
    if failure.blame == Blame::Platform {
        lines.push(format!(
            "{} this is a failure of the platform, not of the project ({})",
            paint.dim("note:"),
            failure.code.as_str()
        ));
    }
    lines
}

fn place(location: &Location) -> String {
    let mut text = location.file.clone();
    for number in [location.line, location.column]
        .into_iter()
        .map_while(|number| number)
    {
        text.push_str(&format!(":{number}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::failure::Code;

    #[test]
    fn a_failure_says_where_and_what_next() {
        let failure = Failure::new(Code::BuildFailed, "`npm run build` ended with exit code 1")
            .location(Location {
                file: "src/App.tsx".into(),
                line: Some(12),
                column: Some(5),
            })
            .hint("run it on your machine")
            .excerpt(vec!["src/App.tsx(12,5): error TS2304".into()]);
        let lines = failure_lines(&failure, Paint::default());
        assert_eq!(
            lines,
            [
                "error: `npm run build` ended with exit code 1",
                "  --> src/App.tsx:12:5",
                "  │",
                "  │ src/App.tsx(12,5): error TS2304",
                "  │",
                "hint: run it on your machine",
            ]
        );
    }

    #[test]
    fn the_platforms_failures_are_called_so() {
        let failure = Failure::new(Code::SandboxFailed, "no namespaces");
        let last = failure_lines(&failure, Paint::default()).pop().unwrap();
        assert!(last.contains("failure of the platform"), "{last}");
    }
}
