//! Known reasons for which installs, builds and servers fail, in the words that help.

use model::Failure;

use super::rules::{Cause, causes};

/// Characters that what a pattern found may have in a message.
const FOUND_CHARS_MAX: usize = 200;

/// A reason that was recognised.
pub(super) struct Reason {
    rule: &'static Cause,
    message: String,
    hint: String,
}

/// The first reason of the table that one of `lines` shows.
pub(super) fn find(lines: &[String]) -> Option<Reason> {
    causes().iter().find_map(|rule| {
        let found = lines.iter().find_map(|line| rule.pattern.captures(line))?;
        let fill = |text: &str| {
            let names = rule.pattern.capture_names().flatten();
            names.fold(text.to_owned(), |text, name| {
                let value = found.name(name).map_or("", |group| group.as_str());
                let value: String = value.chars().take(FOUND_CHARS_MAX).collect();
                text.replace(&format!("{{{name}}}"), &value)
            })
        };
        Some(Reason {
            rule,
            message: fill(&rule.message),
            hint: fill(&rule.hint),
        })
    })
}

impl Reason {
    pub(super) fn added_to(self, failure: Failure) -> Failure {
        let message = format!("{}: {}", failure.message, self.message);
        let mut failure = Failure { message, ..failure }.hint(self.hint);
        if let Some(code) = self.rule.code {
            failure.code = code;
            failure.blame = code.blame();
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use model::failure::Code;

    use super::*;

    fn explained(line: &str) -> Failure {
        let failure = Failure::new(Code::InstallFailed, "`npm ci` ended with exit code 1");
        match find(&[line.to_owned()]) {
            Some(reason) => reason.added_to(failure),
            None => panic!("nothing is known of: {line}"),
        }
    }

    #[test]
    fn what_tools_say_is_said_in_one_sentence() {
        let table = [
            (
                "npm error 404  The requested resource 'no-such@1.0.0' could not be found or you do not have permission to access it.",
                "the registry has no package `no-such@1.0.0`",
            ),
            (
                "npm ERR! 404  'no-such@1.0.0' is not in this registry.",
                "the registry has no package `no-such@1.0.0`",
            ),
            (
                "npm error notarget No matching version found for ms@99.0.0.",
                "there is no version `ms@99.0.0`",
            ),
            (
                "npm error peer react@\"^18.0.0\" from react-dom@18.0.0",
                "react-dom@18.0.0 needs react@\"^18.0.0\" beside it, and package.json asks for another version",
            ),
            (
                "npm error notsup Required: {\"node\":\">=99\"}",
                "a package does not run on this version of Node: it needs {\"node\":\">=99\"}",
            ),
            (
                "npm error sha512-x integrity checksum failed when using sha512: wanted sha512-x but got sha512-y. (1 bytes)",
                "a package is not the one that the lock file names",
            ),
            (
                "npm error code EJSONPARSE",
                "a JSON file that npm reads is broken",
            ),
            ("npm error code E401", "the registry wants a login (E401)"),
            (
                "npm error code EAI_AGAIN",
                "the registry could not be reached (EAI_AGAIN)",
            ),
            (
                "npm error Missing script: \"bild\"",
                "package.json has no script `bild`",
            ),
            ("sh: 1: vite: not found", "the command `vite` is not there"),
            (
                "/bin/sh: line 1: tsc: command not found",
                "the command `tsc` is not there",
            ),
            (
                "Error: Cannot find module 'express'",
                "the package `express` is not installed",
            ),
            (
                "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'vue' imported from /app/x.js",
                "the package `vue` is not installed",
            ),
            (
                "ERROR: No matching distribution found for flask==99",
                "the index has no package `flask==99`",
            ),
            (
                "ModuleNotFoundError: No module named 'flask'",
                "the module `flask` is not installed",
            ),
            (
                "main.go:4:2: no required module provides package example.org/x; to add it:",
                "no module in go.mod provides `example.org/x`",
            ),
            (
                "error: no matching package named `serdee` found",
                "there is no crate `serdee`",
            ),
            (
                "Error: error:0308010C:digital envelope routines::unsupported",
                "the build tools are older than this Node and use a hash it refuses",
            ),
            (
                "Error: listen EADDRINUSE: address already in use 0.0.0.0:3000",
                "the address 0.0.0.0:3000 is taken",
            ),
            (
                "Error: listen EACCES: permission denied 0.0.0.0:80",
                "it may not listen on 0.0.0.0:80",
            ),
        ];
        for (line, message) in table {
            let failure = explained(line);
            let wanted = format!("`npm ci` ended with exit code 1: {message}");
            assert_eq!(failure.message, wanted, "{line}");
            assert_ne!(failure.hint, Code::InstallFailed.hint(), "{line}");
        }
    }

    #[test]
    fn a_full_heap_is_a_matter_of_memory() {
        let failure =
            explained("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory");
        assert_eq!(failure.code, Code::OutOfMemory);
    }

    #[test]
    fn files_of_the_project_are_not_taken_for_packages() {
        assert!(find(&["Error: Cannot find module './missing'".to_owned()]).is_none());
        assert!(find(&["Error: Cannot find module '/app/server.js'".to_owned()]).is_none());
    }
}
