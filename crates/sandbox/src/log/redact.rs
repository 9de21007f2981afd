//! Replaces secret values in output.
//!
//! Guards against a secret that is printed whole, split over two writes, or over several lines. Does not find one
//! that the program encodes first (base64, reversed, one character per line).

/// Values shorter than this many bytes are left alone: they would match everywhere and reveal themselves so.
pub const REDACT_BYTES_MIN: usize = 4;

const MASK: &[u8] = b"[redacted]";

/// The values to look for, longest first so that a value that contains another is replaced whole.
#[derive(Clone, Default)]
pub struct Redactor {
    values: Vec<Vec<u8>>,
}

impl Redactor {
    /// A value of several lines is looked for line by line, since output arrives so.
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Redactor {
        let mut values: Vec<Vec<u8>> = secrets
            .iter()
            .flat_map(|secret| secret.as_ref().lines().map(str::trim))
            .filter(|piece| piece.len() >= REDACT_BYTES_MIN)
            .map(|piece| piece.as_bytes().to_vec())
            .collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Redactor { values }
    }

    /// Replaces every value in `text` with `[redacted]`.
    pub fn redact(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(&first) = rest.first() {
            match self.values.iter().find(|value| rest.starts_with(value)) {
                Some(value) => {
                    out.extend_from_slice(MASK);
                    rest = &rest[value.len()..];
                }
                None => {
                    out.push(first);
                    rest = &rest[1..];
                }
            }
        }
        out
    }

    /// How many bytes at the end of `text` may be the beginning of a value that has not fully arrived.
    pub(super) fn pending_bytes(&self, text: &[u8]) -> usize {
        let longest = self
            .values
            .first()
            .map_or(0, |value| value.len().saturating_sub(1));
        (1..=longest.min(text.len()))
            .rev()
            .find(|&count| {
                let tail = &text[text.len() - count..];
                self.values
                    .iter()
                    .any(|value| value.len() > count && value.starts_with(tail))
            })
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_longest_first() {
        let redactor = Redactor::new(&["secret", "secret-long", "abc"]);
        assert_eq!(
            redactor.redact(b"a secret-long and secret, abc"),
            b"a [redacted] and [redacted], abc"
        );
    }

    #[test]
    fn a_value_of_several_lines_is_found_line_by_line() {
        let redactor = Redactor::new(&["first line\n  second line\n}"]);
        assert_eq!(redactor.redact(b"x second line }"), b"x [redacted] }");
    }

    #[test]
    fn the_beginning_of_a_value_is_held_back() {
        let redactor = Redactor::new(&["password", "wordle"]);
        assert_eq!(redactor.pending_bytes(b"my passw"), 5);
        assert_eq!(
            redactor.pending_bytes(b"my password"),
            4,
            "'word' may become 'wordle'"
        );
        assert_eq!(redactor.pending_bytes(b"nothing"), 0);
    }
}
