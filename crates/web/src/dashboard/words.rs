//! Words and numbers of the pages.

use std::time::{SystemTime, UNIX_EPOCH};

use control::view;
use model::deployment::State;
use model::preview::Status;

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How long `at_ms` is past, or is to come: `just now`, `5 min ago`, `in 7 days`.
pub(super) fn when(at_ms: i64, now_ms: i64) -> String {
    let seconds = (now_ms - at_ms) / 1_000;
    let span = match seconds.abs() {
        ..=9 => return "just now".to_owned(),
        seconds @ 10..=89 => format!("{seconds} s"),
        seconds @ 90..=5_399 => format!("{} min", (seconds + 30) / 60),
        seconds @ 5_400..=129_599 => format!("{} h", (seconds + 1_800) / 3_600),
        seconds => format!("{} days", (seconds + 43_200) / 86_400),
    };
    if seconds > 0 {
        format!("{span} ago")
    } else {
        format!("in {span}")
    }
}

/// A point in time as RFC 3339 writes it, in UTC, to the second.
pub(super) fn utc(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Year, month and day of a number of days since 1970-01-01 (proleptic Gregorian calendar). Years begin in March here,
/// so that the leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Word and class of a status.
fn status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Empty => ("Empty", "calm"),
        Status::Queued => ("Queued", "busy"),
        Status::Deploying => ("Deploying", "busy"),
        Status::Live => ("Live", "good"),
        Status::Error => ("Live, newest failed", "warn"),
        Status::Failed => ("Failed", "bad"),
        Status::Asleep => ("Asleep", "calm"),
        Status::Expired => ("Expired", "calm"),
    }
}

/// Word and class of a deployment's state.
fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Queued => ("Queued", "busy"),
        State::Building => ("Building", "busy"),
        State::Deploying => ("Deploying", "busy"),
        State::Ready => ("Ready", "good"),
        State::Failed => ("Failed", "bad"),
        State::Cancelled => ("Cancelled", "calm"),
        State::Retired => ("Retired", "calm"),
    }
}

/// Word and class of a deployment, which prepares its build before its state says that it builds.
pub(super) fn deployment(deployment: &view::Deployment) -> (&'static str, &'static str) {
    match deployment.state {
        State::Queued if running(deployment).is_some() => ("Preparing", "busy"),
        other => state(other),
    }
}

/// Word and class of a preview.
pub(super) fn preview(preview: &view::Preview) -> (&'static str, &'static str) {
    match (preview.status, &preview.newest) {
        (Status::Queued, Some(newest)) => deployment(newest),
        (other, _) => status(other),
    }
}

/// The phase that an unfinished deployment is in.
pub(super) fn running(deployment: &view::Deployment) -> Option<&view::Phase> {
    let mut phases = deployment.phases.iter().rev();
    phases
        .find(|phase| phase.millis.is_none())
        .filter(|_| deployment.state.is_unfinished())
}

/// A sentence: the first letter is a capital.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// An address without its scheme, as people read it.
pub(super) fn bare(url: &str) -> &str {
    url.trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_207_218_999), "2026-11-20T20:40:18Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn spans_read_well() {
        let now = 1_000_000_000_000;
        assert_eq!(when(now - 300_000, now), "5 min ago");
        assert_eq!(when(now + 7 * 86_400_000, now), "in 7 days");
        assert_eq!(when(now + 100, now), "just now");
    }
}
