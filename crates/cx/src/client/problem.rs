//! Problem documents (RFC 9457) of the API, as faults.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::exit::{Exit, Fault};

/// What the API sends with every error.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    detail: String,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
}

/// The fault that an answer with `status` and `body` means.
pub(super) fn fault(status: StatusCode, body: &[u8], server: &str) -> Fault {
    let exit = match status.as_u16() {
        // 507: the disk has no room; the server says so on purpose.
        401 | 403 | 507 => Exit::Refused,
        404 => Exit::NotFound,
        502..=504 => Exit::Unreachable,
        500.. => Exit::Internal,
        _ => Exit::Failed,
    };
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Fault::new(
            Exit::Unreachable,
            "not_cygni",
            format!("{server} answered {status}, and not as a Cygni server"),
        )
        .hint("check the address in --url or CX_URL");
    };
    let mut fault = Fault::new(exit, &problem.code, problem.detail);
    fault.hint = problem.hint.filter(|hint| !hint.is_empty());
    if let (Exit::Internal, Some(id)) = (exit, problem.request_id) {
        fault.message = format!("{} (request {id})", fault.message);
    }
    if status == StatusCode::UNAUTHORIZED {
        fault.hint =
            Some("pass the server's token with --token or CX_TOKEN; it lies in its data directory".into());
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_words() {
        let body = br#"{"type":"urn:x","status":404,"code":"preview_unknown","detail":"there is none","hint":"deploy"}"#;
        let fault = fault(StatusCode::NOT_FOUND, body, "http://x");
        assert_eq!(
            (fault.exit, fault.message.as_str()),
            (Exit::NotFound, "there is none")
        );
        assert_eq!(fault.hint.as_deref(), Some("deploy"));
    }

    #[test]
    fn somebody_elses_server_is_named() {
        let fault = fault(StatusCode::BAD_GATEWAY, b"<html>", "http://x");
        assert_eq!(
            (fault.exit, fault.code.as_str()),
            (Exit::Unreachable, "not_cygni")
        );
        assert!(fault.message.contains("http://x"));
    }
}
