//! Whose host it is, and what is said where there is nothing to serve.

use model::Failure;
use model::failure::Code;
use model::route::{Notice, Target};

use crate::application::mirror;
use crate::visitor::{Visitor, get};
use crate::world::{World, awake, deployment};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8\r\n";

#[tokio::test]
async fn each_host_has_its_own_target() {
    let mut world = World::new().await;
    let (_a, _b) = (mirror(&world, 1).await, mirror(&world, 2).await);
    world
        .publish(vec![("a.localhost", awake(1)), ("b.localhost", awake(2))])
        .await;
    for (host, number) in [("a.localhost", 1), ("B.LocalHost:7700", 2), ("a.localhost.", 1)] {
        let answer = get(world.address, host, "/x?y=1").await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with("GET /x?y=1\n"), "{}", answer.text());
        assert!(
            answer.text().contains(&format!("host: {host}\n")),
            "{}",
            answer.text()
        );
        assert_eq!(answer.all("x-cygni-deployment"), [deployment(number).as_str()]);
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
        assert!(answer.header("x-request-id").unwrap().starts_with("req-"));
        assert_eq!(answer.header("x-cygni-error"), None);
    }
}

#[tokio::test]
async fn the_platform_has_its_own_hosts() {
    let world = World::new().await;
    for host in ["localhost:7700", "LOCALHOST", "127.0.0.1", "[::1]:7700"] {
        let answer = get(world.address, host, "/api").await;
        assert_eq!(answer.text(), "platform /api 127.0.0.1", "{host}");
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn an_unknown_host_is_told_so_in_the_form_asked_for() {
    let world = World::new().await;
    let mut visitor = Visitor::new(world.address).await;
    let page = visitor.get("nothing.localhost", "/", BROWSER).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (404, Some("text/html; charset=utf-8"))
    );
    assert!(page.text().contains("Nothing is deployed at nothing.localhost."));
    let problem = visitor
        .get("nothing.localhost", "/", "X-Request-Id: mine-1\r\n")
        .await;
    assert_eq!(
        (problem.status, problem.header("content-type")),
        (404, Some("application/problem+json"))
    );
    let json: serde_json::Value = serde_json::from_slice(&problem.body).unwrap();
    assert_eq!(
        (json["status"].as_u64(), json["code"].as_str()),
        (Some(404), Some("unknown_host"))
    );
    assert_eq!(json["request_id"], "mine-1");
    for answer in [page, problem] {
        assert_eq!(answer.header("x-cygni-error"), Some("unknown_host"));
        assert_eq!(answer.header("x-cygni-deployment"), None);
    }
}

#[tokio::test]
async fn notices_have_their_status_and_name_their_deployment() {
    let mut world = World::new().await;
    let failure = Failure::new(Code::BuildFailed, "`npm run build` ended with exit code 1")
        .excerpt(vec!["src/<b>.ts(3,1): error".to_owned()]);
    let notices = [
        (Notice::Queued, 503, "queued"),
        (Notice::Building, 503, "building"),
        (Notice::Starting, 503, "starting"),
        (Notice::Failed(Box::new(failure)), 502, "failed"),
        (Notice::Gone, 410, "gone"),
    ];
    for (notice, status, code) in notices {
        world.publish(vec![("a.localhost", Target::Notice(notice))]).await;
        let mut visitor = Visitor::new(world.address).await;
        let page = visitor.get("a.localhost", "/", BROWSER).await;
        assert_eq!((page.status, page.header("x-cygni-error")), (status, Some(code)));
        assert_eq!(page.header("x-cygni-deployment"), Some(deployment(0).as_str()));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.text().contains("http-equiv=\"refresh\""), status == 503);
        let problem = visitor.get("a.localhost", "/", "").await;
        let json: serde_json::Value = serde_json::from_slice(&problem.body).unwrap();
        assert_eq!(json["code"], code);
        if code == "failed" {
            assert!(
                page.text().contains("src/&lt;b&gt;.ts(3,1): error"),
                "{}",
                page.text()
            );
            assert_eq!(json["failure"]["code"], "build_failed");
        }
    }
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let mut world = World::new().await;
    let application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: x@a.localhost\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 400),
        (
            "CONNECT a.localhost:80 HTTP/1.1\r\nHost: a.localhost:80\r\n\r\n",
            405,
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: +3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: a.localhost\r\nX : 1\r\n\r\n", 400),
    ] {
        let mut visitor = Visitor::new(world.address).await;
        visitor.send(request).await;
        assert_eq!(visitor.head().await.status, status, "{request}");
    }
    assert_eq!(
        application.connections.load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

#[tokio::test]
async fn the_absolute_form_names_the_host() {
    let mut world = World::new().await;
    let _application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("GET http://a.localhost:7700/x HTTP/1.1\r\nHost: other.localhost\r\n\r\n")
        .await;
    let answer = visitor.answer().await;
    assert!(answer.text().starts_with("GET /x\n"), "{}", answer.text());
    assert!(
        answer.text().contains("\nhost: a.localhost:7700\n"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_body_with_two_lengths_reaches_the_application_with_one() {
    let mut world = World::new().await;
    let _application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        let mut visitor = Visitor::new(world.address).await;
        visitor
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a.localhost\r\n{fields}\r\n\r\n0\r\n\r\n"
            ))
            .await;
        let answer = visitor.answer().await;
        // Either is right (RFC 9112, section 6.3); what must not happen is that both fields get through.
        assert!(
            answer.status == 400 || !answer.text().contains("content-length"),
            "{}",
            answer.text()
        );
    }
}
