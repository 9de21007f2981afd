//! How a command is run: by a shell, and in its place where that is safe.
//!
//! A shell that stays takes the signals meant for the server and knows nothing to do with them. But `exec` before
//! `A=1 node x`, `cd web && npm start` or `export X` does something else than was meant, so whatever is not plainly one
//! program with arguments is left to the shell as it is.

/// Characters that join, group or substitute commands, or redirect.
const SPECIAL: &[char] = &[';', '&', '|', '(', ')', '{', '}', '<', '>', '`', '\n', '#', '!'];

/// Words at which the shell does something itself (POSIX.1-2017, XCU 2.4 and 2.14), and those of its commands without a
/// program of the same name.
const WORDS: &[&str] = &[
    ".", ":", "[[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "fg", "fi", "for", "function",
    "getopts", "hash", "if", "in", "jobs", "let", "local", "read", "readonly", "return", "select", "set",
    "shift", "source", "then", "time", "times", "trap", "type", "ulimit", "umask", "unalias", "unset",
    "until", "wait", "while",
];

/// The words to execute for `command`.
pub(super) fn arguments(command: &str) -> [String; 3] {
    let command = command.trim();
    let script = match is_simple(command) {
        true => format!("exec {command}"),
        false => command.to_owned(),
    };
    ["/bin/sh".to_owned(), "-c".to_owned(), script]
}

fn is_simple(command: &str) -> bool {
    let first = command.split_whitespace().next().unwrap_or_default();
    // A dash at its beginning would make it an option of `exec`.
    let plain = !first.is_empty() && !first.starts_with('-') && !first.contains(['=', '$', '"', '\'', '\\']);
    plain && !command.contains(SPECIAL) && !WORDS.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_program_with_arguments_takes_the_place_of_the_shell() {
        let table = [
            ("node server.js", true),
            ("  npm run start -- --port $PORT ", true),
            ("./node_modules/.bin/next start -p \"$PORT\"", true),
            ("docker-entry point", true),
            ("NODE_ENV=production node x", false),
            ("cd web && npm start", false),
            ("cd web", false),
            ("export A", false),
            ("node a & node b", false),
            ("node a; node b", false),
            ("node a | tee log", false),
            ("node a > log", false),
            ("node $(cat name)", false),
            ("$RUNNER x", false),
            ("-a b", false),
            ("if true", false),
            ("exec node x", false),
            ("node a # note", false),
            ("", false),
        ];
        for (command, simple) in table {
            assert_eq!(
                arguments(command)[2].starts_with("exec ") && !command.starts_with("exec"),
                simple,
                "{command}"
            );
        }
    }
}
