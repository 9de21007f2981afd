//! The tables, read once: each pattern is compiled when the first failure is explained.

use std::sync::OnceLock;

use model::failure::Code;
use regex::{Captures, Regex};
use serde::{Deserialize, Deserializer, de};

/// Bytes of one line that are looked at; compilers print whole bundles in one.
const LINE_BYTES_MAX: usize = 2_000;

/// How sure it is that a place is where the mistake is. The surest that is found counts, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rank {
    /// The tool says that the error is here.
    Error,
    /// The line names a place.
    Mention,
    /// A call on the way to the error.
    Frame,
}

/// One form in which a tool names a place. Groups: `file`, `line`, `column`, `message`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) rank: Rank,
    #[serde(deserialize_with = "regex")]
    pub(super) pattern: Regex,
    /// A line further up that names the file of all that follow.
    #[serde(default, deserialize_with = "some_regex")]
    pub(super) header: Option<Regex>,
    /// The nearest line above that says what is wrong. Matching without a message means that it is no error.
    #[serde(default, deserialize_with = "some_regex")]
    pub(super) before: Option<Regex>,
    /// The nearest line below that says what is wrong.
    #[serde(default, deserialize_with = "some_regex")]
    pub(super) after: Option<Regex>,
    /// Whether a place without a message is none.
    #[serde(default)]
    pub(super) needs_message: bool,
    /// Whether the last place is the one, as in a traceback that ends with the innermost call.
    #[serde(default)]
    pub(super) last: bool,
}

/// One known reason: what to say and what to do, with `{group}` for what the pattern found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cause {
    #[serde(deserialize_with = "regex")]
    pub(super) pattern: Regex,
    pub(super) message: String,
    pub(super) hint: String,
    /// When another code than that of the step says it better.
    pub(super) code: Option<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    place: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Causes {
    cause: Vec<Cause>,
}

pub(super) fn places() -> &'static [Place] {
    static TABLE: OnceLock<Places> = OnceLock::new();
    let read = || toml::from_str(include_str!("locations.toml")).expect("a test reads the table");
    &TABLE.get_or_init(read).place
}

pub(super) fn causes() -> &'static [Cause] {
    static TABLE: OnceLock<Causes> = OnceLock::new();
    let read = || toml::from_str(include_str!("causes.toml")).expect("a test reads the table");
    &TABLE.get_or_init(read).cause
}

/// What the group `name` found.
pub(super) fn group<'a>(found: &Captures<'a>, name: &str) -> Option<&'a str> {
    found.name(name).map(|group| group.as_str().trim())
}

/// The beginning of a line, without the colours that a tool prints in spite of `NO_COLOR`.
pub(super) fn without_colour(line: &str) -> String {
    static COLOUR: OnceLock<Regex> = OnceLock::new();
    let colour =
        COLOUR.get_or_init(|| Regex::new(r"\x1b\[[0-9;]*[A-Za-z]").expect("a constant that a test uses"));
    let most = LINE_BYTES_MAX.min(line.len());
    let end = (0..=most)
        .rev()
        .find(|&at| line.is_char_boundary(at))
        .unwrap_or(0);
    colour.replace_all(line[..end].trim_end(), "").into_owned()
}

fn regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(deserializer)?;
    Regex::new(&text).map_err(de::Error::custom)
}

fn some_regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    regex(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_and_name_what_is_needed() {
        for place in places() {
            let names: Vec<_> = place.pattern.capture_names().flatten().collect();
            let header = place.header.is_some();
            assert!(names.contains(&"file") || header, "{}", place.pattern);
        }
        for cause in causes() {
            for text in [&cause.message, &cause.hint] {
                for name in text.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                    let known = cause.pattern.capture_names().flatten().any(|group| group == name);
                    assert!(known, "`{name}` in `{text}`");
                }
            }
            assert!(
                cause.hint.ends_with('.') && !cause.message.ends_with('.'),
                "{}",
                cause.message
            );
        }
    }

    #[test]
    fn colours_go_and_long_lines_are_cut() {
        assert_eq!(without_colour("\u{1b}[31mred\u{1b}[0m"), "red");
        assert!(without_colour(&"ä".repeat(5_000)).len() <= LINE_BYTES_MAX);
    }
}
