//! Failures: what is stored and shown when a deployment does not become ready.
//!
//! Dashboard, comment, command line, API and MCP all render the same value. Every code is a row of one table that
//! holds its stage, whose turn it is and what to do next; each has a page in the reference.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lines of log that a failure carries at the most.
pub const EXCERPT_LINES_MAX: usize = 20;
/// Places in the source that a failure names at the most.
pub const LOCATIONS_MAX: usize = 10;

/// Where on the way from source to URL it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FailureStage")]
pub enum Stage {
    Upload,
    Source,
    Detect,
    Toolchain,
    Install,
    Build,
    Start,
    Health,
    Route,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FailureBlame")]
pub enum Blame {
    /// The source must change; trying again gives the same.
    Project,
    /// The platform or its machine; it is tried again with back-off.
    Platform,
}

/// A place in the source, as far as a tool named one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SourceLocation")]
pub struct Location {
    /// Relative to the root of the source.
    pub file: String,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// From 1, as the tool counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What the tool says of this place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Why a deployment did not become ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub stage: Stage,
    pub blame: Blame,
    pub code: Code,
    /// What happened and the value involved, one sentence.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// Where, the first error first; at most [`LOCATIONS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// The last lines of the log that belong to it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_excerpt: Vec<String>,
}

macro_rules! codes {
    ($($variant:ident $text:literal $stage:ident $blame:ident $hint:literal)*) => {
        /// What went wrong, as a stable name that programs can rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "FailureCode")]
        pub enum Code { $($variant),* }

        impl Code {
            /// Every code there is, in the order of the stages.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }

            /// The stage in which it happens.
            pub fn stage(self) -> Stage {
                match self { $(Code::$variant => Stage::$stage),* }
            }

            /// Whose turn it is.
            pub fn blame(self) -> Blame {
                match self { $(Code::$variant => Blame::$blame),* }
            }

            /// What to do next.
            pub fn hint(self) -> &'static str {
                match self { $(Code::$variant => $hint),* }
            }
        }
    };
}

