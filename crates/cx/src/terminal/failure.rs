//! A failed deployment, in words.

use model::Failure;
use model::failure::Blame;

use super::{Paint, hint, plain};

/// What happened, where, the last lines of the log, and what to do next.
pub(crate) fn failure_lines(failure: &Failure, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("{} {}", paint.red("error:"), plain(&failure.message))];
    for location in &failure.locations {
        let place = location.to_string();
        // Messages about cx.toml begin with the place, as compilers' do.
        if failure.message.starts_with(&place) {
            continue;
        }
        let said = location.message.as_deref().map(plain).unwrap_or_default();
        let line = format!("  {} {} {said}", paint.cyan("-->"), plain(&place));
        lines.push(line.trim_end().to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::failure::{Code, Location};

    #[test]
    fn a_failure_says_where_and_what_next() {
        let failure = Failure::new(Code::BuildFailed, "`npm run build` ended with exit code 1")
            .locations(vec![
                Location {
                    message: Some("TS2304: Cannot find name".into()),
                    ..Location::at("src/App.tsx", 12, 5)
                },
                Location::at("src/b.ts", 1, 2),
            ])
            .hint("run it on your machine")
            .excerpt(vec!["src/App.tsx(12,5): error TS2304".into()]);
        let lines = failure_lines(&failure, Paint::default());
        assert_eq!(
            lines,
            [
                "error: `npm run build` ended with exit code 1",
                "  --> src/App.tsx:12:5 TS2304: Cannot find name",
                "  --> src/b.ts:1:2",
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
