//! Commands in comments: `/cx WORD` as the first line of a new comment, the same at every forge.
//!
//! Only the first line is read, so that quoting somebody's command does not give it again; who may give it is not known
//! here.

use crate::change::Command;

/// What begins a command.
const PREFIX: &str = "/cx";
/// Least and most digits that name a commit in a command.
const COMMIT_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;
/// Most characters kept of a command that is not one.
const UNKNOWN_CHARS_MAX: usize = 100;

/// The command that a comment gives; `None` where it gives none.
pub fn parse(body: &str) -> Option<Command> {
    let line = body.lines().next()?.trim();
    let rest = line.strip_prefix(PREFIX)?;
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let command = match words.as_slice() {
        ["redeploy"] => Command::Redeploy,
        ["delete"] => Command::Delete,
        ["logs"] => Command::Logs,
        ["sleep"] => Command::Sleep,
        [] | ["help"] => Command::Help,
        ["approve", commit] if is_commit(commit) => Command::Approve {
            commit: commit.to_ascii_lowercase(),
        },
        _ => Command::Unknown {
            text: rest.trim().chars().take(UNKNOWN_CHARS_MAX).collect(),
        },
    };
    Some(command)
}

fn is_commit(text: &str) -> bool {
    COMMIT_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_alone_on_the_first_line() {
        let approve = |commit: &str| Command::Approve {
            commit: commit.to_owned(),
        };
        let unknown = |text: &str| Command::Unknown {
            text: text.to_owned(),
        };
        let table = [
            ("/cx redeploy", Some(Command::Redeploy)),
            ("  /cx   delete \r\nsince it is old", Some(Command::Delete)),
            ("/cx logs\n/cx delete", Some(Command::Logs)),
            ("/cx sleep", Some(Command::Sleep)),
            ("/cx", Some(Command::Help)),
            ("/cx help", Some(Command::Help)),
            ("/cx approve 0123ABC", Some(approve("0123abc"))),
            ("/cx approve", Some(unknown("approve"))),
            ("/cx approve 01234", Some(unknown("approve 01234"))),
            ("/cx approve main", Some(unknown("approve main"))),
            ("/cx redeploy now", Some(unknown("redeploy now"))),
            ("/cx Redeploy", Some(unknown("Redeploy"))),
            ("/cxredeploy", None),
            ("> /cx delete", None),
            ("please\n/cx delete", None),
            ("\n/cx delete", None),
            ("", None),
        ];
        for (body, expected) in table {
            assert_eq!(parse(body), expected, "{body:?}");
        }
        assert!(matches!(parse(&format!("/cx {}", "ä".repeat(10_000))),
            Some(Command::Unknown { text }) if text.chars().count() == UNKNOWN_CHARS_MAX));
    }
}
