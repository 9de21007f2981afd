//! The words that a forge is told. Pure: the same report gives the same words.
//!
//! Guards against what comes from outside (branch names, tools' output, messages of failures) becoming more than text:
//! links, mentions, HTML, an end of the table it stands in.

mod comment;
mod markdown;
mod project;
#[cfg(test)]
mod tests;
mod words;

use super::{Message, Report};
use crate::forge::Capabilities;

/// Everything that a forge with `capabilities` is to show of `report`. `installation` tells our comments from those of
/// another server for the same repository. Of a change that is over only the comment is told: what else was told of its
/// commits comes to its end by [`Message::over`].
pub fn messages(report: &Report, capabilities: &Capabilities, installation: &str) -> Vec<Message> {
    let comment = comment::comment(report, installation).map(Message::Comment);
    let going_on = report.projects.iter().filter(|_| !report.ended);
    let of_projects = going_on.flat_map(|project| {
        let checked = capabilities.check_runs && project.settings.check;
        let check = checked.then(|| project::check(report, project));
        let deployed = capabilities.deployments && project.settings.deployment;
        let deployment = deployed.then(|| project::deployment(report, project)).flatten();
        let noted = capabilities.statuses && project.settings.status && !checked;
        let status = noted.then(|| project::status(project));
        [
            check.map(Message::Check),
            deployment.map(Message::Deployment),
            status.map(Message::Status),
        ]
    });
    comment.into_iter().chain(of_projects.flatten()).collect()
}
