//! The first bytes of a connection, which say whether it is HTTP/2 with prior knowledge (RFC 9113, section 3.3).
//!
//! How long it may take to say so is the business of whoever asks.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for the first read: most requests fit.
const READ_BYTES: usize = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Reads until the version is known. Gives what was read, too.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<(Version, BytesMut)> {
    let mut early = BytesMut::with_capacity(READ_BYTES);
    loop {
        // A connection that ends here is left to the version that everybody speaks.
        let ended = stream.read_buf(&mut early).await? == 0;
        let compared = early.len().min(PREFACE.len());
        if ended || early[..compared] != PREFACE[..compared] {
            return Ok((Version::Http1, early));
        }
        if compared == PREFACE.len() {
            return Ok((Version::Http2, early));
        }
    }
}
