//! One line of a log: its form on disk and back.
//!
//! Guards against log injection: no byte of a program's output can end a line or move a terminal's cursor.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// One line, as read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    pub level: Level,
    /// Without its end; control characters are escaped (`\r`, `\u{1b}`), tabs are kept.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The program's standard output.
    Out,
    /// The program's standard error.
    Err,
    /// Said by the platform.
    Info,
    Warn,
    Error,
}

impl Level {
    fn letter(self) -> char {
        match self {
            Level::Out => 'o',
            Level::Err => 'e',
            Level::Info => 'i',
            Level::Warn => 'w',
            Level::Error => 'x',
        }
    }

    fn from_letter(letter: &str) -> Option<Level> {
        [Level::Out, Level::Err, Level::Info, Level::Warn, Level::Error]
            .into_iter()
            .find(|level| letter.len() == 1 && letter.starts_with(level.letter()))
    }
}

/// Reads one line of a segment, without its `\n`; none when it is not one.
pub fn parse(line: &str) -> Option<Line> {
    let mut parts = line.splitn(3, ' ');
    let at_ms = parts.next()?.parse().ok()?;
    let level = Level::from_letter(parts.next()?)?;
    Some(Line {
        at_ms,
        level,
        text: parts.next()?.to_owned(),
    })
}

/// The form on disk, `\n` included. Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn render(at_ms: u64, level: Level, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut line = String::with_capacity(text.len() + 20);
    // Writing to a String cannot fail.
    let _ = write!(line, "{at_ms} {} ", level.letter());
    for character in text.chars() {
        match character {
            '\t' => line.push('\t'),
            '\r' => line.push_str("\\r"),
            '\n' => line.push_str("\\n"),
            other if is_control(other) => {
                let _ = write!(line, "\\u{{{:x}}}", u32::from(other));
            }
            other => line.push(other),
        }
    }
    line.push('\n');
    line
}

/// Control characters, and the separators and direction marks that make a line read as another one.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_way_to_disk_and_back() {
        let text = render(1_700_000_000_000, Level::Err, "héllo\tworld".as_bytes());
        assert_eq!(text, "1700000000000 e héllo\tworld\n");
        let line = parse(text.trim_end_matches('\n')).unwrap();
        let expected = Line {
            at_ms: 1_700_000_000_000,
            level: Level::Err,
            text: "héllo\tworld".to_owned(),
        };
        assert_eq!(line, expected);
    }

    #[test]
    fn output_cannot_forge_a_line_or_drive_a_terminal() {
        let text = render(1, Level::Out, b"a\r\n2 x forged\x1b[2J\x00");
        assert_eq!(text, "1 o a\\r\\n2 x forged\\u{1b}[2J\\u{0}\n");
        assert!(render(1, Level::Out, "\u{202e}".as_bytes()).contains("\\u{202e}"));
    }

    #[test]
    fn an_empty_text_and_foreign_lines() {
        assert_eq!(parse("5 w ").map(|line| line.text), Some(String::new()));
        for foreign in ["", "x", "1 q text", "a o text", "1"] {
            assert_eq!(parse(foreign), None, "{foreign:?}");
        }
    }
}
