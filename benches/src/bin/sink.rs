//! The least that keeps what it is sent: `sink PORT DIRECTORY` answers a request with 202 when its body is on the disk.
//! `cargo xtask bench webhooks` compares with it.
//!
//! Every connection appends to a file of its own, so that none waits for another one's flush but in the kernel. It does
//! *not* know who sends, nor whether it was sent before.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, directory] = arguments.as_slice() else {
        anyhow::bail!("usage: sink PORT DIRECTORY");
    };
    let port = port.parse().with_context(|| format!("`{port}` is not a port"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(listen(port, Path::new(directory)))
}

async fn listen(port: u16, directory: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    for number in 0_u64.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let file = Arc::new(File::create(directory.join(number.to_string()))?);
        // That there is such a file is kept as well.
        File::open(directory)?.sync_all()?;
        let kept = service_fn(move |request| keep(Arc::clone(&file), request));
        tokio::spawn(async move {
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), kept);
            if let Err(error) = served.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
    Ok(())
}

async fn keep(file: Arc<File>, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let mut response = Response::new(String::new());
    *response.status_mut() = match write(file, request).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(error) => {
            eprintln!("a body was not kept: {error:#}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    Ok(response)
}

async fn write(file: Arc<File>, request: Request<Incoming>) -> anyhow::Result<()> {
    let body = request.into_body().collect().await?.to_bytes();
    let written = tokio::task::spawn_blocking(move || -> io::Result<()> {
        (&*file).write_all(&body)?;
        file.sync_data()
    });
    Ok(written.await??)
}
