//! Pages of watched previews reload by themselves; nothing else is touched.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use model::route::Target;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::application::{http, mirror};
use crate::visitor::Visitor;
use crate::world::{PATIENCE, World, awake, deployment};

const DOCUMENT: &str = "Sec-Fetch-Dest: document\r\nAccept: text/html,*/*;q=0.8\r\n";
const HOST: &str = "a.localhost";

fn tag(n: u8) -> String {
    format!(
        "\n<script src=\"/.cygni/live.js\" data-deployment=\"{}\" async></script>\n",
        deployment(n).as_str()
    )
}

async fn socket(world: &World, origin: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{HOST}/.cygni/live").into_client_request().unwrap();
    request.headers_mut().insert("origin", origin.parse().unwrap());
    let stream = TcpStream::connect(world.address).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

/// The deployment that the socket names next.
async fn named(socket: &mut WebSocketStream<TcpStream>) -> String {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await;
    let message = message.expect("a message comes").unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    value["deployment"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn static_pages_of_watched_previews_get_the_script() {
    let mut world = World::new().await;
    let tree = world.tree(&[
        ("index.html", b"<h1>hi</h1>"),
        ("a.js", b"1"),
        ("404.html", b"no"),
    ]);
    let site = || Target::Static { tree, spa: false };
    world.publish(vec![(HOST, site())]).await;
    let mut visitor = Visitor::new(world.address).await;
    let before = visitor.get(HOST, "/", DOCUMENT).await;
    assert_eq!(before.text(), "<h1>hi</h1>");
    let kept = format!("{DOCUMENT}If-None-Match: {}\r\n", before.header("etag").unwrap());
    assert_eq!(visitor.get(HOST, "/", &kept).await.status, 304);
    assert_eq!(visitor.get(HOST, "/.cygni/live.js", "").await.status, 404);

    world.publish_watched(vec![(HOST, site())]).await;
    let page = visitor.get(HOST, "/", &kept).await;
    assert_eq!(
        (page.status, page.text()),
        (200, format!("<h1>hi</h1>{}", tag(0)))
    );
    assert_eq!(page.header("etag"), None);
    assert_eq!(
        page.header("content-length").unwrap(),
        page.body.len().to_string()
    );
    let lost = visitor.get(HOST, "/nowhere", DOCUMENT).await;
    assert_eq!((lost.status, lost.text()), (404, format!("no{}", tag(0))));

    // What scripts fetch, parts, and what is no page.
    for (path, lines) in [
        ("/", "Sec-Fetch-Dest: empty\r\nAccept: text/html\r\n"),
        ("/", "Accept: */*\r\n"),
        ("/a.js", DOCUMENT),
    ] {
        let answer = visitor.get(HOST, path, lines).await;
        assert!(!answer.text().contains("script"), "{path} {lines}");
        assert!(
            path == "/a.js" || answer.header("etag").is_some(),
            "{path} {lines}"
        );
    }
    let part = "Sec-Fetch-Dest: empty\r\nRange: bytes=0-1\r\n";
    assert_eq!(visitor.get(HOST, "/", part).await.text(), "<h");
    let script = visitor.get(HOST, "/.cygni/live.js", "").await;
    assert_eq!(
        script.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(script.text().contains("WebSocket"));
}

#[tokio::test]
async fn applications_are_asked_for_plain_pages_and_their_policy_counts() {
    let mut world = World::new().await;
    let _one = http(&world, 1, |request: Request<Incoming>| async move {
        let encoding = request.headers().get("accept-encoding");
        let page = Full::new(bytes::Bytes::from(format!("<p>{encoding:?}")));
        let strict = request.uri().path() == "/strict";
        let policy = if strict {
            "script-src 'none'"
        } else {
            "default-src 'self'"
        };
        Response::builder()
            .header("content-type", "text/html")
            .header("content-security-policy", policy)
            .body(page)
            .unwrap()
    })
    .await;
    world.publish_watched(vec![(HOST, awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    let lines = format!("{DOCUMENT}Accept-Encoding: gzip, br\r\n");
    let page = visitor.get(HOST, "/", &lines).await;
    assert_eq!(page.text(), format!("<p>None{}", tag(1)));
    let strict = visitor.get(HOST, "/strict", &lines).await;
    assert_eq!(strict.text(), "<p>None");
    let fetched = visitor.get(HOST, "/", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(fetched.text(), "<p>Some(\"gzip\")");
}

#[tokio::test]
async fn open_pages_are_told_of_every_switch() {
    let mut world = World::new().await;
    let _two = (mirror(&world, 1).await, mirror(&world, 2).await);
    world.publish_watched(vec![(HOST, awake(1))]).await;
    let mut page = socket(&world, &format!("http://{HOST}")).await.unwrap();
    assert_eq!(named(&mut page).await, deployment(1).as_str());
    // Other changes say nothing: the next word is of the switch.
    world
        .publish_watched(vec![(HOST, awake(1)), ("b.localhost", awake(2))])
        .await;
    world.publish_watched(vec![(HOST, awake(2))]).await;
    assert_eq!(named(&mut page).await, deployment(2).as_str());

    world.publish(vec![(HOST, awake(2))]).await;
    let end = tokio::time::timeout(PATIENCE, page.next())
        .await
        .unwrap()
        .unwrap();
    let Message::Close(Some(frame)) = end.unwrap() else {
        panic!("the socket is not closed");
    };
    assert_eq!(u16::from(frame.code), 4001);
}

#[tokio::test]
async fn a_socket_is_for_pages_of_the_same_origin_and_says_when_the_edge_ends() {
    let mut world = World::new().await;
    let _one = mirror(&world, 1).await;
    world.publish_watched(vec![(HOST, awake(1))]).await;
    for origin in ["http://b.localhost", "null", "http://a.localhost:81"] {
        let Err(Error::Http(answer)) = socket(&world, origin).await else {
            panic!("{origin} was let in");
        };
        assert_eq!(answer.status(), 400, "{origin}");
    }
    let mut visitor = Visitor::new(world.address).await;
    assert_eq!(visitor.get(HOST, "/.cygni/live", "").await.status, 400);

    let mut page = socket(&world, &format!("http://{HOST}")).await.unwrap();
    named(&mut page).await;
    let long = "x".repeat(2 << 10);
    page.send(Message::text(long)).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, page.next()).await.unwrap();
    assert!(
        !matches!(end, Some(Ok(Message::Text(_)))),
        "a page has nothing to say"
    );

    let mut page = socket(&world, &format!("http://{HOST}")).await.unwrap();
    named(&mut page).await;
    world.shutdown.cancel();
    let end = tokio::time::timeout(PATIENCE, page.next()).await.unwrap();
    assert!(matches!(end, Some(Ok(Message::Close(_)))), "{end:?}");
    drop(page);
    tokio::time::timeout(PATIENCE + Duration::from_secs(1), &mut world.running)
        .await
        .expect("open pages do not hold up the end")
        .unwrap();
}
