//! Whether a port speaks HTTP: a request is sent, and an answer must begin as one.

use std::io;
use std::time::Duration;

use sandbox::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::time::timeout;

/// A first answer can take long: some servers compile on demand.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How much of an answer, and for how long, is read for the sake of good manners.
const REST_TIME: Duration = Duration::from_secs(2);
const REST_BYTES: u64 = 1 << 20;
const ANSWER_BEGINS: &[u8] = b"HTTP/1.";
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Cygni (looking for the port)\r\nAccept: */*\r\n\
                         Connection: close\r\n\r\n";

/// Whether `port` inside `sandbox` answers in HTTP.
pub(super) async fn speaks_http(sandbox: Sandbox, port: u16) -> bool {
    matches!(timeout(ANSWER_TIME, ask(&sandbox, port)).await, Ok(Ok(true)))
}

async fn ask(sandbox: &Sandbox, port: u16) -> io::Result<bool> {
    let mut stream = sandbox.dial(port).await?;
    stream.write_all(REQUEST).await?;
    let mut begin = [0; ANSWER_BEGINS.len()];
    stream.read_exact(&mut begin).await?;
    // Hanging up in the middle of an answer would show as an error in the application's own log.
    tokio::spawn(async move { timeout(REST_TIME, copy(&mut stream.take(REST_BYTES), &mut sink())).await });
    Ok(begin == *ANSWER_BEGINS)
}
