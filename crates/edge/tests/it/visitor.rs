//! A visitor who sends exactly the bytes he is told to and reads answers one by one.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::PATIENCE;

pub(crate) struct Visitor {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// All values of a field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Visitor {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// `false` when the other side has ended the connection.
    pub(crate) async fn try_send(&mut self, bytes: &str) -> bool {
        self.stream.write_all(bytes.as_bytes()).await.is_ok()
    }

    /// `GET` with more header lines, each ending in `\r\n`.
    pub(crate) async fn get(&mut self, host: &str, path: &str, lines: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"))
            .await;
        self.answer().await
    }

    /// The next answer with its whole body.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunked().await;
        } else if let Some(length) = answer.header("content-length") {
            answer.body = self.exactly(length.parse().unwrap()).await;
        }
        answer
    }

    /// The head of the next answer; its body is still to be read.
    pub(crate) async fn head(&mut self) -> Answer {
        let head = self.through(b"\r\n\r\n").await.expect("an answer comes");
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// The same; `None` when the other side ends the connection instead.
    pub(crate) async fn try_head(&mut self) -> Option<Vec<u8>> {
        self.through(b"\r\n\r\n").await
    }

    async fn chunked(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await.expect("the body ends well") {
            body.extend(chunk);
        }
        body
    }

    /// The next chunk; `Ok(None)` is the proper end, `Err` a broken one.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let size = self.through(b"\r\n").await.ok_or(())?;
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
        if size == 0 {
            // Trailers, if there are any, then an empty line.
            while self.through(b"\r\n").await.ok_or(())? != b"\r\n" {}
            return Ok(None);
        }
        let mut chunk = self.exactly(size + 2).await;
        chunk.truncate(size);
        Ok(Some(chunk))
    }

    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(
                self.read().await,
                "the connection ended in the middle of {count} bytes"
            );
        }
        self.unread.drain(..count).collect()
    }

    async fn through(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|window| window == mark) {
                return Some(self.unread.drain(..at + mark.len()).collect());
            }
            if !self.read().await {
                return None;
            }
        }
    }

    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        matches!(read.expect("bytes or the end come in time"), Ok(count) if count > 0)
    }

    /// Waits until the other side has ended the connection; gives what came before.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        while self.read().await {}
        std::mem::take(&mut self.unread)
    }
}

/// One `GET` on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    Visitor::new(address).await.get(host, path, "").await
}
