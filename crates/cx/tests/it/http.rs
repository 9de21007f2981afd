//! A small HTTP client that connects to the edge's address whatever the host is called: `*.localhost` need not resolve.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No answer takes longer in these tests.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A connection on which one request has been sent and the head of its answer read.
pub(crate) struct Open {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) stream: BufReader<TcpStream>,
}

/// `GET` of an address such as `http://shop.localhost:7700/path`.
pub(crate) fn get(url: &str) -> Answer {
    try_get(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

pub(crate) fn try_get(url: &str) -> std::io::Result<Answer> {
    request("GET", url, &[], b"")
}

pub(crate) fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut open = open(method, url, headers, body)?;
    let mut bytes = Vec::new();
    match open
        .headers
        .get("content-length")
        .map(|length| length.parse::<u64>())
    {
        Some(Ok(length)) if method != "HEAD" => {
            open.stream.take(length).read_to_end(&mut bytes)?;
        }
        Some(_) => {}
        None if open
            .headers
            .get("transfer-encoding")
            .is_some_and(|value| value == "chunked") =>
        {
            read_chunks(&mut open.stream, &mut bytes)?;
        }
        None => {
            open.stream.read_to_end(&mut bytes)?;
        }
    }
    Ok(Answer {
        status: open.status,
        headers: open.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// Sends the request and reads the head of the answer; the body is left in the stream.
pub(crate) fn open(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Open> {
    let (authority, path) = split(url);
    let port: u16 = authority.rsplit(':').next().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status line: {line:?}")))?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Open {
        status,
        headers,
        stream,
    })
}

/// Host with port, and path.
pub(crate) fn split(url: &str) -> (&str, &str) {
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("`{url}` is not http"));
    rest.find('/')
        .map_or((rest, "/"), |at| (&rest[..at], &rest[at..]))
}

fn read_chunks(stream: &mut impl BufRead, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        stream.take(size).read_to_end(bytes)?;
        stream.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}
