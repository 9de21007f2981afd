//! What passes between a visitor and an application, and what does not.

use std::sync::atomic::Ordering;

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;

use crate::application::{http, mirror, nobody, raw, read_head, scripted};
use crate::visitor::{Visitor, get};
use crate::world::{World, awake, deployment, instance, until};

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let mut world = World::new().await;
    let application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    for number in 0..20 {
        assert_eq!(
            visitor.get("a.localhost", &format!("/{number}"), "").await.status,
            200
        );
    }
    for _ in 0..5 {
        assert_eq!(get(world.address, "a.localhost", "/").await.status, 200);
    }
    assert_eq!(application.connections.load(Ordering::SeqCst), 1);
    assert_eq!(world.activity.of(&instance(1)).in_flight, 0);
    assert!(world.activity.of(&instance(1)).last_request_at_ms > 0);
}

#[tokio::test]
async fn an_application_is_told_the_way_as_the_edge_sees_it() {
    let mut world = World::new().await;
    let _application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n\
                  X-Cygni-Deployment: forged\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Kept: 2\r\n";
    let mut visitor = Visitor::new(world.address).await;
    let text = visitor.get("a.localhost:7700", "/", claims).await.text();
    for line in [
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: a.localhost:7700",
        "x-forwarded-port: 7700",
        "forwarded: for=127.0.0.1;host=\"a.localhost:7700\";proto=http",
        "x-kept: 2",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
    assert!(text.contains("\nx-request-id: req-"), "{text}");
    for gone in ["6.6.6.6", "x-hop", "\nconnection:", "x-cygni"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
}

#[tokio::test]
async fn an_answer_is_cleaned_of_what_is_not_the_applications_to_say() {
    let mut world = World::new().await;
    let _application = scripted(
        &world,
        1,
        "HTTP/1.1 201 Made\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\n\
         X-Cygni-Deployment: forged\r\nX-Cygni-Error: forged\r\nX-Robots-Tag: all\r\n\
         Set-Cookie: a=1; Domain=localhost; Path=/\r\nSet-Cookie: b=2; Domain=a.localhost\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let answer = get(world.address, "a.localhost", "/").await;
    assert_eq!((answer.status, answer.text().as_str()), (201, "ok"));
    assert_eq!(
        answer.all("set-cookie"),
        ["a=1; Path=/", "b=2; Domain=a.localhost"]
    );
    assert_eq!(answer.all("x-cygni-deployment"), [deployment(1).as_str()]);
    assert_eq!(answer.all("x-robots-tag"), ["noindex"]);
    assert_eq!(
        (answer.header("x-kept"), answer.header("x-hop")),
        (Some("2"), None)
    );
    assert_eq!(
        (answer.header("keep-alive"), answer.header("x-cygni-error")),
        (None, None)
    );
}

#[tokio::test]
async fn a_body_comes_through_whole_in_either_framing() {
    let mut world = World::new().await;
    let _application = http(&world, 1, |request: hyper::Request<Incoming>| async move {
        let length = request.headers().get("content-length").cloned();
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let mut response = http::Response::new(Full::new(bytes));
        if let Some(length) = length {
            response.headers_mut().insert("x-length", length);
        }
        response
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    let body = "x".repeat(300_000);
    visitor
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ))
        .await;
    assert_eq!(visitor.head().await.status, 100);
    visitor.send(&body).await;
    let answer = visitor.answer().await;
    assert_eq!(
        (answer.text(), answer.header("x-length")),
        (body.clone(), Some("300000"))
    );
    visitor.send("PUT / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    let answer = visitor.answer().await;
    assert_eq!(
        (answer.text().as_str(), answer.header("x-length")),
        ("abcde", None)
    );
}

#[tokio::test]
async fn a_dead_application_gives_a_page_and_is_reported() {
    let mut world = World::new().await;
    world.dialer.point(&instance(1), nobody());
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST /x HTTP/1.1\r\nHost: a.localhost\r\nAccept: text/html\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    let answer = visitor.answer().await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (502, Some("upstream_unreachable"))
    );
    assert_eq!(answer.header("x-cygni-deployment"), Some(deployment(1).as_str()));
    assert!(answer.text().contains("cx logs --runtime"), "{}", answer.text());
    assert_eq!(world.wakes.recv().await, Some(instance(1)));
    assert_eq!(visitor.get("a.localhost", "/", "").await.status, 502);
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_told_apart_from_none() {
    let mut world = World::new().await;
    let _garbage = scripted(&world, 1, "SSH-2.0-OpenSSH\r\n\r\n").await;
    let _closing = raw(&world, 2, |mut stream| async move {
        read_head(&mut stream).await;
    })
    .await;
    world
        .publish(vec![("a.localhost", awake(1)), ("b.localhost", awake(2))])
        .await;
    let answer = get(world.address, "a.localhost", "/").await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (502, Some("upstream_invalid"))
    );
    let answer = get(world.address, "b.localhost", "/").await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (502, Some("upstream_closed"))
    );
}

/// An application that closes each connection at the second request on it, without an answer.
async fn fickle(world: &World) -> crate::application::Application {
    raw(world, 1, |mut stream| async move {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await
            .unwrap();
        read_head(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_a_safe_request_nothing() {
    let mut world = World::new().await;
    let application = fickle(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    for _ in 0..6 {
        assert_eq!(visitor.get("a.localhost", "/", "").await.status, 200);
    }
    assert!(application.connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn an_unsafe_request_is_never_sent_twice() {
    let mut world = World::new().await;
    let application = raw(&world, 1, |mut stream| async move {
        read_head(&mut stream).await;
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(visitor.answer().await.status, 502);
    assert_eq!(application.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn head_has_the_fields_and_no_body() {
    let mut world = World::new().await;
    let _application = scripted(&world, 1, "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    for _ in 0..2 {
        visitor.send("HEAD / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
        let answer = visitor.head().await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (200, Some("1234"))
        );
    }
    until(|| world.activity.of(&instance(1)).in_flight == 0).await;
}
