//! Commands as texts for a shell.
//!
//! Whoever runs a server decides whether a shell may stay between it and its signals; a command is therefore handed on
//! as it was written. Only where something is put before it is `exec` put before it too, so far as that means the same.

/// Characters that only a shell understands.
const SPECIAL: [char; 18] = [
    '&', '|', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '\n', '*', '?', '[', '#', '~',
];

/// `command` with the programs of the project's own dependencies on the path, as `npm run` has it. `depth` is how many
/// directories lie between the source and its root: in a workspace, programs may be installed above.
pub(super) fn with_dependencies(command: &str, depth: usize) -> String {
    let command = command.trim();
    if ["node", "npm", "npx"].contains(&first_word(command)) && is_plain(command) {
        return command.to_owned();
    }
    let above = (1..=depth).map(|up| format!("$PWD/{}node_modules/.bin:", "../".repeat(up)));
    let path: String = std::iter::once("$PWD/node_modules/.bin:".to_owned())
        .chain(above)
        .collect();
    let exec = if is_plain(command) { "exec " } else { "" };
    format!("export PATH=\"{path}$PATH\"; {exec}{command}")
}

/// The first word that is not an assignment, such as `node` of `NODE_ENV=production node server.js`.
pub(super) fn program(command: &str) -> &str {
    let mut words = command.split_whitespace();
    words
        .find(|word| !is_assignment(word) && *word != "cross-env" && *word != "env")
        .unwrap_or("")
}

fn first_word(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or("")
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn is_plain(command: &str) -> bool {
    !command.contains(SPECIAL) && !is_assignment(first_word(command)) && !is_builtin(first_word(command))
}

/// Words that a shell knows and no program is called.
fn is_builtin(word: &str) -> bool {
    [
        "cd", "exec", "export", "set", "source", ".", "if", "for", "while", "{", "!", "ulimit", "umask",
        "eval",
    ]
    .contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_dependencies_are_found() {
        assert_eq!(with_dependencies("node server.js", 2), "node server.js");
        assert_eq!(
            with_dependencies("next start", 1),
            "export PATH=\"$PWD/node_modules/.bin:$PWD/../node_modules/.bin:$PATH\"; exec next start"
        );
        assert_eq!(
            with_dependencies("A=1 next start", 0),
            "export PATH=\"$PWD/node_modules/.bin:$PATH\"; A=1 next start"
        );
        assert_eq!(
            with_dependencies("cd web && next start", 0),
            "export PATH=\"$PWD/node_modules/.bin:$PATH\"; cd web && next start"
        );
    }

    #[test]
    fn the_program_is_found_behind_assignments() {
        assert_eq!(program("NODE_ENV=production node x"), "node");
        assert_eq!(program("cross-env A=1 tsx server.ts"), "tsx");
        assert_eq!(program(""), "");
    }
}
