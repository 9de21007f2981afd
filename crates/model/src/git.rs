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

/// What the operator of the server says of a project, above its `[git]`. Limits and the policy for forks can only become
/// stricter by it; what is not said is the project's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitBounds {
    /// `false`: pull requests get no previews, whatever the project says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_requests: Option<bool>,
    /// Branches whose pushes get previews, instead of those that the project names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<String>>,
    /// Pull requests need this label, instead of the one that the project names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `false`: drafts get no previews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafts: Option<bool>,
    /// `false`: pull requests of bots get no previews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bots: Option<bool>,
    /// The least strict policy for forks that the project may choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forks: Option<ForkPolicy>,
    /// Previews of pull requests of this project at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1))]
    #[serde(deserialize_with = "crate::units::whole_or_null")]
    pub previews_max: Option<u32>,
    /// The same for the pull requests of one author.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1))]
    #[serde(deserialize_with = "crate::units::whole_or_null")]
    pub previews_per_author_max: Option<u32>,
    /// The label by which somebody who may write approves a stranger's newest commit; `approve-preview` where not said,
    /// empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_label: Option<String>,
}

/// The label of [`GitBounds::approve_label`] where the operator names none.
pub const APPROVE_LABEL: &str = "approve-preview";

impl GitBounds {
    /// What holds for a project whose base branch says `settings`.
    pub fn over(&self, settings: GitSettings) -> GitSettings {
        let stricter = |ours: Option<u32>, theirs: Option<u32>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        GitSettings {
            pull_requests: settings.pull_requests && self.pull_requests.unwrap_or(true),
            branches: self.branches.clone().unwrap_or(settings.branches),
            label: self.label.clone().unwrap_or(settings.label),
            drafts: settings.drafts && self.drafts.unwrap_or(true),
            bots: settings.bots && self.bots.unwrap_or(true),
            forks: match self.forks {
                Some(forks) => forks.stricter(settings.forks),
                None => settings.forks,
            },
            previews_max: stricter(self.previews_max, settings.previews_max),
            previews_per_author_max: stricter(self.previews_per_author_max, settings.previews_per_author_max),
            ..settings
        }
    }

    /// The label that approves; `None` where none does.
    pub fn approve_label(&self) -> Option<&str> {
        let label = self.approve_label.as_deref().unwrap_or(APPROVE_LABEL);
        (!label.is_empty()).then_some(label)
    }
}

impl ForkPolicy {
    /// The one of the two that lets less happen.
    pub fn stricter(self, other: Self) -> Self {
        let laxity = |policy| match policy {
            Self::Never => 0,
            Self::Approve => 1,
            Self::WithoutSecrets => 2,
        };
        match laxity(self) <= laxity(other) {
            true => self,
            false => other,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_makes_it_stricter_and_never_laxer() {
        let project = GitSettings {
            drafts: false,
            branches: vec!["release/*".to_owned()],
            forks: ForkPolicy::WithoutSecrets,
            previews_max: Some(3),
            ..GitSettings::default()
        };
        let bounds = GitBounds {
            pull_requests: Some(true),
            drafts: Some(true),
            bots: Some(false),
            forks: Some(ForkPolicy::Approve),
            previews_max: Some(9),
            previews_per_author_max: Some(2),
            ..GitBounds::default()
        };
        let held = bounds.over(project.clone());
        assert!(!held.drafts && !held.bots && held.pull_requests);
        assert_eq!(held.forks, ForkPolicy::Approve);
        assert_eq!(
            (held.previews_max, held.previews_per_author_max),
            (Some(3), Some(2))
        );
        assert_eq!(held.branches, project.branches);
        assert_eq!(GitBounds::default().over(project.clone()), project);
    }

    #[test]
    fn branches_are_the_operators_where_he_names_some() {
        let bounds: GitBounds = serde_json::from_str(r#"{"branches": ["main"]}"#).unwrap();
        assert_eq!(bounds.over(GitSettings::default()).branches, ["main"]);
        assert_eq!(bounds.approve_label(), Some(APPROVE_LABEL));
        let none: GitBounds = serde_json::from_str(r#"{"approve_label": ""}"#).unwrap();
        assert_eq!(none.approve_label(), None);
    }
}
