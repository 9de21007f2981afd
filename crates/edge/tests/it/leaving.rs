//! What WebSockets are told when they must end: real ones on both sides, with the edge between them.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::application::{Application, raw, read_head};
use crate::world::{PATIENCE, World, awake};

type Socket = WebSocketStream<TcpStream>;

/// Agrees to be a WebSocket.
async fn accept(mut stream: TcpStream) -> TcpStream {
    let head = read_head(&mut stream).await.unwrap();
    let key = head.lines().find_map(|line| {
        line.to_lowercase()
            .starts_with("sec-websocket-key")
            .then(|| &line[19..])
    });
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.unwrap().as_bytes())
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream
}

/// An application that says back what it is told, and the codes with which its sockets were closed; 0 is none.
async fn echo(world: &World) -> (Application, mpsc::Receiver<u16>) {
    let (sender, codes) = mpsc::channel(4);
    let application = raw(world, 1, move |stream| {
        let sender = sender.clone();
        async move {
            let mut socket = WebSocketStream::from_raw_socket(accept(stream).await, Role::Server, None).await;
            let mut code = 0;
            while let Some(Ok(message)) = socket.next().await {
                match message {
                    Message::Close(frame) => code = frame.map_or(1005, |frame| frame.code.into()),
                    message => socket.send(message).await.unwrap(),
                }
            }
            sender.send(code).await.unwrap();
        }
    })
    .await;
    (application, codes)
}

async fn visit(world: &World) -> Socket {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let request = "ws://a.localhost/".into_client_request().unwrap();
    client_async(request, stream).await.unwrap().0
}

/// The code that comes before the end of the connection.
async fn close_code(socket: &mut Socket) -> Option<u16> {
    let mut code = None;
    let reading = async {
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Close(frame)) => code = frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(Error::ConnectionClosed) => break,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("the connection ends");
    code
}

#[tokio::test]
async fn both_sides_are_told_that_the_edge_goes_away() {
    let mut world = World::new().await;
    let (_application, mut codes) = echo(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut socket = visit(&world).await;
    for text in ["one", &"x".repeat(100_000)] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    world.shutdown.cancel();
    assert_eq!(close_code(&mut socket).await, Some(1001));
    assert_eq!(codes.recv().await, Some(1001));
    timeout(PATIENCE, world.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_instance_that_leaves_the_table_leaves_its_visitors_politely() {
    let mut world = World::new().await;
    let (_application, mut codes) = echo(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut socket = visit(&world).await;
    socket.send(Message::text("one")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("one"));
    world.publish(vec![]).await;
    assert_eq!(close_code(&mut socket).await, Some(1001));
    assert_eq!(codes.recv().await, Some(1001));
}

/// An application that sends the first half of a message when it is told to, and the second when it is told again.
async fn halves(world: &World) -> (Application, mpsc::Sender<()>) {
    let (go, told) = mpsc::channel::<()>(1);
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let application = raw(world, 1, move |stream| {
        let told = told.clone();
        async move {
            let mut stream = accept(stream).await;
            told.lock().await.recv().await;
            stream.write_all(b"\x81\x06abc").await.unwrap();
            told.lock().await.recv().await;
            // A whole message behind it comes too late.
            stream.write_all(b"def\x81\x03ghi").await.unwrap();
            read_head(&mut stream).await;
        }
    })
    .await;
    (application, go)
}

/// A visitor whose half of a message has come.
async fn visit_half(world: &World, go: &mpsc::Sender<()>) -> Socket {
    let socket = visit(world).await;
    go.send(()).await.unwrap();
    timeout(PATIENCE, socket.get_ref().readable())
        .await
        .unwrap()
        .unwrap();
    socket
}

#[tokio::test]
async fn a_message_that_has_begun_is_not_interrupted() {
    let mut world = World::new().await;
    let (_application, go) = halves(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut socket = visit_half(&world, &go).await;
    world.shutdown.cancel();
    go.send(()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("abcdef"));
    assert_eq!(close_code(&mut socket).await, Some(1001));
}

#[tokio::test]
async fn a_message_that_is_never_finished_holds_nobody_up() {
    let mut world = World::new().await;
    let (_application, go) = halves(&world).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut socket = visit_half(&world, &go).await;
    world.shutdown.cancel();
    timeout(PATIENCE, world.running).await.unwrap().unwrap();
    let end = timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(
        !matches!(end, Some(Ok(_))),
        "not as if it had been whole: {end:?}"
    );
}
