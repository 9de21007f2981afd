//! What is shown of one project: its check run, its deployment, its commit status.

use super::markdown::{block, cut, link, sentence};
use super::words;
use crate::change::Button;
use crate::report::{
    Annotation, Check, CheckState, CommitStatus, Deployment, DeploymentState, ProjectReport, Report, Status,
    StatusState,
};

/// Characters of a description that the forges take.
const DESCRIPTION_CHARS_MAX: usize = 140;
/// Characters of a check run's title.
const TITLE_CHARS_MAX: usize = 255;
/// Characters of a check run's summary, below the 65,535 bytes that are taken.
const SUMMARY_CHARS_MAX: usize = 16_000;
/// Characters of an annotation.
const ANNOTATION_CHARS_MAX: usize = 2_000;

/// The check run.
pub(super) fn check(report: &Report, project: &ProjectReport) -> Check {
    let state = match &project.status {
        Status::Queued => CheckState::Queued,
        Status::Deploying { .. } => CheckState::InProgress,
        Status::Ready | Status::Asleep => CheckState::Success,
        Status::Failed => CheckState::Failure,
        Status::Cancelled => CheckState::Cancelled,
        Status::AwaitsApproval => CheckState::ActionRequired,
        Status::Skipped { .. } => CheckState::Skipped,
        Status::Paused | Status::Deleted => CheckState::Neutral,
    };
    let buttons = match &project.status {
        Status::Ready | Status::Asleep | Status::Failed => vec![Button::Redeploy, Button::Delete],
        Status::Cancelled | Status::Deleted => vec![Button::Redeploy],
        Status::AwaitsApproval => vec![Button::Approve],
        _ => Vec::new(),
    };
    Check {
        key: format!("{}/{}", report.namespace, project.project),
        commit: project.commit.clone(),
        name: format!("Preview ({})", project.project),
        state,
        details_url: project.log_url.clone(),
        title: cut(&words::progress(project), TITLE_CHARS_MAX),
        summary: cut(&summary(project), SUMMARY_CHARS_MAX),
        annotations: annotations(project),
        buttons,
    }
}

fn summary(project: &ProjectReport) -> String {
    let mut parts = Vec::new();
    if let Some(url) = &project.url {
        parts.push(format!("Preview: {}", link(url, url)));
    }
    if let Some(serving) = &project.serving {
        parts.push(format!("Meanwhile `{}` goes on serving.", serving.short()));
    }
    let phases = words::phases(project);
    if !phases.is_empty() {
        parts.push(phases);
    }
    if let Some(failure) = project
        .failure
        .as_ref()
        .filter(|_| project.status == Status::Failed)
    {
        parts.push(format!(
            "`{}`: {}",
            failure.code.as_str(),
            sentence(&failure.message)
        ));
        parts.push(format!("**What to do:** {}", sentence(&failure.hint)));
        if !failure.log_excerpt.is_empty() {
            parts.push(block(&failure.log_excerpt));
        }
    }
    if parts.is_empty() {
        parts.push(sentence(&words::sentence(project)));
    }
    parts.join("\n\n")
}

fn annotations(project: &ProjectReport) -> Vec<Annotation> {
    let Some(failure) = project
        .failure
        .as_ref()
        .filter(|_| project.status == Status::Failed)
    else {
        return Vec::new();
    };
    let places = failure.locations.iter().filter_map(|location| {
        let message = location.message.as_ref().unwrap_or(&failure.message);
        Some(Annotation {
            path: location.file.clone(),
            line: location.line.filter(|line| *line > 0)?,
            message: cut(message, ANNOTATION_CHARS_MAX),
        })
    });
    places.collect()
}

/// The deployment in the sense of the forge; none before there is one in ours.
pub(super) fn deployment(report: &Report, project: &ProjectReport) -> Option<Deployment> {
    let key = project.deployment.clone()?;
    let state = match &project.status {
        Status::Queued => DeploymentState::Queued,
        Status::Deploying { .. } => DeploymentState::InProgress,
        Status::Ready | Status::Asleep => DeploymentState::Success,
        Status::Failed => DeploymentState::Failure,
        Status::Cancelled | Status::Deleted => DeploymentState::Inactive,
        Status::AwaitsApproval | Status::Skipped { .. } | Status::Paused => return None,
    };
    let serves = state == DeploymentState::Success;
    Some(Deployment {
        key,
        commit: project.commit.clone(),
        environment: format!("{}/{}", report.namespace, project.project),
        state,
        environment_url: project.url.clone().filter(|_| serves),
        log_url: project.log_url.clone(),
        description: cut(&words::sentence(project), DESCRIPTION_CHARS_MAX),
    })
}

/// The commit status. A commit that gets no preview is none the worse for it: a status that never comes would hold up
/// whoever demands it.
pub(super) fn status(project: &ProjectReport) -> CommitStatus {
    let platform = project
        .failure
        .as_ref()
        .is_some_and(|failure| failure.blame == model::failure::Blame::Platform);
    let state = match &project.status {
        Status::Queued | Status::Deploying { .. } | Status::AwaitsApproval => StatusState::Pending,
        Status::Ready | Status::Asleep | Status::Deleted | Status::Skipped { .. } | Status::Paused => {
            StatusState::Success
        }
        Status::Failed if platform => StatusState::Error,
        Status::Failed => StatusState::Failure,
        Status::Cancelled => StatusState::Error,
    };
    let target = match state {
        StatusState::Success => project.url.as_ref().or(project.log_url.as_ref()),
        _ => project.log_url.as_ref(),
    };
    CommitStatus {
        commit: project.commit.clone(),
        context: format!("cygni/{}", project.project),
        state,
        target_url: target.cloned(),
        description: cut(&words::sentence(project), DESCRIPTION_CHARS_MAX),
    }
}
