//! What was measured, beside the peer measured in the same run, and whether it is what we promise.

use std::fmt;

/// Of the table in `docs/promises.md`.
pub(crate) const HEAD: &str =
    "| figure | ours | peer | compared | target | held |\n|---|---|---|---|---|---|";

/// Several readings of one thing.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    unit: &'static str,
    /// As they were made.
    values: Vec<f64>,
    sorted: Vec<f64>,
}

impl Readings {
    /// `values` in `unit`; at least one.
    pub(crate) fn new(unit: &'static str, values: Vec<f64>) -> anyhow::Result<Readings> {
        anyhow::ensure!(!values.is_empty(), "nothing was measured");
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Readings { unit, values, sorted })
    }

    /// The median of what each is, times that of `others` which was made in the same round.
    fn times(&self, others: &Readings) -> f64 {
        let mut ratios: Vec<f64> = self
            .values
            .iter()
            .zip(&others.values)
            .map(|(one, other)| one / other)
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// `share` between 0 and 1.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len() - 1;
        self.sorted[((last as f64 * share).round() as usize).min(last)]
    }
}

impl fmt::Display for Readings {
    /// `2.1 ms (1.9–3.0), n=50`; one reading is just itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median() < 10.0 { 2 } else { 1 };
        write!(f, "{:.digits$} {}", self.median(), self.unit)?;
        if let ([least, .., most], count) = (self.sorted.as_slice(), self.sorted.len()) {
            write!(f, " ({least:.digits$}–{most:.digits$}), n={count}")?;
        }
        Ok(())
    }
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// In the figure's own unit.
    AtMost(f64),
    /// Times the peer.
    Times(f64),
    /// Times the peer, round by round: what else the machine does in one round, it does to both.
    TimesInTurn(f64),
    /// More than the peer, in the figure's unit.
    Over(f64),
    /// Told for comparison.
    Told,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) ours: Readings,
    pub(crate) peer: Option<(String, Readings)>,
    pub(crate) target: Target,
}

impl Figure {
    /// Nothing is known where a peer is asked for and missing.
    fn held(&self) -> Option<bool> {
        let ours = self.ours.median();
        let peer = self.peer.as_ref().map(|(_, readings)| readings.median());
        match self.target {
            Target::AtMost(most) => Some(ours <= most),
            Target::Times(most) => peer.map(|peer| ours <= peer * most),
            Target::TimesInTurn(most) => {
                let peer = self.peer.as_ref();
                peer.map(|(_, readings)| self.ours.times(readings) <= most)
            }
            Target::Over(most) => peer.map(|peer| ours <= peer + most),
            Target::Told => None,
        }
    }

    /// A line below [`HEAD`].
    pub(crate) fn row(&self) -> String {
        let peer = self.peer.as_ref();
        let compared = peer.map_or(String::new(), |(_, readings)| match self.target {
            Target::Over(_) => format!("{:+.1}", self.ours.median() - readings.median()),
            Target::TimesInTurn(_) => format!("{:.2} ×", self.ours.times(readings)),
            _ => format!("{:.2} ×", self.ours.median() / readings.median()),
        });
        let unit = self.ours.unit;
        let target = match self.target {
            Target::AtMost(most) => format!("≤ {most} {unit}"),
            Target::Times(most) | Target::TimesInTurn(most) => format!("≤ {most} ×"),
            Target::Over(most) => format!("≤ peer + {most} {unit}"),
            Target::Told => String::new(),
        };
        let held = match self.held() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let peer = peer.map_or(String::new(), |(name, readings)| format!("{name}: {readings}"));
        format!(
            "| {} | {} | {peer} | {compared} | {target} | {held} |",
            self.what, self.ours
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, peer: f64, target: Target) -> Figure {
        Figure {
            what: "start".to_owned(),
            ours: Readings::new("ms", vec![ours]).expect("one"),
            peer: Some(("bwrap".to_owned(), Readings::new("ms", vec![peer]).expect("one"))),
            target,
        }
    }

    #[test]
    fn a_target_is_held_or_not() {
        assert_eq!(figure(2.0, 4.0, Target::AtMost(3.0)).held(), Some(true));
        assert_eq!(figure(3.1, 4.0, Target::AtMost(3.0)).held(), Some(false));
        assert_eq!(figure(4.4, 4.0, Target::Times(1.1)).held(), Some(true));
        assert_eq!(figure(65.0, 4.0, Target::Over(60.0)).held(), Some(false));
        assert_eq!(figure(1.0, 4.0, Target::Told).held(), None);
    }

    #[test]
    fn what_was_measured_in_turns_is_compared_round_by_round() {
        let readings = |values: &[f64]| Readings::new("µs", values.to_vec()).expect("some");
        let noisy = Figure {
            what: "answer".to_owned(),
            ours: readings(&[10.0, 30.0, 22.0]),
            peer: Some(("nginx".to_owned(), readings(&[10.0, 30.0, 20.0]))),
            target: Target::TimesInTurn(1.0),
        };
        assert_eq!(noisy.held(), Some(true));
        assert!(
            noisy.row().contains("| 1.00 × | ≤ 1 × | yes |"),
            "{}",
            noisy.row()
        );
        let target = Target::Times(1.0);
        assert_eq!(
            Figure { target, ..noisy }.held(),
            Some(false),
            "the medians are of different rounds"
        );
    }

    #[test]
    fn readings_say_their_spread() {
        let readings = Readings::new("ms", vec![3.0, 1.0, 2.0]).expect("three");
        assert_eq!(readings.to_string(), "2.00 ms (1.00–3.00), n=3");
        assert_eq!(
            Readings::new("MB", vec![31.04]).expect("one").to_string(),
            "31.0 MB"
        );
        assert_eq!(
            figure(2.0, 4.0, Target::AtMost(3.0)).row(),
            "| start | 2.00 ms | bwrap: 4.00 ms | 0.50 × | ≤ 3 ms | yes |"
        );
    }
}
