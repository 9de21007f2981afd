//! The phases and the log lines of a deployment, in the order in which they happened.
//!
//! Lines come as a stream and phases by asking, so either may be ahead of the other. A line is held until a question
//! that was asked well after it had come knows the phases that ended before it. Words out, nothing printed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::view;

use super::{Paint, Progress, log_line};

/// How long the server may take to write down the end of a phase.
const SETTLED: Duration = Duration::from_millis(60);
/// Lines held at the most; more are said at once.
const HELD_MAX: usize = 512;
/// Lines remembered at the most, so that a failure need not repeat them.
const SHOWN_MAX: usize = 64;

/// What is known of one deployment and not said yet.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    paint: Paint,
    progress: Progress,
    held: VecDeque<(view::LogLine, Instant)>,
    shown: VecDeque<String>,
    /// The last thing said was a program's output.
    amid_output: bool,
    /// Why the deployment failed.
    failure: Option<String>,
    /// An empty line came; it is said when more output of the same program follows.
    empty: bool,
}

impl Transcript {
    pub(crate) fn new(paint: Paint) -> Self {
        Self {
            paint,
            progress: Progress::new(paint),
            ..Self::default()
        }
    }

    /// Takes a line that has come at `now`.
    pub(crate) fn hold(&mut self, line: view::LogLine, now: Instant) {
        self.held.push_back((line, now));
    }

