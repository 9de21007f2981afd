//! What GitHub means by a status: which errors pass, which do not, and how long it asks us to wait.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::error::ForgeError;
use crate::http::{Answer, Call, shortened, unavailable};

/// How long to wait where GitHub says "too much" without saying for how long.
const WAIT: Duration = Duration::from_secs(60);
/// Longest wait that is believed: limits are by the hour.
const WAIT_MAX: Duration = Duration::from_secs(3_700);

/// What GitHub says where nobody may write: no other credentials would help.
const READ_ONLY: [&str; 2] = ["is locked", "was archived"];

/// What GitHub says about an error.
#[derive(Default, Deserialize)]
struct Problem {
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

/// The answer, or the error that its status is.
pub(super) fn successful(call: &Call, answer: Answer) -> Result<Answer, ForgeError> {
    let status = answer.status.as_u16();
    if matches!(status, 200..=299 | 304) {
        return Ok(answer);
    }
    // Without a word of GitHub's own it is somebody else's answer: of a proxy, or of a page that is down.
    let Ok(problem) = answer.json::<Problem>() else {
        return Err(unavailable(
            call,
            &format!("answered {status} without saying why"),
        ));
    };
    let message = problem.text();
    Err(match status {
        401 | 451 => ForgeError::Denied { message },
        403 | 429 => match wait(&answer, status, &message) {
            Some(retry_after) => ForgeError::Limited { retry_after, message },
            None if READ_ONLY.iter().any(|words| message.contains(words)) => {
                ForgeError::Refused { status, message }
            }
            None => ForgeError::Denied { message },
        },
        404 | 410 => ForgeError::NotFound {
            what: call.url.path().to_owned(),
        },
        408 | 500.. => unavailable(call, &format!("answered {status}: {message}")),
        _ => ForgeError::Refused { status, message },
    })
}

impl Problem {
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for error in self.errors.as_array().into_iter().flatten() {
            let said = error.as_str().or_else(|| error["message"].as_str());
            let named = || {
                Some(format!(
                    "{} {}",
                    error["field"].as_str()?,
                    error["code"].as_str()?
                ))
            };
            if let Some(said) = said.map(str::to_owned).or_else(named) {
                text = format!("{text}; {said}");
            }
        }
        shortened(&text)
    }
}

/// How long to wait, where the answer means that; `None` where it is about permissions.
fn wait(answer: &Answer, status: u16, message: &str) -> Option<Duration> {
    let number = |name| answer.header(name)?.trim().parse::<u64>().ok();
    let wait = if let Some(seconds) = number("retry-after") {
        Some(Duration::from_secs(seconds))
    } else if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset").unwrap_or_default();
        Some(Duration::from_secs(reset.saturating_sub(now(answer))))
    } else {
        let lower = message.to_ascii_lowercase();
        let is_limit = status == 429 || lower.contains("rate limit") || lower.contains("abuse detection");
        is_limit.then_some(WAIT)
    };
    wait.map(|wait| wait.clamp(Duration::from_secs(1), WAIT_MAX))
}

/// The time by GitHub's own clock, in seconds since 1970.
fn now(answer: &Answer) -> u64 {
    let date = answer.header("date").and_then(|date| {
        let parsed = jiff::fmt::rfc2822::parse(date).ok()?;
        Some(parsed.timestamp())
    });
    let seconds = date.unwrap_or_else(Timestamp::now).as_second();
    u64::try_from(seconds).unwrap_or_default()
}
