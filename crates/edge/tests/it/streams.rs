//! Bytes travel when they are there: uploads, event streams, upgraded connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::application::{Application, raw, read_head};
use crate::visitor::Visitor;
use crate::world::{World, asleep, awake, instance};

const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\
                       Sec-Echo-Key: x\r\n\r\n";

/// Switches the protocol, then sends back what it gets.
async fn echo(world: &World) -> Application {
    raw(world, 1, |mut stream| async move {
        let head = read_head(&mut stream).await.unwrap().to_lowercase();
        assert!(
            head.contains("\r\nconnection: upgrade\r\n") && head.contains("\r\nsec-echo-key: x\r\n"),
            "{head}"
        );
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await
}

/// Begins an event stream and sends an event for every message.
async fn events(world: &World) -> (Application, mpsc::Sender<&'static str>) {
    let (sender, receiver) = mpsc::channel::<&'static str>(4);
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
    let application = raw(world, 1, move |mut stream| {
        let receiver = receiver.clone();
        async move {
            read_head(&mut stream).await;
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while let Some(event) = receiver.lock().await.recv().await {
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                if stream.write_all(chunk.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (application, sender)
}

async fn begin_events(world: &World) -> Visitor {
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
        .await;
    assert_eq!(
        visitor.head().await.header("content-type"),
        Some("text/event-stream")
    );
    visitor
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways_and_counts_as_open() {
    let mut world = World::new().await;
    let _application = echo(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor.send(UPGRADE).await;
    let answer = visitor.head().await;
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("echo")));
    assert!(answer.header("x-cygni-deployment").is_some());
    assert_eq!(visitor.exactly(5).await, b"hello");
    for message in ["one", "two"] {
        visitor.send(message).await;
        assert_eq!(visitor.exactly(3).await, message.as_bytes());
    }
    assert_eq!(world.activity.of(&instance(1)).in_flight, 1);
    drop(visitor);
    world.until_in_flight(&instance(1), 0).await;
}

#[tokio::test]
async fn an_upgraded_connection_ends_when_its_instance_leaves_the_table() {
    let mut world = World::new().await;
    let _application = echo(&world).await;
    for table in [vec![], vec![("a.localhost", asleep(1))]] {
        world.publish(vec![("a.localhost", awake(1))]).await;
        let mut visitor = Visitor::new(world.address).await;
        visitor.send(UPGRADE).await;
        assert_eq!(visitor.head().await.status, 101);
        assert_eq!(visitor.exactly(5).await, b"hello");
        world
            .publish(vec![("a.localhost", awake(1)), ("b.localhost", awake(2))])
            .await;
        visitor.send("on").await;
        assert_eq!(visitor.exactly(2).await, b"on");
        world.publish(table).await;
        assert_eq!(visitor.until_closed().await, b"");
    }
}

#[tokio::test]
async fn an_idle_upgraded_connection_ends() {
    let mut world = World::with(|options| options.limits.stream_idle_time = Duration::from_millis(50)).await;
    let _application = echo(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor.send(UPGRADE).await;
    assert_eq!(visitor.head().await.status, 101);
    assert_eq!(visitor.until_closed().await, b"hello");
}

#[tokio::test]
async fn an_event_arrives_while_the_stream_goes_on() {
    let mut world = World::new().await;
    let (_application, sender) = events(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = begin_events(&world).await;
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        sender.send(event).await.unwrap();
        assert_eq!(visitor.chunk().await, Ok(Some(event.as_bytes().to_vec())));
    }
    assert_eq!(world.activity.of(&instance(1)).in_flight, 1);
}

#[tokio::test]
async fn a_stream_that_is_cut_does_not_look_whole() {
    let mut world = World::new().await;
    let (_application, sender) = events(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = begin_events(&world).await;
    sender.send("data: 1\n\n").await.unwrap();
    assert!(visitor.chunk().await.unwrap().is_some());
    world.publish(vec![]).await;
    assert_eq!(visitor.chunk().await, Err(()));
}

#[tokio::test]
async fn the_end_of_the_edge_cuts_streams_and_finishes() {
    let mut world = World::new().await;
    let (_application, sender) = events(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = begin_events(&world).await;
    sender.send("data: 1\n\n").await.unwrap();
    assert!(visitor.chunk().await.unwrap().is_some());
    world.shutdown.cancel();
    assert_eq!(visitor.chunk().await, Err(()));
    tokio::time::timeout(crate::world::PATIENCE, world.running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_upload_reaches_the_application_while_it_is_sent() {
    let mut world = World::new().await;
    let (sender, mut seen) = mpsc::channel(4);
    let _application = raw(&world, 1, move |mut stream| {
        let sender = sender.clone();
        async move {
            read_head(&mut stream).await;
            let mut chunk = [0; 5];
            for _ in 0..2 {
                stream.read_exact(&mut chunk).await.unwrap();
                sender.send(chunk).await.unwrap();
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
        }
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 10\r\n\r\nfirst")
        .await;
    assert_eq!(seen.recv().await.unwrap(), *b"first");
    visitor.send("again").await;
    assert_eq!(seen.recv().await.unwrap(), *b"again");
    assert_eq!(visitor.answer().await.status, 200);
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_comes_through() {
    let mut world = World::new().await;
    let _application = raw(&world, 1, |mut stream| async move {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
            .await
            .unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1000000\r\n\r\n")
        .await;
    let answer = visitor.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
}
