//! HTTP/2 without TLS, on the same listener.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::route::Target;
use tokio::net::TcpStream;

use crate::application::{held, http, mirror, raw, read_head};
use crate::visitor::Visitor;
use crate::world::{World, awake, instance, until};

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn connect(world: &World) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().uri(format!("http://a.localhost:7700{path}"))
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn an_application_sees_one_request_of_http_1() {
    let mut world = World::new().await;
    let _application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut sender = connect(&world).await;
    let request = get("/a?b=c")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers");
    let response = sender
        .send_request(request.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, http::Version::HTTP_2)
    );
    assert!(response.headers().contains_key("x-cygni-deployment"));
    let text = text(response).await;
    assert!(text.starts_with("GET /a?b=c\n"), "{text}");
    for line in [
        "host: a.localhost:7700",
        "cookie: a=1; b=2",
        "x-forwarded-host: a.localhost:7700",
        "te: trailers",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
    assert!(
        !text.contains("\nconnection") && !text.contains("http2"),
        "{text}"
    );
}

#[tokio::test]
async fn many_requests_share_a_connection_and_bodies_go_both_ways() {
    let mut world = World::new().await;
    let _application = http(&world, 1, |request: Request<Incoming>| async move {
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", bytes.len().into());
        let frames = [Frame::data(bytes), Frame::trailers(trailers)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok)));
        let mut response = Response::new(body);
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        response
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let sender = connect(&world).await;
    let asking = (0..20_usize).map(|number| {
        let mut sender = sender.clone();
        async move {
            let bytes = Bytes::from(vec![b'0' + (number % 10) as u8; 10_000 * number]);
            let request = get("/")
                .method("POST")
                .header("te", "trailers")
                .body(Full::new(bytes.clone()))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            let body = response.into_body().collect().await.unwrap();
            let sum = body
                .trailers()
                .and_then(|trailers| trailers.get("x-sum"))
                .cloned();
            assert_eq!(sum, Some(bytes.len().into()));
            assert_eq!(body.to_bytes(), bytes);
        }
    });
    futures_util::future::join_all(asking).await;
    until(|| world.activity.of(&instance(1)).in_flight == 0).await;
}

#[tokio::test]
async fn files_large_and_small_come_whole() {
    let mut world = World::new().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let tree = world.tree(&[("l.bin", &large), ("s.txt", b"small")]);
    world
        .publish(vec![("a.localhost", Target::Static { tree, spa: false })])
        .await;
    let mut sender = connect(&world).await;
    let response = sender
        .send_request(get("/s.txt").body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(text(response).await, "small");
    let response = sender
        .send_request(get("/l.bin").body(Full::default()).unwrap())
        .await
        .unwrap();
    assert!(response.into_body().collect().await.unwrap().to_bytes() == large);
    // The same over HTTP/1, where the system sends the file.
    assert!(
        crate::visitor::get(world.address, "a.localhost", "/l.bin")
            .await
            .body
            == large
    );
}

#[tokio::test]
async fn a_visitor_who_does_not_say_what_he_speaks_is_let_go() {
    let world = World::with(|options| options.limits.request_head_time = Duration::from_millis(100)).await;
    for begun in [&PREFACE[..10], PREFACE] {
        let mut visitor = Visitor::new(world.address).await;
        visitor.send(begun).await;
        visitor.until_closed().await;
    }
    // What only begins like it is HTTP/1.
    let mut visitor = Visitor::new(world.address).await;
    visitor.send("P").await;
    visitor
        .send("UT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(visitor.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_without_requests_ends_and_one_with_a_request_stays() {
    let mut world =
        World::with(|options| options.limits.request_head_time = Duration::from_millis(100)).await;
    let (_application, release) = held(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let (idle, mut busy) = (connect(&world).await, connect(&world).await);
    let asked = tokio::spawn(busy.send_request(get("/").body(Full::default()).unwrap()));
    world.until_in_flight(&instance(1), 1).await;
    until(|| idle.is_closed()).await;
    release.send(true).unwrap();
    assert_eq!(text(asked.await.unwrap().unwrap()).await, "ok");
    until(|| busy.is_closed()).await;
}

#[tokio::test]
async fn streams_and_heads_are_bounded() {
    let mut world = World::with(|options| {
        options.limits.streams_max = 2;
        options.limits.request_headers_max = 20;
        options.limits.request_head_bytes_max = 8_192;
    })
    .await;
    let _application = raw(&world, 1, |mut stream| async move {
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let sender = connect(&world).await;
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { sender.send_request(get("/").body(Full::default()).unwrap()).await })
        })
        .collect();
    world.until_in_flight(&instance(1), 2).await;
    for asked in waiting {
        asked.abort();
    }
    world.until_in_flight(&instance(1), 0).await;
    let mut sender = connect(&world).await;
    let many = (0..30).fold(get("/"), |request, number| {
        request.header(format!("x-{number}"), "1")
    });
    let response = sender
        .send_request(many.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-cygni-error"]),
        (431, &"too_many_headers".parse().unwrap())
    );
    let long = get("/")
        .header("x", "x".repeat(20_000))
        .body(Full::default())
        .unwrap();
    let refused = sender.send_request(long).await;
    assert!(refused.map_or(true, |response| response.status() == 431));
}

#[tokio::test]
async fn the_end_of_the_edge_finishes_open_requests() {
    let mut world = World::new().await;
    let (_application, release) = held(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut sender = connect(&world).await;
    let asked = tokio::spawn(sender.send_request(get("/").body(Full::default()).unwrap()));
    world.until_in_flight(&instance(1), 1).await;
    world.shutdown.cancel();
    // Whoever comes now is refused, while the request is still open.
    crate::world::until(|| std::net::TcpStream::connect(world.address).is_err()).await;
    release.send(true).unwrap();
    assert_eq!(text(asked.await.unwrap().unwrap()).await, "ok");
    tokio::time::timeout(crate::world::PATIENCE, world.running)
        .await
        .unwrap()
        .unwrap();
}
