//! What a forge is to show, compared with what it was told. Pure.

use std::collections::{BTreeMap, HashMap};

use forge::report::{CheckState, Deployment, DeploymentState, Over, Report, Status};
use forge::{Capabilities, Message};
use model::RepositoryId;

use crate::changes::Head;
use crate::rows::told::Told;

/// Deployments of earlier commits that stay at the forge, put away, for each of its environments.
const INACTIVE_KEPT: usize = 3;

/// A message, and what is to be done about it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) row: Told,
    pub(super) then: Then,
    /// It says how something goes on, and will say something else soon.
    pub(super) progress: bool,
}

/// What becomes of it when the forge shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays, and may change.
    Stay,
    /// Nothing more will be said of it.
    Forget,
    /// It is taken back.
    Withdraw,
}

/// Who is told, by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listener<'a> {
    pub(super) repository: &'a RepositoryId,
    pub(super) capabilities: &'a Capabilities,
    pub(super) installation: &'a str,
}

/// What is to be done about every message that is or was wanted.
pub(super) fn plan(listener: Listener<'_>, reports: &[(Head, Report)], told: &[Told]) -> Vec<Plan> {
    let known: HashMap<&str, &Told> = told.iter().map(|row| (row.key.as_str(), row)).collect();
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for (head, report) in reports {
        for message in forge::report::messages(report, listener.capabilities, listener.installation) {
            let key = message.key();
            let row = known.get(key.as_str()).map(|row| (*row).clone());
            let quiet = matches!(message, Message::Comment(_)) && report.is_quiet();
            if row.is_none() && quiet {
                continue;
            }
            let progress = is_progress(&message, report);
            let row = Told {
                message: message.clone(),
                head: head.clone(),
                ..row.unwrap_or_else(|| Told::new(listener.repository, head, message))
            };
            // Two heads with the same commit share its status: the first says it.
            plans.entry(key).or_insert(Plan {
                row,
                then: Then::Stay,
                progress,
            });
        }
    }
    let wanted: Vec<Deployment> = plans
        .values()
        .filter_map(|plan| deployment(&plan.row.message).cloned())
        .collect();
    let mut put_away: HashMap<String, usize> = HashMap::new();
    // The newest first, since those stay longest.
    let over: Vec<&Told> = told
        .iter()
        .rev()
        .filter(|row| !plans.contains_key(&row.key))
        .collect();
    for row in over {
        let report = reports
            .iter()
            .find(|(head, _)| *head == row.head)
            .map(|(_, report)| report);
        let (message, mut then) = put_an_end(row, report, &wanted);
        let inactive = |deployment: &&Deployment| deployment.state == DeploymentState::Inactive;
        if let Some(deployment) = deployment(&message).filter(inactive) {
            let count = put_away.entry(deployment.environment.clone()).or_default();
            *count += 1;
            if *count > INACTIVE_KEPT {
                then = Then::Withdraw;
            }
        }
        let row = Told {
            message,
            ..row.clone()
        };
        let plan = Plan {
            row,
            then,
            progress: false,
        };
        plans.insert(plan.row.key.clone(), plan);
    }
    plans.into_values().collect()
}

/// The last that is said about what is wanted no longer, and what becomes of it.
fn put_an_end(row: &Told, report: Option<&Report>, wanted: &[Deployment]) -> (Message, Then) {
    let ended = report.is_none_or(|report| report.ended);
    let why = match report {
        Some(report) if !ended && commit(&row.message) != Some(&report.commit) => Over::Superseded {
            by: report.commit.clone(),
        },
        _ => Over::Ended,
    };
    match &row.message {
        // Whoever reads it later still finds it, for as long as anything is known of its pull request.
        Message::Comment(_) if report.is_some_and(|report| report.ended) => (row.message.clone(), Then::Stay),
        Message::Deployment(deployment) if !ended => {
            let same = |other: &&Deployment| other.environment == deployment.environment;
            let newer = wanted.iter().find(same);
            let serves = deployment.state == DeploymentState::Success;
            // It goes on serving until the one after it does.
            let replaced = newer.is_none_or(|newer| newer.state == DeploymentState::Success);
            match serves && !replaced {
                true => (row.message.clone(), Then::Stay),
                false => (row.message.over(&why), Then::Stay),
            }
        }
        Message::Deployment(_) => (row.message.over(&why), Then::Withdraw),
        message => (message.over(&why), Then::Forget),
    }
}

fn deployment(message: &Message) -> Option<&Deployment> {
    match message {
        Message::Deployment(deployment) => Some(deployment),
        _ => None,
    }
}

fn commit(message: &Message) -> Option<&model::commit::CommitSha> {
    match message {
        Message::Comment(_) => None,
        Message::Check(check) => Some(&check.commit),
        Message::Deployment(deployment) => Some(&deployment.commit),
        Message::Status(status) => Some(&status.commit),
    }
}

fn is_progress(message: &Message, report: &Report) -> bool {
    match message {
        Message::Comment(_) => {
            let going_on = |status: &Status| matches!(status, Status::Deploying { .. });
            report.projects.iter().any(|project| going_on(&project.status))
        }
        Message::Check(check) => check.state == CheckState::InProgress,
        Message::Deployment(_) | Message::Status(_) => false,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