codes! {
    SourceMissing "source_missing" Upload Platform
        "Deploy again: the uploaded files are no longer in the store."
    GitMissing "git_missing" Source Platform
        "Install git on the server, from its distribution: programs below /usr/local are not seen by sandboxes."
    SourceUnreachable "source_unreachable" Source Platform
        "Check that the server reaches the forge; the deployment is tried again by itself."
    SourceDenied "source_denied" Source Platform
        "Give the token, or the installation of the App, the right to read the repository."
    CommitGone "commit_gone" Source Project
        "Push again: the branch was rewritten, and the forge no longer hands out the commit."
    SubmoduleFailed "submodule_failed" Source Project
        "Correct the address in .gitmodules, push the submodule's commit, or give the token the right to read it."
    LfsMissing "lfs_missing" Source Platform
        "Install git-lfs on the server, from its distribution."
    LfsFailed "lfs_failed" Source Project
        "Push the missing objects with `git lfs push --all`, and check the address in .lfsconfig."
    SourceInvalid "source_invalid" Source Project
        "Use UTF-8 names, and links that stay inside the repository; keep generated and huge files out of it."
    EmptySource "empty_source" Detect Project
        "Deploy a directory that holds files; check what .gitignore and .cxignore leave out."
    RootMissing "root_missing" Detect Project
        "Set `root` in cx.toml to a directory that exists in the source."
    InvalidProjectFile "invalid_project_file" Detect Project
        "Correct cx.toml at the line named; `cx plan` checks it without deploying."
    NoFramework "no_framework" Detect Project
        "Add an index.html, a package.json with a start script, a Procfile with a web line, or `[run] command` in cx.toml."
    InvalidManifest "invalid_manifest" Detect Project
        "Correct the file named; it must parse before anything can be installed."
    StartCommandMissing "start_command_missing" Detect Project
        "Add a `start` script to package.json, or set `[run] command` in cx.toml."
    ToolchainUnavailable "toolchain_unavailable" Toolchain Project
        "Ask for a version that can be had, or install it on the server and deploy again."
    ToolchainFetchFailed "toolchain_fetch_failed" Toolchain Platform
        "Check the server's connection to the package registry; `cx doctor` tests it."
    InstallFailed "install_failed" Install Project
        "Run the install command on your machine; the log has the last lines of its output."
    BuildFailed "build_failed" Build Project
        "Run the build command on your machine; the log has the last lines of its output."
    TimedOut "timed_out" Build Project
        "Make the build faster or raise `[limits] timeout` in cx.toml."
    OutOfMemory "out_of_memory" Build Project
        "Use less memory or raise `[limits] memory` in cx.toml."
    DiskLimit "disk_limit" Build Project
        "Write less or raise `[limits] disk` in cx.toml."
    OutputMissing "output_missing" Build Project
        "Set `[build] output` in cx.toml to the directory that the build writes."
    OutputInvalid "output_invalid" Build Project
        "The built files must have UTF-8 names and links that stay inside the output."
    ServerExited "server_exited" Start Project
        "The start command must keep running; the log has the last lines of its output."
    NeverListened "never_listened" Health Project
        "Listen on the port given in PORT, or set `[run] port` in cx.toml; raise `health.timeout` for a slow start."
    HealthCheckFailed "health_check_failed" Health Project
        "Answer the health check with a status below 500 (2xx or 3xx where `health.path` is set)."
    RouteUnanswered "route_unanswered" Route Platform
        "The edge did not answer for the new deployment; see the server's log."
    DiskFull "disk_full" Build Platform
        "Give the server room on its disk; the deployment is tried again by itself."
    SandboxFailed "sandbox_failed" Build Platform
        "The server could not isolate the process; `cx doctor` tells what the machine lacks."
    IsolationTooWeak "isolation_too_weak" Build Platform
        "Give the server cgroups (`cx doctor` says how), or deploy as somebody who is trusted."
    Cancelled "cancelled" Build Project
        "Deploy again when you want it after all."
    PlatformError "platform_error" Build Platform
        "See the server's log; the deployment is tried again by itself."
}

impl Location {
    /// The line and column of a file.
    pub fn at(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            column: Some(column),
            message: None,
        }
    }
}

/// `file:line:column`, as editors and terminals take it.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        let Some(line) = self.line else { return Ok(()) };
        write!(f, ":{line}")?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

impl Failure {
    /// A failure with `code` and the sentence that says what happened.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            stage: code.stage(),
            blame: code.blame(),
            code,
            message: message.into(),
            hint: code.hint().to_owned(),
            locations: Vec::new(),
            log_excerpt: Vec::new(),
        }
    }

    /// The same failure seen in another stage, for codes that several stages share (time, memory, disk).
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// With a better hint than the general one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// At one place.
    #[must_use]
    pub fn location(self, location: Location) -> Self {
        self.locations(vec![location])
    }

    /// At the first [`LOCATIONS_MAX`] of `locations`.
    #[must_use]
    pub fn locations(mut self, mut locations: Vec<Location>) -> Self {
        locations.truncate(LOCATIONS_MAX);
        self.locations = locations;
        self
    }

    /// With the last [`EXCERPT_LINES_MAX`] of `lines`.
    #[must_use]
    pub fn excerpt(mut self, mut lines: Vec<String>) -> Self {
        let excess = lines.len().saturating_sub(EXCERPT_LINES_MAX);
        lines.drain(..excess);
        self.log_excerpt = lines;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_serialises_as_its_name_and_has_a_hint() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(code.hint().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn the_excerpt_keeps_the_end() {
        let lines: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let failure = Failure::new(Code::BuildFailed, "it failed").excerpt(lines);
        assert_eq!(failure.log_excerpt.len(), EXCERPT_LINES_MAX);
        assert_eq!(failure.log_excerpt.last().unwrap(), "49");
    }
}
