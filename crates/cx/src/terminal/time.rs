//! Points in time as people say them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How long `at_ms` is past: `just now`, `5m ago`.
pub(crate) fn ago(at_ms: i64, now_ms: i64) -> String {
    match (now_ms - at_ms) / 1_000 {
        ..=4 => "just now".to_owned(),
        seconds => format!("{} ago", coarse(seconds)),
    }
}

/// How long it is until `at_ms`: `in 6d`, `now`.
pub(crate) fn until(at_ms: i64, now_ms: i64) -> String {
    match (at_ms - now_ms) / 1_000 {
        ..=0 => "now".to_owned(),
        seconds => format!("in {}", coarse(seconds)),
    }
}

fn coarse(seconds: i64) -> String {
    match seconds {
        ..=89 => format!("{seconds}s"),
        90..=5_399 => format!("{}m", (seconds + 30) / 60),
        5_400..=129_599 => format!("{}h", (seconds + 1_800) / 3_600),
        _ => format!("{}d", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let now = 1_000_000_000_000;
        let said = |seconds: i64| ago(now - seconds * 1_000, now);
        assert_eq!([said(-3), said(2), said(60)], ["just now", "just now", "60s ago"]);
        assert_eq!(
            [said(120), said(7_200), said(3 * 86_400)],
            ["2m ago", "2h ago", "3d ago"]
        );
        assert_eq!(
            [until(now + 7 * 86_400_000, now), until(now, now)],
            ["in 7d", "now"]
        );
    }
}
