//! Why a source could not be fetched, in words for people.
//!
//! What the script ended with says where it stood; git's own last error says why. Lines of the server, which begin with
//! `remote:`, are shown and not judged by.

use model::Failure;
use model::failure::Code;
use sandbox::Ended;

use super::request::FetchRequest;
use crate::build::step::Unsuccessful;

// What fetch.sh ends with.
const NO_GIT: i32 = 10;
const GONE: i32 = 11;
const NOT_FETCHED: i32 = 12;
const NOT_CHECKED_OUT: i32 = 13;
const SUBMODULE: i32 = 20;
const NO_LFS: i32 = 30;

/// Parts of git's messages by which a refusal is told from a server that cannot be reached.
const REFUSED: [&str; 6] = [
    "Authentication failed",
    "the credentials are not taken",
    "returned error: 401",
    "returned error: 403",
    "returned error: 404",
    "' not found",
];
/// The reference is gone, or the server will not hand out this commit.
const GONE_WORDS: [&str; 2] = ["couldn't find remote ref", "not our ref"];
/// What git-lfs writes when it did not get what it asked for.
const LFS_WORDS: [&str; 3] = ["Smudge error", "git-lfs", "batch response"];

/// The failure of a step that ended by itself and not well.
pub(super) fn explain(request: &FetchRequest, failed: Unsuccessful) -> Failure {
    let url = &request.remote.url;
    let (code, message) = match failed.how {
        Ended::Exited { code } => judge(code, (url, request.commit.as_str()), &failed.lines),
        _ => return failed.failure,
    };
    let failure = Failure::new(code, message).excerpt(failed.lines);
    match code {
        Code::SourceDenied | Code::SourceUnreachable if request.remote.authorization.is_none() => {
            failure.hint("Give the server credentials for the repository if it is not public.")
        }
        _ => failure,
    }
}

fn judge(code: i32, (url, commit): (&str, &str), lines: &[String]) -> (Code, String) {
    let why = why(lines);
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let gone = || (Code::CommitGone, format!("commit {commit} is not in {url}"));
    match code {
        NO_GIT => (Code::GitMissing, "there is no `git` below /usr/bin".to_owned()),
        GONE => gone(),
        NOT_FETCHED if says(&GONE_WORDS) => gone(),
        NOT_FETCHED if says(&REFUSED) => (Code::SourceDenied, format!("{url} could not be fetched: {why}")),
        NOT_FETCHED => (
            Code::SourceUnreachable,
            format!("{url} could not be fetched: {why}"),
        ),
        SUBMODULE => {
            let path = lines
                .iter()
                .rev()
                .find_map(|line| line.strip_prefix("Submodule "));
            let path = path.unwrap_or_default();
            (
                Code::SubmoduleFailed,
                format!("the submodule `{path}` could not be fetched: {why}"),
            )
        }
        NO_LFS => (
            Code::LfsMissing,
            "files are kept in Git LFS, and there is no `git-lfs` below /usr/bin".to_owned(),
        ),
        NOT_CHECKED_OUT
            if lines
                .iter()
                .any(|line| is_own(line) && LFS_WORDS.iter().any(|word| line.contains(word))) =>
        {
            (
                Code::LfsFailed,
                format!("files kept in Git LFS could not be fetched: {}", lfs_why(lines)),
            )
        }
        NOT_CHECKED_OUT => (
            Code::SourceInvalid,
            format!("commit {commit} could not be checked out: {why}"),
        ),
        other => (
            Code::SourceUnreachable,
            format!("{url} could not be fetched: git ended with exit code {other}"),
        ),
    }
}

/// git's own last word.
fn why(lines: &[String]) -> &str {
    let fatal = |line: &&String| is_own(line) && (line.starts_with("fatal: ") || line.starts_with("error: "));
    let line = lines
        .iter()
        .rev()
        .find(fatal)
        .map_or("it ended without a word", String::as_str);
    let said = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    // Nobody is there to be asked.
    if said.contains("could not read Username") {
        return "the credentials are not taken, or there are none";
    }
    said
}

fn lfs_why(lines: &[String]) -> &str {
    let line = lines
        .iter()
        .find(|line| is_own(line) && LFS_WORDS.iter().any(|word| line.contains(word)));
    line.map_or("", String::as_str)
}

fn is_own(line: &str) -> bool {
    !line.starts_with("remote:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: i32, lines: &[&str]) -> (Code, String) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        judge(code, ("https://git.example.com/team/shop", "0123456"), &lines)
    }

    #[test]
    fn what_the_server_lacks_is_said() {
        let (code, message) = judged(NO_GIT, &[]);
        assert_eq!(
            (code, message.as_str()),
            (Code::GitMissing, "there is no `git` below /usr/bin")
        );
        assert_eq!(judged(NO_LFS, &[]).0, Code::LfsMissing);
    }

    #[test]
    fn git_is_believed_and_the_server_it_speaks_to_is_not() {
        let refused = "fatal: Authentication failed for 'https://git.example.com/team/shop/'";
        assert_eq!(judged(NOT_FETCHED, &[refused]).0, Code::SourceDenied);
        let disguised = format!("remote: {refused}");
        let lost = "fatal: unable to access 'https://git.example.com/': Could not resolve host";
        assert_eq!(
            judged(NOT_FETCHED, &[lost, &disguised]).0,
            Code::SourceUnreachable
        );
        assert_eq!(
            judged(NOT_FETCHED, &["fatal: couldn't find remote ref refs/pull/1/head"]).0,
            Code::CommitGone
        );
        let (code, message) = judged(SUBMODULE, &["Submodule a", "Submodule b/c", refused]);
        assert_eq!(code, Code::SubmoduleFailed);
        assert!(
            message.starts_with("the submodule `b/c` could not be fetched: Authentication"),
            "{message}"
        );
        assert_eq!(judged(99, &[]).0, Code::SourceUnreachable);
    }
}
