//! Looking into configuration written in JavaScript without running it: simple textual looks.
//!
//! Guards against running foreign code to learn where it writes. A look that finds nothing is no error: the framework's
//! default stands, and cx.toml can say otherwise. It does *not* understand expressions.

/// The text given to `key` as a literal: `outDir: 'x'`, `"outDir": "x"`. Comments are skipped.
pub(super) fn literal<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    values(text, key).find_map(|value| {
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
        let rest = &value[1..];
        let inner = &rest[..rest.find(quote)?];
        (!inner.contains("${") && !inner.contains('\n')).then_some(inner)
    })
}

/// Whether `key` is given the word `value`, such as `ssr: false`.
pub(super) fn is(text: &str, key: &str, value: &str) -> bool {
    values(text, key).any(|found| {
        found
            .strip_prefix(value)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// The value behind a flag of a command line: `--outDir x`, `--outDir=x`.
pub(super) fn flag<'t>(command: &'t str, flags: &[&str]) -> Option<&'t str> {
    let mut words = command.split_whitespace();
    while let Some(word) = words.next() {
        let value = if flags.contains(&word) {
            words.next()
        } else {
            word.split_once('=')
                .filter(|(flag, _)| flags.contains(flag))
                .map(|(_, value)| value)
        };
        if let Some(value) = value.filter(|value| !value.starts_with('-')) {
            return Some(value.trim_matches(['"', '\'']));
        }
    }
    None
}

/// What stands behind `key:` wherever it stands on a line that is no comment.
fn values<'t>(text: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
    text.match_indices(key).filter_map(move |(start, _)| {
        let line = text[..start].rsplit('\n').next().unwrap_or("");
        let commented =
            line.trim_start().starts_with("//") || line.contains(" //") || line.trim_start().starts_with('*');
        let part_of_word = line.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.'));
        if commented || part_of_word {
            return None;
        }
        let rest = text[start + key.len()..]
            .trim_start_matches(['"', '\''])
            .trim_start();
        Some(rest.strip_prefix(':')?.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_and_comments_are_not() {
        let text =
            "// outDir: 'no'\nexport default { build: { outDir: 'www', xoutDir: 'no' },\n \"dir\" : `a` }";
        assert_eq!(literal(text, "outDir"), Some("www"));
        assert_eq!(literal(text, "dir"), Some("a"));
        assert_eq!(literal(text, "other"), None);
        assert_eq!(literal("outDir: path.resolve('x')", "outDir"), None);
        assert_eq!(literal("outDir: `${x}/y`", "outDir"), None);
    }

    #[test]
    fn words_are_compared_whole() {
        assert!(is("ssr: false,", "ssr", "false"));
        assert!(is("output:'export'", "output", "'export'"));
        assert!(!is("ssr: falsey", "ssr", "false"));
    }

    #[test]
    fn flags_have_values() {
        assert_eq!(
            flag("tsc && vite build --outDir ../out", &["--outDir"]),
            Some("../out")
        );
        assert_eq!(flag("parcel build --dist-dir='x'", &["--dist-dir"]), Some("x"));
        assert_eq!(flag("vite build --outDir", &["--outDir"]), None);
    }
}
