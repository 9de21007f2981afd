//! The progress of a deployment, phase by phase.

use std::collections::BTreeSet;

use control::view;
use model::deployment::State;
use model::preview::Status;
use model::units::format_millis;

use super::{Paint, failure_lines, plain};

/// The phase of which the plan is the result.
const DETECT: &str = "detect";

/// What has been said of one deployment. Words out, nothing printed.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    paint: Paint,
    /// Phases that were said to have ended, by name and start: a phase can come twice when it is tried again.
    said: BTreeSet<(String, i64)>,
}

impl Progress {
    pub(crate) fn new(paint: Paint) -> Self {
        Self {
            paint,
            said: BTreeSet::new(),
        }
    }

    /// The line for a phase that has ended well.
    pub(crate) fn phase(&self, name: &str, millis: u64, note: &str) -> String {
        self.marked(&self.paint.green("✓"), name, millis, note)
    }

    fn marked(&self, mark: &str, name: &str, millis: u64, note: &str) -> String {
        let time = self.paint.dim(format!("{:>7}", format_millis(millis)));
        format!("{mark} {name:<9} {time}  {note}").trim_end().to_owned()
    }

    /// Lines for the phases of `deployment` that have ended since the last call, and when they did.
    pub(crate) fn ended(&mut self, deployment: &view::Deployment) -> Vec<(i64, String)> {
        let mut lines = Vec::new();
        for (index, phase) in deployment.phases.iter().enumerate() {
            let last = index + 1 == deployment.phases.len();
            let Some(millis) = phase.millis.filter(|_| is_told(phase, deployment)) else {
                continue;
            };
            if phase.name == DETECT && deployment.plan.is_none() && deployment.state.is_unfinished() {
                // What was detected is written a moment after; what follows waits with it.
                break;
            }
            if self.said.insert((phase.name.clone(), phase.started_at_ms)) {
                let detected = deployment.plan.as_ref().filter(|_| phase.name == DETECT);
                let note = detected.map_or("", |plan| &plan.framework);
                let line = match deployment.state == State::Failed && last {
                    true => self.marked(&self.paint.red("✗"), &phase.name, millis, note),
                    false => self.phase(&phase.name, millis, note),
                };
                lines.push((phase.started_at_ms.saturating_add_unsigned(millis), line));
            }
        }
        lines
    }

    /// What is going on right now, for a line that changes.
    pub(crate) fn running(&self, deployment: &view::Deployment, now_ms: i64) -> Option<String> {
        if !deployment.state.is_unfinished() {
            return None;
        }
        let running = deployment
            .phases
            .iter()
            .rev()
            .find(|phase| phase.millis.is_none());
        let (name, since) = match running {
            Some(phase) => (phase.name.as_str(), phase.started_at_ms),
            None => (deployment.state.as_str(), deployment.created_at_ms),
        };
        let millis = u64::try_from(now_ms - since).unwrap_or(0);
        Some(format!(
            "{name:<9} {}",
            self.paint.dim(format!("{:>7}", format_millis(millis)))
        ))
    }

    /// The last words: where it is live, or why it is not.
    pub(crate) fn outcome(&self, deployment: &view::Deployment) -> Vec<String> {
        match (&deployment.failure, deployment.state) {
            (Some(failure), _) => failure_lines(failure, self.paint),
            (None, State::Ready | State::Retired) => {
                let took =
                    deployment.finished_at_ms.unwrap_or(deployment.created_at_ms) - deployment.created_at_ms;
                let took = format_millis(u64::try_from(took).unwrap_or(0));
                vec![format!(
                    "{} {}",
                    self.paint.bold("Live"),
                    self.paint.dim(format!("in {took}"))
                )]
            }
            (None, State::Cancelled) => {
                vec![format!(
                    "{} the deployment was cancelled: a newer one took its place, or somebody ended it",
                    self.paint.yellow("warning:")
                )]
            }
            (None, state) => vec![format!(
                "{} the deployment is {state}",
                self.paint.yellow("warning:")
            )],
        }
    }
}

