//! What Gitea means by a status.

use std::time::Duration;

use serde::Deserialize;

use crate::error::ForgeError;
use crate::http::{Answer, Call, shortened, unavailable};

/// How long to wait where whatever stands before it says "too much" without saying for how long.
const WAIT: Duration = Duration::from_secs(60);
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// What Gitea says about an error.
#[derive(Deserialize)]
struct Problem {
    message: String,
}

/// The answer, or the error that its status is.
pub(super) fn successful(call: &Call, answer: Answer) -> Result<Answer, ForgeError> {
    let status = answer.status.as_u16();
    if (200..=299).contains(&status) {
        return Ok(answer);
    }
    if status == 429 {
        let seconds = answer
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok());
        let retry_after = seconds.map_or(WAIT, Duration::from_secs);
        return Err(ForgeError::Limited {
            retry_after: retry_after.clamp(Duration::from_secs(1), WAIT_MAX),
            message: "too many requests".to_owned(),
        });
    }
    // Without a word of its own it is somebody else's answer: of a proxy, or of a page that is down.
    let Ok(problem) = answer.json::<Problem>() else {
        let message = format!("answered {status} without saying why");
        return Err(unavailable(call, &message));
    };
    let message = shortened(&problem.message);
    Err(match status {
        401 | 403 => ForgeError::Denied { message },
        404 | 410 => ForgeError::NotFound {
            what: call.url.path().to_owned(),
        },
        408 | 500.. => unavailable(call, &format!("answered {status}: {message}")),
        _ => ForgeError::Refused { status, message },
    })
}
