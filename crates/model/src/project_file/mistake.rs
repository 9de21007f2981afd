//! What is wrong with the file, where, and in words for people: serde's own speak of types.

use super::FILE_NAME;
use crate::name::nearest;

/// What is wrong with the file and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{FILE_NAME}:{line}:{column}: {message}")]
pub struct ProjectFileError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong and, for a misspelt key, the nearest right one.
    pub message: String,
}

/// The mistake that serde found in `text`.
pub(super) fn locate(text: &str, error: &toml::de::Error) -> ProjectFileError {
    let offset = error.span().map_or(0, |span| span.start);
    let mut message = error.message().trim().replace('\n', "; ");
    if message == "duplicate key" {
        let name = error.span().and_then(|span| text.get(span)).unwrap_or("");
        message = format!("`{name}` is given twice");
    }
    if let Some(nearest) = nearest_key(&message) {
        message = format!(
            "{}; did you mean `{nearest}`?",
            message.split(", expected").next().unwrap_or(&message)
        );
    }
    at(text, offset, in_words(&message))
}

/// Types of Rust are no words for people.
fn in_words(message: &str) -> String {
    let words = [
        (
            "expected u16",
            "expected a whole number from 0 to 65535, such as 3000",
        ),
        ("expected u32", "expected a whole number, such as 3"),
        ("expected f64", "expected a number, such as 0.5"),
    ];
    let message = words.iter().fold(message.to_owned(), |message, (rust, plain)| {
        message.replace(rust, plain)
    });
    match message.split_once("expected struct ") {
        Some((before, name)) => format!("{before}expected a table, such as `[{}]`", name.to_lowercase()),
        None => message.replace("a map", "a table"),
    }
}

/// serde says: unknown field `outptu`, expected one of `install`, `command`, `output`.
fn nearest_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let mut quoted = rest.split('`').step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(str::to_owned)
}

/// Where `key` is given a value.
pub(super) fn find_key(text: &str, key: &str) -> Option<usize> {
    text.match_indices(key).map(|(index, _)| index).find(|index| {
        let before = text[..*index].rsplit('\n').next().unwrap_or("");
        let after = text[index + key.len()..].trim_start();
        before
            .chars()
            .all(|c| c.is_whitespace() || c == '[' || c == '.' || c.is_alphanumeric())
            && (after.starts_with('=') || after.starts_with(']') || after.starts_with('.'))
    })
}

/// `message` about what stands at `offset`, in bytes.
pub(super) fn at(text: &str, offset: usize, message: String) -> ProjectFileError {
    let before = &text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
    ProjectFileError {
        line,
        column,
        message,
    }
}