/// The upload was measured and said on this side; and what needs no toolchain has not waited for one.
pub(super) fn is_told(phase: &view::Phase, deployment: &view::Deployment) -> bool {
    let bare = || {
        deployment
            .plan
            .as_ref()
            .is_some_and(|plan| plan.toolchains.is_empty())
    };
    phase.name != "upload" && !(phase.name == "toolchain" && bare())
}

/// A line of a log, set off from what `cx` itself says.
pub(crate) fn log_line(line: &view::LogLine, paint: Paint) -> String {
    let text = plain(&line.text);
    let text = match line.level.as_str() {
        "error" => paint.red(text),
        "warn" => paint.yellow(text),
        "info" => paint.dim(text),
        _ => text,
    };
    format!("  {} {text}", paint.dim("│")).trim_end().to_owned()
}

/// A status, in its colour.
pub(crate) fn status_word(status: Status, paint: Paint) -> String {
    match status {
        Status::Live => paint.green("live"),
        Status::Asleep => paint.dim("asleep"),
        Status::Queued => paint.cyan("queued"),
        Status::Deploying => paint.cyan("deploying"),
        Status::Error => paint.yellow("error"),
        Status::Failed => paint.red("failed"),
        Status::Expired => paint.dim("expired"),
        Status::Empty => paint.dim("empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{deployment, static_plan};
    use model::Failure;
    use model::failure::Code;

    fn phase(name: &str, started_at_ms: i64, millis: Option<u64>) -> view::Phase {
        view::Phase {
            name: name.into(),
            started_at_ms,
            millis,
        }
    }

    #[test]
    fn every_phase_is_said_once_when_it_has_ended() {
        let mut progress = Progress::new(Paint::default());
        let mut deployment = deployment(State::Building);
        deployment.plan = Some(static_plan());
        deployment.phases = vec![
            phase("upload", 1, Some(9)),
            phase("detect", 2, Some(3)),
            phase("install", 5, None),
        ];
        assert_eq!(
            progress.ended(&deployment),
            [(5, "✓ detect        3ms  static".to_owned())]
        );
        assert_eq!(
            progress.running(&deployment, 2_305).as_deref(),
            Some("install      2.3s")
        );
        deployment.phases[2].millis = Some(3_200);
        assert_eq!(
            progress.ended(&deployment),
            [(3_205, "✓ install      3.2s".to_owned())]
        );
        assert!(progress.ended(&deployment).is_empty());
    }

    #[test]
    fn what_was_detected_is_said_when_it_is_known() {
        let mut progress = Progress::new(Paint::default());
        let mut deployment = deployment(State::Building);
        deployment.phases = vec![phase("detect", 2, Some(3))];
        deployment.phases.push(phase("toolchain", 6, Some(0)));
        assert!(progress.ended(&deployment).is_empty());
        deployment.plan = Some(static_plan());
        let said = progress.ended(&deployment);
        assert_eq!(
            said,
            [(5, "✓ detect        3ms  static".to_owned())],
            "and no toolchain"
        );
    }

    #[test]
    fn the_phase_that_failed_has_no_tick() {
        let mut progress = Progress::new(Paint::default());
        let mut deployment = deployment(State::Failed);
        deployment.phases = vec![phase("build", 2, Some(30))];
        assert_eq!(
            progress.ended(&deployment),
            [(32, "✗ build        30ms".to_owned())]
        );
        deployment.failure = Some(Failure::new(Code::BuildFailed, "it broke"));
        assert_eq!(progress.outcome(&deployment)[0], "error: it broke");
    }

    #[test]
    fn the_end_tells_how_long_it_took() {
        let mut deployment = deployment(State::Ready);
        deployment.finished_at_ms = Some(deployment.created_at_ms + 4_100);
        assert_eq!(
            Progress::new(Paint::default()).outcome(&deployment),
            ["Live in 4.1s"]
        );
    }
}
