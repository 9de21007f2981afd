//! Text of others inside our Markdown.

/// Stands, unseen, behind a sign by which forges find somebody or something to refer to.
const APART: char = '\u{200b}';

/// `text` as plain words in a paragraph or a cell of a table.
pub(super) fn plain(text: &str) -> String {
    escaped(text, true)
}

/// Markdown's own signs are escaped. Escaping does not keep forges from reading mentions, references and bare addresses:
/// those are taken `apart`.
fn escaped(text: &str, apart: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut signs = text.chars().filter(|c| !is_unseen(*c)).peekable();
    while let Some(c) = signs.next() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '!' | '&' => {
                shown.push('\\');
                shown.push(c);
            }
            c if c.is_whitespace() => shown.push(' '),
            c => shown.push(c),
        }
        if apart && begins_reference(&shown, signs.peek().copied().unwrap_or(' ')) {
            shown.push(APART);
        }
    }
    shown
}

/// `@name`, `#12`, `!12`, `GH-12`, `https://`, `www.`.
fn begins_reference(shown: &str, next: char) -> bool {
    let mut back = shown.chars().rev();
    match back.next() {
        Some('@' | '#') => next.is_alphanumeric(),
        Some('!') => next.is_ascii_digit(),
        Some('-') => next.is_ascii_digit() && back.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some(':') => next == '/',
        Some('w' | 'W') => next == '.' && back.take(2).all(|c| c.eq_ignore_ascii_case(&'w')),
        _ => false,
    }
}

/// What controls a terminal, has no width, or makes text run the other way.
fn is_unseen(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// `text` as code within a line.
pub(super) fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| !is_unseen(*c))
        .map(|c| match c {
            '`' => '\'',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect();
    // Within a table, a bar ends the cell even where it stands in code.
    format!("`{}`", text.trim().replace('|', "\\|"))
}

/// A sentence of ours that quotes its values in backticks: those stay code, all else is plain.
pub(super) fn sentence(text: &str) -> String {
    let pieces = text.split('`');
    let closed = text.matches('`').count().is_multiple_of(2);
    if !closed {
        return plain(text);
    }
    let mut shown = String::new();
    for (index, piece) in pieces.enumerate() {
        match index % 2 {
            0 => shown.push_str(&plain(piece)),
            _ if piece.trim().is_empty() => {}
            _ => shown.push_str(&code(piece)),
        }
    }
    shown
}

/// Lines of output as a block.
pub(super) fn block(lines: &[String]) -> String {
    let longest = lines.iter().flat_map(|line| runs(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let shown: Vec<String> = lines.iter().map(|line| seen(line)).collect();
    format!("{fence}text\n{}\n{fence}", shown.join("\n"))
}

fn seen(line: &str) -> String {
    let kept = |c: &char| *c == '\t' || !(c.is_control() || is_unseen(*c));
    line.chars().filter(kept).collect()
}

/// How long each run of backticks is.
fn runs(line: &str) -> impl Iterator<Item = usize> {
    line.split(|c| c != '`').map(str::len)
}

/// A link, where `url` is one that a browser opens; its words alone otherwise.
pub(super) fn link(words: &str, url: &str) -> String {
    if !["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return plain(words);
    }
    let url: String = url
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .flat_map(|c| match c {
            '(' => "%28".chars().collect::<Vec<_>>(),
            ')' => "%29".chars().collect(),
            '<' => "%3C".chars().collect(),
            '>' => "%3E".chars().collect(),
            '|' => "%7C".chars().collect(),
            c => vec![c],
        })
        .collect();
    // Inside of a link forges look for nothing.
    format!("[{}]({url})", escaped(words, false))
}

/// The first `most` characters, and a sign that there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(most.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_stays_text() {
        assert_eq!(
            plain("a|b <b>@team</b> [x](y)\nz"),
            "a\\|b \\<b\\>@\u{200b}team\\</b\\> \\[x\\](y) z"
        );
        assert_eq!(
            plain("closes #12, GH-12, !3, a#, x-y").replace(APART, "{}"),
            "closes \\#{}12, GH-{}12, \\!{}3, a\\#, x-y"
        );
        assert_eq!(
            plain("see https://a.b/c, www.a.b\u{202e}!").replace(APART, "{}"),
            "see https:{}//a.b/c, www{}.a.b\\!"
        );
        assert_eq!(code("a`b|c\nd"), "`a'b\\|c d`");
        assert_eq!(sentence("`npm ci` said @all"), "`npm ci` said @\u{200b}all");
        assert_eq!(sentence("a ` alone"), "a \\` alone");
        assert_eq!(sentence("`` nothing"), " nothing");
    }

    #[test]
    fn output_cannot_end_its_block() {
        let lines = ["```".to_owned(), "\u{1b}[31mred\u{1b}[0m ````x".to_owned()];
        let shown = block(&lines);
        assert!(
            shown.starts_with("`````text\n```\n[31mred[0m ````x\n`````"),
            "{shown}"
        );
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(link("x", "javascript:alert(1)"), "x");
        assert_eq!(link("a]b", "http://a.b/(c) d"), "[a\\]b](http://a.b/%28c%29d)");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äbcd", 3), "äb…");
    }
}
