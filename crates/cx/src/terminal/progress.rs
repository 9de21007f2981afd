//! The progress of a deployment, phase by phase.

use std::collections::BTreeSet;

use control::view;
use model::deployment::State;
use model::preview::Status;
use model::units::format_millis;

use super::{Paint, failure_lines, plain};

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

    /// The line for a phase that this side measured itself.
    pub(crate) fn phase(&self, name: &str, millis: u64, note: &str) -> String {
        let (mark, time) = (
            self.paint.green("✓"),
            self.paint.dim(format!("{:>7}", format_millis(millis))),
        );
        format!("{mark} {name:<9} {time}  {note}").trim_end().to_owned()
    }

    /// Lines for the phases of `deployment` that have ended since the last call.
    pub(crate) fn ended(&mut self, deployment: &view::Deployment) -> Vec<String> {
        let mut lines = Vec::new();
        for phase in &deployment.phases {
            // The upload was measured and said on this side.
            let Some(millis) = phase.millis.filter(|_| phase.name != "upload") else {
                continue;
            };
            if self.said.insert((phase.name.clone(), phase.started_at_ms)) {
                let failed = deployment.state == State::Failed
                    && deployment.phases.last().is_some_and(|last| last == phase);
                let line = self.phase(&phase.name, millis, "");
                lines.push(if failed {
                    line.replacen('✓', "✗", 1)
                } else {
                    line
                });
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

/// A line of a log, set off from what `cx` itself says.
pub(crate) fn log_line(line: &view::LogLine, paint: Paint) -> String {
    let text = plain(&line.text);
    let text = match line.level.as_str() {
        "error" => paint.red(text),
        "warn" => paint.yellow(text),
        "info" => paint.dim(text),
        _ => text,
    };
    format!("  {} {text}", paint.dim("│"))
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
    use crate::fixture::deployment;
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
        deployment.phases = vec![
            phase("upload", 1, Some(9)),
            phase("detect", 2, Some(3)),
            phase("install", 5, None),
        ];
        assert_eq!(progress.ended(&deployment), ["✓ detect        3ms"]);
        assert_eq!(
            progress.running(&deployment, 2_305).as_deref(),
            Some("install      2.3s")
        );
        deployment.phases[2].millis = Some(3_200);
        assert_eq!(progress.ended(&deployment), ["✓ install      3.2s"]);
        assert!(progress.ended(&deployment).is_empty());
    }

    #[test]
    fn the_phase_that_failed_has_no_tick() {
        let mut progress = Progress::new(Paint::default());
        let mut deployment = deployment(State::Failed);
        deployment.phases = vec![phase("build", 2, Some(30))];
        assert_eq!(progress.ended(&deployment), ["✗ build        30ms"]);
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
