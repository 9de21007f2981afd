//! What a status is called, and how long things took.

use model::units::format_millis;

use crate::report::{ProjectReport, Status};

/// A sign and a word or two.
pub(super) fn label(status: &Status) -> String {
    let (sign, words) = match status {
        Status::Queued => ("⏳", "Queued"),
        Status::Deploying { phase: None } => ("🔄", "Deploying"),
        Status::Deploying { phase: Some(phase) } => {
            return format!("🔄 Deploying: {}", super::markdown::plain(phase));
        }
        Status::Ready => ("✅", "Ready"),
        Status::Asleep => ("💤", "Asleep, wakes on a visit"),
        Status::Failed => ("❌", "Failed"),
        Status::Cancelled => ("⚪", "Cancelled"),
        Status::AwaitsApproval => ("🔒", "Waits for approval"),
        Status::Skipped { .. } => ("➖", "Skipped"),
        Status::Paused => ("⏸️", "Paused"),
        Status::Deleted => ("🗑️", "Deleted"),
    };
    format!("{sign} {words}")
}

/// The same with the phase, for places that are changed and not added to.
pub(super) fn progress(project: &ProjectReport) -> String {
    match &project.status {
        Status::Deploying { phase: Some(phase) } => format!("Is being deployed: {phase}"),
        _ => sentence(project),
    }
}

/// One sentence without Markdown, for places that take no more, and that show every change of it as a new one.
pub(super) fn sentence(project: &ProjectReport) -> String {
    match &project.status {
        Status::Queued => "Waits for its turn".to_owned(),
        Status::Deploying { .. } => "Is being deployed".to_owned(),
        Status::Ready => match total(project) {
            Some(total) => format!("Ready in {total}"),
            None => "Ready".to_owned(),
        },
        Status::Asleep => "Asleep; a visit wakes it".to_owned(),
        Status::Failed => match &project.failure {
            Some(failure) => failure.message.replace('`', "'"),
            None => "Failed".to_owned(),
        },
        Status::Cancelled => "Cancelled: a newer commit, or somebody, took its place".to_owned(),
        Status::AwaitsApproval => "Waits until somebody who may write here approves this commit".to_owned(),
        Status::Skipped { reason } => format!("No preview: {reason}"),
        Status::Paused => "The project is paused; nothing is deployed".to_owned(),
        Status::Deleted => "The preview is gone".to_owned(),
    }
}

/// All finished phases together.
pub(super) fn total(project: &ProjectReport) -> Option<String> {
    let millis: Vec<u64> = project.phases.iter().filter_map(|(_, millis)| *millis).collect();
    (!millis.is_empty()).then(|| format_millis(millis.iter().sum()))
}

/// Each finished phase that took a moment, such as `install 2.1s · build 812ms`.
pub(super) fn phases(project: &ProjectReport) -> String {
    let finished = project
        .phases
        .iter()
        .filter_map(|(name, millis)| millis.map(|millis| (name, millis)));
    let shown: Vec<String> = finished
        .map(|(name, millis)| format!("{} {}", super::markdown::plain(name), format_millis(millis)))
        .collect();
    shown.join(" · ")
}
