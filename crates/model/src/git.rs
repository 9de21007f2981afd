//! What a project says about its repository: which changes become previews, and what the forge is told.
//!
//! It is read from `cx.toml` of the base branch, never of the change itself: a pull request cannot raise its own
//! privileges. What the server was told of the project (a pause, limits) stands above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[git]` of cx.toml.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitSettings {
    /// Whether pull requests get previews.
    pub pull_requests: bool,
    /// Branches whose pushes get previews, such as `main` or `release/*`.
    pub branches: Vec<String>,
    /// Only changes that touch one of these paths, such as `apps/web/**`, relative to the repository; empty is all.
    pub paths: Vec<String>,
    /// Pull requests get a preview only with this label; empty is without.
    pub label: String,
    /// Pull requests with this label get none.
    pub skip_label: String,
    /// Pull requests with one of these words in their title, and pushes with one in the commit's message, get none.
    pub skip_words: Vec<String>,
    /// Whether drafts get previews.
    pub drafts: bool,
    /// Whether pull requests of bots get previews.
    pub bots: bool,
    pub forks: ForkPolicy,
    /// Previews of pull requests of this project at the same time.
    #[schemars(extend("minimum" = 1))]
    pub previews_max: Option<u32>,
    /// The same for the pull requests of one author.
    #[schemars(extend("minimum" = 1))]
    pub previews_per_author_max: Option<u32>,
    pub report: ReportSettings,
}

/// What happens with pull requests from copies of the repository that somebody else owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForkPolicy {
    /// Nothing is built before somebody who may write to the repository approved that very commit.
    #[default]
    Approve,
    /// They get no previews.
    Never,
    /// They are built at once, as strangers' code: no secrets, no network at run time.
    WithoutSecrets,
}

/// What the forge is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSettings {
    /// One comment on the pull request, kept up to date.
    pub comment: bool,
    /// A check run with progress and buttons, where the forge has such.
    pub check: bool,
    /// A deployment with its statuses, where the forge has such.
    pub deployment: bool,
    /// A commit status, where there is no check run.
    pub status: bool,
}

impl Default for GitSettings {
    fn default() -> Self {
        Self {
            pull_requests: true,
            branches: Vec::new(),
            paths: Vec::new(),
            label: String::new(),
            skip_label: "no-preview".to_owned(),
            skip_words: ["[skip preview]", "[skip cx]"].map(str::to_owned).to_vec(),
            drafts: true,
            bots: true,
            forks: ForkPolicy::default(),
            previews_max: None,
            previews_per_author_max: None,
            report: ReportSettings::default(),
        }
    }
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self {
            comment: true,
            check: true,
            deployment: true,
            status: true,
        }
    }
}
