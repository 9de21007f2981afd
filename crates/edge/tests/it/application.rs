//! Applications of the tests: servers on loopback that the dialer of the test reaches.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::{World, instance};

pub(crate) struct Application {
    pub(crate) connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Application {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Instance `n` of `world` handles each connection with `handle`.
pub(crate) async fn raw<F, H>(world: &World, n: u8, handle: H) -> Application
where
    H: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.dialer.point(&instance(n), listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(handle(stream));
        }
    });
    Application {
        connections,
        accepting,
    }
}

/// Instance `n` of `world` answers `ok` when it is released.
pub(crate) async fn held(world: &World, n: u8) -> (Application, watch::Sender<bool>) {
    let (release, released) = watch::channel(false);
    let application = raw(world, n, move |mut stream| {
        let mut released = released.clone();
        async move {
            read_head(&mut stream).await;
            released.wait_for(|free| *free).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
    });
    (application.await, release)
}

/// Instance `n` of `world` answers each request with `answer`.
pub(crate) async fn http<F, H, B>(world: &World, n: u8, answer: H) -> Application
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    raw(world, n, move |stream| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        }
    })
    .await
}

/// Instance `n` answers each request with its head as text.
pub(crate) async fn mirror(world: &World, n: u8) -> Application {
    http(world, n, |request: Request<Incoming>| async move {
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        Response::new(Full::new(Bytes::from(text)))
    })
    .await
}

/// Instance `n` answers every request with these bytes and keeps the connection.
pub(crate) async fn scripted(world: &World, n: u8, answer: &'static str) -> Application {
    raw(world, n, move |mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await
}

/// The head of the next request; `None` at the end.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