    /// Whether no more lines should be taken before the next [`Self::tell`].
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() >= HELD_MAX
    }

    /// Whether a question asked at `now` would let a line go.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.held.front().is_some_and(|(_, came)| *came + SETTLED <= now)
    }

    /// What there is to say, now that `deployment` was the answer to a question of `asked`.
    pub(crate) fn tell(&mut self, deployment: &view::Deployment, asked: Instant) -> Vec<String> {
        let mut said = Vec::new();
        self.failure = deployment.failure.as_ref().map(|failure| failure.message.clone());
        for (ended_at_ms, mark) in self.progress.ended(deployment) {
            self.release(&mut said, |line, _| line.at_ms <= ended_at_ms);
            (self.amid_output, self.empty) = (false, false);
            said.push(mark);
        }
        let all = self.is_full();
        self.release(&mut said, |_, came| all || came + SETTLED <= asked);
        said
    }

    /// What is left to say of a deployment that has finished, and its outcome.
    pub(crate) fn finish(&mut self, deployment: &view::Deployment, asked: Instant) -> Vec<String> {
        let mut said = self.tell(deployment, asked);
        self.release(&mut said, |_, _| true);
        let mut deployment = deployment.clone();
        if let Some(failure) = &mut deployment.failure
            && failure.log_excerpt.iter().all(|line| self.was_said(line))
        {
            failure.log_excerpt.clear();
        }
        said.extend(self.progress.outcome(&deployment));
        said
    }

    /// What is going on right now, for a line that changes.
    pub(crate) fn running(&self, deployment: &view::Deployment, now_ms: i64) -> Option<String> {
        self.progress.running(deployment, now_ms)
    }

    fn release(&mut self, said: &mut Vec<String>, goes: impl Fn(&view::LogLine, Instant) -> bool) {
        while self.held.front().is_some_and(|(line, came)| goes(line, *came)) {
            if let Some((line, _)) = self.held.pop_front() {
                self.line(&line, said);
            }
        }
    }

    /// Says a line. Empty ones stand only between others of the same program.
    fn line(&mut self, line: &view::LogLine, said: &mut Vec<String>) {
        let platform = line.level == "info";
        let told = platform && (line.text.starts_with("Detected ") || line.text.starts_with("Live at "));
        if told || self.failure.as_ref() == Some(&line.text) {
            // The phases and the outcome say that.
            return;
        }
        if line.text.trim().is_empty() {
            self.empty = self.amid_output;
            return;
        }
        if std::mem::take(&mut self.empty) && !platform {
            said.push(format!("  {}", self.paint.dim("│")));
        }
        self.amid_output = !platform;
        said.push(log_line(line, self.paint));
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(line.text.clone());
    }

    fn was_said(&self, line: &str) -> bool {
        line.trim().is_empty() || self.shown.iter().any(|shown| shown == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::deployment;
    use model::Failure;
    use model::deployment::State;
    use model::failure::Code;

    fn line(at_ms: i64, level: &str, text: &str) -> view::LogLine {
        view::LogLine {
            at_ms,
            level: level.into(),
            text: text.into(),
        }
    }

    fn phase(name: &str, started_at_ms: i64, millis: Option<u64>) -> view::Phase {
        view::Phase {
            name: name.into(),
            started_at_ms,
            millis,
        }
    }

    fn transcript(lines: &[view::LogLine], came: Instant) -> Transcript {
        let mut transcript = Transcript::new(Paint::default());
        for line in lines {
            transcript.hold(line.clone(), came);
        }
        transcript
    }

    #[test]
    fn lines_stand_before_the_phase_in_which_they_were_written() {
        let lines = [
            line(5, "info", "Detected node"),
            line(21, "info", "$ npm ci"),
            line(30, "out", ""),
            line(30, "out", "added 2 packages"),
            line(30, "out", ""),
            line(31, "out", "run `npm fund`"),
            line(40, "out", ""),
            line(90, "info", "Live at http://guestbook.localhost:7700"),
        ];
        let now = Instant::now();
        let mut transcript = transcript(&lines, now);
        let mut deployment = deployment(State::Ready);
        deployment.phases = vec![
            phase("toolchain", 6, Some(14)),
            phase("install", 20, Some(30)),
            phase("start", 51, Some(9)),
        ];
        assert_eq!(
            transcript.finish(&deployment, now),
            [
                "✓ toolchain    14ms",
                "  │ $ npm ci",
                "  │ added 2 packages",
                "  │",
                "  │ run `npm fund`",
                "✓ install      30ms",
                "✓ start         9ms",
                "Live in 0ms",
            ]
        );
    }

    #[test]
    fn a_line_waits_until_the_phases_before_it_are_known() {
        let came = Instant::now();
        let mut transcript = transcript(&[line(30, "info", "$ npm ci")], came);
        let mut deployment = deployment(State::Building);
        deployment.phases = vec![phase("toolchain", 6, None)];
        assert!(!transcript.is_due(came));
        assert!(transcript.tell(&deployment, came).is_empty());
        assert!(transcript.is_due(came + SETTLED));
        deployment.phases = vec![phase("toolchain", 6, Some(14)), phase("install", 20, None)];
        assert_eq!(
            transcript.tell(&deployment, came + SETTLED),
            ["✓ toolchain    14ms", "  │ $ npm ci"]
        );
        assert!(transcript.finish(&deployment, came).len() == 1, "nothing twice");
    }

    #[test]
    fn too_many_lines_do_not_wait() {
        let now = Instant::now();
        let mut transcript = transcript(&vec![line(30, "out", "x"); HELD_MAX], now);
        assert!(transcript.is_full());
        assert_eq!(transcript.tell(&deployment(State::Building), now).len(), HELD_MAX);
        assert!(!transcript.is_full());
    }

    #[test]
    fn a_failure_repeats_no_lines_that_were_just_said() {
        let now = Instant::now();
        let mut failed = deployment(State::Failed);
        let failure = Failure::new(Code::BuildFailed, "it broke").excerpt(vec![String::new(), "boom".into()]);
        failed.failure = Some(failure);
        let lines = [line(30, "err", "boom"), line(30, "info", "it broke")];
        let said = transcript(&lines, now).finish(&failed, now);
        assert_eq!(said[..2], ["  │ boom", "error: it broke"]);
        assert!(!said[2..].iter().any(|line| line.contains("boom")), "{said:?}");
        let said = transcript(&[], now).finish(&failed, now);
        assert_eq!(said.iter().filter(|line| line.contains("boom")).count(), 1);
    }
}
