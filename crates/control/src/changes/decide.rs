//! From what is true to what is to be there: the policy of pull requests and branches, for one project at a time.
//!
//! The same facts give the same verdicts, in whatever order they were learnt. Nothing here removes a preview because
//! something is not known: what is not known is not a candidate.

use std::collections::HashMap;

use forge::source::{Branch, PullRequest};
use model::git::{ForkPolicy, GitSettings};
use model::trust::Trust;

use super::paths::names_branch;
use super::{Basis, Head, Truth, Verdict};

/// What holds for the project, whatever the change.
#[derive(Clone, Debug)]
pub(crate) struct ProjectFacts<'a> {
    pub(crate) paused: bool,
    /// What the operator says above the settings of the base branch.
    pub(crate) bounds: &'a model::git::GitBounds,
}

/// A head that has been looked at.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) head: &'a Head,
    pub(crate) truth: &'a Truth,
    /// `None` where no look was needed, since it is over.
    pub(crate) basis: Option<&'a Basis>,
    /// Whether somebody who may write has approved exactly its newest commit.
    pub(crate) approved: bool,
}

/// A verdict for every candidate, in their order.
pub(crate) fn decide(project: &ProjectFacts<'_>, candidates: &[Candidate<'_>]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = candidates.iter().map(|one| alone(project, one)).collect();
    within_limits(project, candidates, &mut verdicts);
    verdicts
}

/// What follows from the head itself.
fn alone(project: &ProjectFacts<'_>, candidate: &Candidate<'_>) -> Verdict {
    if candidate.truth.is_over() {
        return Verdict::Remove;
    }
    if project.paused {
        return Verdict::Paused;
    }
    let unknown = || Verdict::Keep {
        reason: "It has not been looked at yet.".to_owned(),
    };
    let Some(basis) = candidate.basis else {
        return unknown();
    };
    let settings = match &basis.settings {
        Ok(settings) => project.bounds.over(settings.git.clone()),
        Err(reason) => {
            return Verdict::Keep {
                reason: reason.clone(),
            };
        }
    };
    match candidate.truth {
        Truth::PullRequest(pull) => of_pull_request(pull, &settings, candidate),
        Truth::Branch(branch) => of_branch(branch, &settings),
        Truth::Gone => Verdict::Remove,
    }
}

fn of_pull_request(pull: &PullRequest, settings: &GitSettings, candidate: &Candidate<'_>) -> Verdict {
    if let Some(reason) = reason_to_skip(pull, settings, candidate) {
        return Verdict::skip(reason);
    }
    let commit = pull.head.clone();
    match settings.forks {
        _ if !pull.fork => Verdict::Deploy {
            commit,
            trust: Trust::Member,
        },
        ForkPolicy::Approve if !candidate.approved => Verdict::AwaitApproval { commit },
        _ => Verdict::Deploy {
            commit,
            trust: Trust::Fork,
        },
    }
}

fn reason_to_skip(pull: &PullRequest, settings: &GitSettings, candidate: &Candidate<'_>) -> Option<String> {
    let has = |label: &str| pull.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
    let reason = if !settings.pull_requests {
        "Pull requests of this project get no previews.".to_owned()
    } else if pull.fork && settings.forks == ForkPolicy::Never {
        "It comes from a fork, and forks of this project get no previews.".to_owned()
    } else if pull.author.bot && !settings.bots {
        format!("`{}` is a bot, and bots get no previews here.", pull.author.login)
    } else if pull.draft && !settings.drafts {
        "It is a draft.".to_owned()
    } else if !settings.skip_label.is_empty() && has(&settings.skip_label) {
        format!("It has the label `{}`.", settings.skip_label)
    } else if let Some(word) = skip_word(&pull.title, settings) {
        format!("Its title says `{word}`.")
    } else if !settings.label.is_empty() && !has(&settings.label) {
        format!("It gets a preview with the label `{}`.", settings.label)
    } else if candidate.basis.is_some_and(|basis| !basis.touched) {
        "It touches none of the paths of this project.".to_owned()
    } else {
        return None;
    };
    Some(reason)
}

fn of_branch(branch: &Branch, settings: &GitSettings) -> Verdict {
    match names_branch(&settings.branches, &branch.name) {
        Err(reason) => return Verdict::Keep { reason },
        Ok(false) => return Verdict::skip("Pushes to this branch get no preview."),
        Ok(true) => {}
    }
    if let Some(word) = skip_word(&branch.message, settings) {
        // The commit before goes on serving: it is only this push that asks for nothing.
        let reason = format!("The commit's message says `{word}`.");
        return Verdict::Keep { reason };
    }
    Verdict::Deploy {
        commit: branch.head.clone(),
        trust: Trust::Member,
    }
}

fn skip_word<'a>(text: &str, settings: &'a GitSettings) -> Option<&'a str> {
    let text = text.to_lowercase();
    let mut words = settings.skip_words.iter().map(String::as_str);
    words.find(|word| !word.is_empty() && text.contains(&word.to_lowercase()))
}

/// Where there are more than there may be, the oldest pull requests keep theirs. Each is held to what its own base
/// branch says.
fn within_limits(project: &ProjectFacts<'_>, candidates: &[Candidate<'_>], verdicts: &mut [Verdict]) {
    let pull = |index: usize| match candidates[index].truth {
        Truth::PullRequest(pull) => Some(pull),
        Truth::Branch(_) | Truth::Gone => None,
    };
    let mut wanted: Vec<usize> = (0..verdicts.len())
        .filter(|index| matches!(verdicts[*index], Verdict::Deploy { .. }) && pull(*index).is_some())
        .collect();
    wanted.sort_by_key(|index| candidates[*index].head);
    let (mut all, mut by_author) = (0_u32, HashMap::<&str, u32>::new());
    for index in wanted {
        let Some((pull, Ok(settings))) =
            pull(index).zip(candidates[index].basis.map(|basis| basis.settings.as_ref()))
        else {
            continue;
        };
        let settings = project.bounds.over(settings.git.clone());
        let own = by_author.entry(&pull.author.login).or_default();
        let too_many = |most: Option<u32>, present: u32| most.filter(|most| present >= *most);
        if let Some(most) = too_many(settings.previews_max, all) {
            let reason = format!(
                "{most} older pull requests have previews already, as many as this project may have."
            );
            verdicts[index] = Verdict::skip(reason);
        } else if let Some(most) = too_many(settings.previews_per_author_max, *own) {
            let author = &pull.author.login;
            let reason = format!(
                "{most} older pull requests of `{author}` have previews already, as many as one author may have."
            );
            verdicts[index] = Verdict::skip(reason);
        } else {
            all += 1;
            *own += 1;
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
