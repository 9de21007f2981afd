//! A program that generates a site needs one call and nothing else.

use serde_json::{Value, json};

use crate::http::{get, request};
use crate::platform::Platform;

fn post(platform: &Platform, path: &str, body: &Value) -> (u16, Value) {
    let token = format!("Bearer {}", platform.token());
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = request(
        "POST",
        &platform.url("localhost", path),
        &headers,
        body.to_string().as_bytes(),
    )
    .unwrap();
    (
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or(Value::Null),
    )
}

#[test]
fn files_inline_in_one_call() {
    let platform = Platform::start();
    let body = json!({
        "project": "generated",
        "namespace": "session-1",
        "files": { "index.html": "<h1>Made by a program</h1>", "about/index.html": { "content": "aGk=", "encoding": "base64" } },
    });
    let (status, deployment) = post(&platform, "/api/v1/deployments?wait=true", &body);
    assert_eq!(
        (status, deployment["state"].as_str()),
        (201, Some("ready")),
        "{deployment}"
    );
    let url = deployment["preview_url"].as_str().unwrap();
    assert!(get(url).body.contains("Made by a program"));
    assert_eq!(get(&format!("{url}/about/")).body, "hi");
}

#[test]
fn whoever_has_no_token_gets_a_problem_and_nothing_else() {
    let platform = Platform::start();
    let url = platform.url("localhost", "/api/v1/previews");
    for headers in [&[][..], &[("authorization", "Bearer wrong")][..]] {
        let answer = request("GET", &url, headers, b"").unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(get(&platform.url("localhost", "/api/v1/health")).status, 200);
    let (status, problem) = post(
        &platform,
        "/api/v1/deployments",
        &json!({ "project": "No Good", "files": {} }),
    );
    assert!(
        (400..500).contains(&status) && problem["detail"].is_string(),
        "{status} {problem}"
    );
    let foreign = get(&platform.url("evil.example", "/api/v1/health"));
    assert!(foreign.status >= 400, "{foreign:?}");
}
