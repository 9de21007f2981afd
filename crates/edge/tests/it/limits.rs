//! Nothing that a visitor or an application does goes beyond its limit.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::application::{raw, read_head};
use crate::visitor::{Visitor, get};
use crate::world::{World, awake, instance};

#[tokio::test]
async fn a_head_that_comes_too_slowly_ends_the_connection() {
    let world = World::with(|options| options.limits.request_head_time = Duration::from_millis(100)).await;
    let mut silent = Visitor::new(world.address).await;
    let mut slow = Visitor::new(world.address).await;
    slow.send("GET / HTTP/1.1\r\nHost: local").await;
    silent.until_closed().await;
    slow.until_closed().await;
    let mut kept = Visitor::new(world.address).await;
    assert_eq!(kept.get("localhost", "/", "").await.status, 200);
    assert_eq!(kept.until_closed().await, b"");
}

#[tokio::test]
async fn heads_are_bounded_in_bytes_and_fields() {
    let world = World::with(|options| {
        options.limits.request_head_bytes_max = 8_192;
        options.limits.request_headers_max = 20;
    })
    .await;
    let many: String = (0..30).map(|number| format!("X-{number}: 1\r\n")).collect();
    let long = format!("X: {}\r\n", "x".repeat(20_000));
    for lines in [many, long] {
        let mut visitor = Visitor::new(world.address).await;
        visitor
            .send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
            .await;
        assert_eq!(visitor.head().await.status, 431);
    }
}

#[tokio::test]
async fn bodies_are_bounded_whether_they_tell_their_size_or_not() {
    let mut world = World::with(|options| options.limits.request_body_bytes_max = 4).await;
    let _application = raw(&world, 1, |mut stream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    for body in [
        "Content-Length: 5\r\n\r\nabcde",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    ] {
        let mut visitor = Visitor::new(world.address).await;
        visitor
            .send(format!("POST / HTTP/1.1\r\nHost: a.localhost\r\n{body}"))
            .await;
        let answer = visitor.answer().await;
        assert_eq!(
            (answer.status, answer.header("x-cygni-error")),
            (413, Some("too_large")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let mut world =
        World::with(|options| options.limits.request_body_stall_time = Duration::from_millis(50)).await;
    let _application = raw(&world, 1, |mut stream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 5\r\n\r\nab")
        .await;
    let answer = visitor.answer().await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (408, Some("body_stalled"))
    );
}

#[tokio::test]
async fn an_application_that_does_not_answer_is_given_up() {
    let mut world =
        World::with(|options| options.limits.response_head_time = Duration::from_millis(100)).await;
    let _application = raw(&world, 1, |mut stream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let answer = get(world.address, "a.localhost", "/").await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (504, Some("upstream_timeout"))
    );
    world.until_in_flight(&instance(1), 0).await;
}

#[tokio::test]
async fn an_instance_takes_so_many_requests_and_no_more() {
    let mut world = World::with(|options| options.limits.instance_requests_max = 1).await;
    let _application = raw(&world, 1, |mut stream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut first = Visitor::new(world.address).await;
    first.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    world.until_in_flight(&instance(1), 1).await;
    let answer = get(world.address, "a.localhost", "/").await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (503, Some("too_many_requests"))
    );
    drop(first);
    world.until_in_flight(&instance(1), 0).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let world = World::with(|options| options.limits.connections_max = 1).await;
    let mut first = Visitor::new(world.address).await;
    assert_eq!(first.get("localhost", "/", "").await.status, 200);
    let mut second = Visitor::new(world.address).await;
    second.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(50), second.head()).await;
    assert!(early.is_err());
    drop(first);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_is_let_go() {
    let mut world = World::with(|options| options.limits.write_stall_time = Duration::from_millis(100)).await;
    let _application = raw(&world, 1, |mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    world.until_in_flight(&instance(1), 1).await;
    world.until_in_flight(&instance(1), 0).await;
}

#[tokio::test]
async fn a_head_that_trickles_ends_with_its_time_and_not_with_its_last_byte() {
    let world = World::with(|options| options.limits.request_head_time = Duration::from_millis(200)).await;
    let mut visitor = Visitor::new(world.address).await;
    assert_eq!(visitor.get("localhost", "/", "").await.status, 200);
    let (mut tick, begun) = (
        tokio::time::interval(Duration::from_millis(20)),
        std::time::Instant::now(),
    );
    visitor.send("GET / HTTP/1.1\r\nX: ").await;
    while visitor.try_send("x").await {
        assert!(begun.elapsed() < crate::world::PATIENCE, "it goes on for ever");
        tick.tick().await;
    }
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let world = World::with(|options| {
        options.many_visitors.clear();
        options.limits.connections_per_address_max = 2;
    })
    .await;
    let (mut first, mut second) = (
        Visitor::new(world.address).await,
        Visitor::new(world.address).await,
    );
    assert_eq!(first.get("localhost", "/", "").await.status, 200);
    assert_eq!(second.get("localhost", "/", "").await.status, 200);
    assert_eq!(Visitor::new(world.address).await.until_closed().await, b"");
    drop(first);
    let begun = std::time::Instant::now();
    loop {
        let mut third = Visitor::new(world.address).await;
        if third.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await
            && third.try_head().await.is_some()
        {
            break;
        }
        assert!(
            begun.elapsed() < crate::world::PATIENCE,
            "its place is not given back"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_to_an_application_are_kept_for_a_while_and_so_many() {
    let mut world = World::with(|options| {
        options.limits.pool_idle_time = Duration::from_millis(100);
        options.limits.pool_idle_max = 1;
    })
    .await;
    let (sender, mut ended) = tokio::sync::mpsc::channel(4);
    let application = raw(&world, 1, move |mut stream| {
        let sender = sender.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
            }
            sender.send(()).await.unwrap();
        }
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    assert_eq!(get(world.address, "a.localhost", "/").await.text(), "ok");
    // Ended by the edge, although nobody asks for anything.
    let end = tokio::time::timeout(crate::world::PATIENCE, ended.recv()).await;
    assert_eq!(end.expect("it is ended in time"), Some(()));
    assert_eq!(get(world.address, "a.localhost", "/").await.text(), "ok");
    assert_eq!(
        application.connections.load(std::sync::atomic::Ordering::SeqCst),
        2
    );
}
