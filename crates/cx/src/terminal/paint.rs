//! Colours, where they are wanted, and text that cannot play tricks on the terminal.

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Paint {
    on: bool,
}

macro_rules! colours {
    ($($name:ident $code:literal)*) => {
        $(pub(crate) fn $name(self, text: impl std::fmt::Display) -> String {
            if self.on { format!(concat!("\x1b[", $code, "m{}\x1b[0m"), text) } else { text.to_string() }
        })*
    };
}

impl Paint {
    pub(crate) fn new(on: bool) -> Self {
        Self { on }
    }

    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    colours! { bold "1" dim "2" link "1;4;36" red "1;31" green "32" yellow "33" cyan "36" }
}

/// `text` with control characters made visible: what an application logs must not move the cursor, clear the screen or
/// rename the window.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            // These reorder or hide what stands beside them (Unicode TR 36, section 2.2.4).
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// A hint in the voice of the command line: the API's are whole sentences, for pages.
pub(crate) fn hint(text: &str) -> String {
    let text = plain(text);
    let text = match text.strip_suffix('.') {
        Some(sentence) if !sentence.contains(". ") => sentence,
        _ => &text,
    };
    let mut rest = text.chars();
    match (rest.next(), rest.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_wanted() {
        assert_eq!(Paint::new(false).green("ok"), "ok");
        assert_eq!(Paint::new(true).green("ok"), "\x1b[32mok\x1b[0m");
    }

    #[test]
    fn hints_have_one_voice() {
        assert_eq!(hint("Run it on your machine."), "run it on your machine");
        assert_eq!(
            hint("PORT is given. Listen there."),
            "PORT is given. Listen there."
        );
        assert_eq!(hint("`cx list` shows it"), "`cx list` shows it");
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(plain("a\x1b[2Jb\tc\u{202e}"), "a\\u{1b}[2Jb\tc\\u{202e}");
    }
}
