//! The API.

use model::Digest;

use crate::server::Server;

const SITE: &str = r#"{"project": "site", "files": {"index.html": "<h1>hello</h1>"}}"#;

#[tokio::test]
async fn everything_but_health_needs_the_token() {
    let server = Server::start().await;
    assert_eq!(
        server.send("GET /api/v1/health", &[], "").await.json()["status"],
        "ok"
    );
    let calls = [
        "GET /api/v1/projects",
        "POST /api/v1/deployments",
        "GET /api/v1/previews",
        "DELETE /api/v1/namespaces/main",
        "GET /api/v1/variables?project=site",
        "GET /api/v1/events",
        "GET /api/v1/nothing",
    ];
    for call in calls {
        for headers in [&[][..], &[("authorization", "Bearer wrong")][..]] {
            let answer = server.send(call, headers, "").await;
            assert_eq!(answer.status, 401, "{call}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{call}"
            );
        }
    }
}

#[tokio::test]
async fn files_in_one_call_become_a_deployment() {
    let server = Server::start().await;
    let answer = server.call("POST /api/v1/deployments?wait=true", SITE).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let deployment = answer.json();
    assert_eq!(deployment["state"], "ready", "{deployment}");
    let preview = server
        .call("GET /api/v1/namespaces/main/previews/site", "")
        .await
        .json();
    assert_eq!(preview["current"], deployment["id"]);
    let id = deployment["id"].as_str().unwrap();
    let log = server
        .call(&format!("GET /api/v1/deployments/{id}/logs?follow=true"), "")
        .await;
    assert_eq!(log.header("content-type"), Some("text/event-stream"));
    assert!(log.body.contains("data: {\"at_ms\""), "{}", log.body);
    assert!(
        log.body.trim_end().ends_with("event: end\ndata: {}"),
        "{}",
        log.body
    );
}

#[tokio::test]
async fn a_log_is_taken_up_where_it_was_left() {
    let server = Server::start().await;
    let deployment = server
        .call("POST /api/v1/deployments?wait=true", SITE)
        .await
        .json();
    let line = format!(
        "GET /api/v1/deployments/{}/logs?follow=true",
        deployment["id"].as_str().unwrap()
    );
    let whole = server.call(&line, "").await.body;
    let first = whole.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let bearer = format!("Bearer {}", crate::server::TOKEN);
    let rest = server
        .send(&line, &[("authorization", &bearer), ("last-event-id", first)], "")
        .await
        .body;
    assert_eq!(
        rest.matches("data: {\"at_ms\"").count() + 1,
        whole.matches("data: {\"at_ms\"").count()
    );
}

#[tokio::test]
async fn blobs_travel_once_per_project_and_must_be_what_they_say() {
    let server = Server::start().await;
    let digest = Digest::of(b"<h1>hello</h1>");
    let question = format!(r#"{{"digests": ["{digest}"]}}"#);
    let missing = async |project: &str| {
        let line = format!("POST /api/v1/projects/{project}/blobs/missing");
        server.call(&line, &question).await.json()["missing"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(missing("site").await, 1);
    let put = format!("PUT /api/v1/projects/site/blobs/{digest}");
    assert_eq!(
        server.call(&put, "something else").await.json()["code"],
        "digest_mismatch"
    );
    assert_eq!(server.call(&put, "<h1>hello</h1>").await.status, 201);
    assert_eq!((missing("site").await, missing("other").await), (0, 1));
}

#[tokio::test]
async fn a_tree_with_blobs_that_were_not_sent_is_refused() {
    let server = Server::start().await;
    let digest = Digest::of(b"never sent");
    let body = format!(
        r#"{{"project": "site", "tree": [{{"path": "a", "kind": "file", "digest": "{digest}", "size_bytes": 10, "executable": false}}]}}"#
    );
    let answer = server.call("POST /api/v1/deployments", &body).await;
    assert_eq!(answer.json()["code"], "missing_blobs", "{}", answer.body);
    assert!((400..500).contains(&answer.status));
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let server = Server::start().await;
    let cases = [
        ("GET /api/v1/nothing", "", 404, "not_found"),
        ("DELETE /api/v1/projects", "", 405, "method_not_allowed"),
        ("POST /api/v1/projects", "{\"name\": ", 400, "invalid_body"),
        ("POST /api/v1/projects", "{\"nam\": \"x\"}", 400, "invalid_body"),
        (
            "POST /api/v1/deployments",
            "{\"project\": \"x\"}",
            400,
            "invalid_source",
        ),
        ("GET /api/v1/previews/pre_x", "", 400, "invalid_path"),
        ("GET /api/v1/events?afer=1", "", 400, "invalid_parameter"),
        ("GET /api/v1/variables", "", 422, "no_scope"),
    ];
    for (line, body, status, code) in cases {
        let answer = server.call(line, body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str().unwrap()),
            (status, code),
            "{line}"
        );
        assert_eq!(
            answer.json()["request_id"].as_str(),
            answer.header("x-request-id"),
            "{line}"
        );
    }
    let long = "x".repeat(300 << 10);
    assert_eq!(
        server.call("POST /api/v1/projects", &long).await.json()["code"],
        "too_large"
    );
}

#[tokio::test]
async fn foreign_hosts_are_refused() {
    let server = Server::start().await;
    let answer = server
        .send("GET /api/v1/health", &[("host", "evil.example")], "")
        .await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str().unwrap()),
        (421, "unknown_host")
    );
    let same = server
        .send("GET /api/v1/health", &[("host", "LOCALHOST.:80")], "")
        .await;
    assert_eq!(same.status, 200);
}

#[tokio::test]
async fn secrets_are_listed_without_their_value() {
    let server = Server::start().await;
    server.call("POST /api/v1/projects", r#"{"name": "site"}"#).await;
    let set = "PUT /api/v1/variables?project=site";
    assert_eq!(
        server
            .call(set, r#"{"name": "KEY", "value": "hidden"}"#)
            .await
            .status,
        200
    );
    let list = server.call("GET /api/v1/variables?project=site", "").await;
    assert_eq!(list.json()[0]["name"], "KEY");
    assert!(!list.body.contains("hidden"));
    assert_eq!(
        server
            .call("DELETE /api/v1/variables?project=site&name=KEY", "")
            .await
            .status,
        200
    );
    assert_eq!(
        server.call("GET /api/v1/variables?project=site", "").await.json(),
        serde_json::json!([])
    );
}
