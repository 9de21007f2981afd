//! The head of an answer: parsed, rid of what belongs to the connection, and read for where its body ends.
//!
//! Guards against answers that a visitor's program could read differently from us (RFC 9112, section 6.3): several
//! lengths, a length beside a coding, codings other than `chunked`.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use httparse::{Header, ParserConfig, Status};

use super::framing::{Chunk, Framing, Invalid};
use crate::answer::OURS;

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 256 << 10;
/// Fields of the head of an answer.
const FIELDS_MAX: usize = 128;
/// Fields that the edge adds to an answer.
const FIELDS_ADDED: usize = 6;

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Without fields that concern the connection only, but for those of an upgrade, and without those that are ours.
    pub(crate) headers: HeaderMap,
    pub(super) framing: Framing,
    /// The connection can take another request after this answer.
    pub(super) keeps: bool,
}

/// Takes the head of the answer to a request of `method` out of `unread`; `None` while it is not whole. Answers before
/// the answer (1xx) are passed over. `upgrading`: the request asked for another protocol.
pub(super) fn take(unread: &mut BytesMut, method: &Method, upgrading: bool) -> Result<Option<Head>, Invalid> {
    loop {
        let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, unread, &mut fields);
        let length = match parsed {
            Ok(Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
            Ok(Status::Partial) if unread.len() <= HEAD_BYTES_MAX => return Ok(None),
            Ok(_) | Err(_) => return Err(Invalid),
        };
        let status = response
            .code
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or(Invalid)?;
        let old = response.version == Some(0);
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        if status.is_informational() && !switches {
            drop(unread.split_to(length));
            continue;
        }
        if switches && !upgrading {
            return Err(Invalid);
        }
        // Positions, because the fields borrow what is about to be split off.
        let start = unread.as_ptr() as usize;
        let spans: Vec<[usize; 4]> = response
            .headers
            .iter()
            .map(|field| {
                let (name, value) = (
                    field.name.as_ptr() as usize - start,
                    field.value.as_ptr() as usize - start,
                );
                [name, name + field.name.len(), value, value + field.value.len()]
            })
            .collect();
        let head = unread.split_to(length).freeze();
        return Fields { head, spans }.read(status, method, old).map(Some);
    }
}

struct Fields {
    head: Bytes,
    spans: Vec<[usize; 4]>,
}

/// What an answer says of its connection and of its length.
#[derive(Default)]
struct Hop {
    /// The values of `Connection`.
    options: Vec<HeaderValue>,
    codings: Vec<HeaderValue>,
    lengths: Vec<HeaderValue>,
    protocol: Option<HeaderValue>,
}

impl Fields {
    fn read(self, status: StatusCode, method: &Method, old: bool) -> Result<Head, Invalid> {
        let mut headers = HeaderMap::with_capacity(self.spans.len() + FIELDS_ADDED);
        let mut hop = Hop::default();
        for [name, name_end, value, value_end] in self.spans {
            let name = HeaderName::from_bytes(&self.head[name..name_end]).map_err(|_| Invalid)?;
            let value =
                HeaderValue::from_maybe_shared(self.head.slice(value..value_end)).map_err(|_| Invalid)?;
            match name {
                CONNECTION => hop.options.push(value),
                TRANSFER_ENCODING => hop.codings.push(value),
                CONTENT_LENGTH => hop.lengths.push(value),
                UPGRADE => hop.protocol = Some(value),
                name if CONNECTION_FIELDS.contains(&name) || name.as_str().starts_with(OURS) => {}
                name => drop(headers.append(name, value)),
            }
        }
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        let framing = match method == Method::HEAD || has_no_body(status) {
            true => Framing::Length(0),
            false => hop.framing()?,
        };
        let keeps = hop.keeps(old) && framing != Framing::UntilEnd && !switches;
        for name in hop.options().filter_map(|name| name.parse::<HeaderName>().ok()) {
            headers.remove(name);
        }
        if let Some(length) = hop.lengths.into_iter().next() {
            headers.insert(CONTENT_LENGTH, length);
        }
        if let Some(protocol) = hop.protocol.filter(|_| switches) {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
        }
        Ok(Head {
            status,
            headers,
            framing,
            keeps,
        })
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

impl Hop {
    fn framing(&self) -> Result<Framing, Invalid> {
        match (self.codings.as_slice(), self.lengths.as_slice()) {
            ([], []) => Ok(Framing::UntilEnd),
            ([coding], []) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Ok(Framing::Chunked(Chunk::Size))
            }
            ([], [length, others @ ..]) if others.iter().all(|other| other == length) => {
                let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
                let number = length.to_str().ok().filter(|_| digits);
                let number = number.and_then(|digits| digits.parse().ok());
                number.map(Framing::Length).ok_or(Invalid)
            }
            _ => Err(Invalid),
        }
    }

    fn keeps(&self, old: bool) -> bool {
        match old {
            true => self
                .options()
                .any(|option| option.eq_ignore_ascii_case("keep-alive")),
            false => !self.options().any(|option| option.eq_ignore_ascii_case("close")),
        }
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().flat_map(listed)
    }
}

/// Fields that concern one connection, named by `Connection` or not.
pub(super) static CONNECTION_FIELDS: [HeaderName; 8] = [
    CONNECTION,
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The items of a value of `Connection`.
pub(super) fn listed(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let items = value.to_str().unwrap_or_default().split(',').map(str::trim);
    items.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, method: Method) -> Result<Option<Head>, Invalid> {
        take(&mut BytesMut::from(text), &method, false)
    }

    #[test]
    fn the_end_of_the_body_is_what_the_standard_says() {
        let table = [
            ("200 OK\r\nContent-Length: 3", Framing::Length(3)),
            (
                "200 OK\r\nContent-Length: 3\r\nContent-Length: 3",
                Framing::Length(3),
            ),
            (
                "200 OK\r\nTransfer-Encoding: Chunked",
                Framing::Chunked(Chunk::Size),
            ),
            ("200 OK\r\nX: 1", Framing::UntilEnd),
            ("204 No Content\r\nContent-Length: 3", Framing::Length(0)),
            ("304 Not Modified\r\nContent-Length: 3", Framing::Length(0)),
        ];
        for (text, framing) in table {
            let head = read(&format!("HTTP/1.1 {text}\r\n\r\n"), Method::GET)
                .unwrap()
                .unwrap();
            assert_eq!(head.framing, framing, "{text}");
            assert_eq!(head.keeps, framing != Framing::UntilEnd, "{text}");
            assert!(head.headers.get_all(CONTENT_LENGTH).iter().count() <= 1);
        }
        let head = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Method::HEAD)
            .unwrap()
            .unwrap();
        assert_eq!(
            (head.framing, &head.headers[CONTENT_LENGTH]),
            (Framing::Length(0), &"3".parse().unwrap())
        );
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_invalid() {
        for text in [
            "200 OK\r\nContent-Length: 3\r\nContent-Length: 4",
            "200 OK\r\nContent-Length: 3, 3",
            "200 OK\r\nContent-Length: +3",
            "200 OK\r\nContent-Length: 99999999999999999999",
            "200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
            "200 OK\r\nTransfer-Encoding: gzip, chunked",
            "200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "200 OK\r\nA : 1",
            "200 OK\r\nA: 1\r\n folded",
            "101 Switching Protocols\r\nUpgrade: x",
            "099 Odd",
        ] {
            let read = read(&format!("HTTP/1.1 {text}\r\n\r\n"), Method::GET);
            assert_eq!(read.err(), Some(Invalid), "{text}");
        }
        assert!(read("SSH-2.0-OpenSSH\r\n\r\n", Method::GET).is_err());
        assert!(
            read(
                &format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(300 << 10)),
                Method::GET
            )
            .is_err()
        );
    }

    #[test]
    fn what_belongs_to_the_connection_is_gone() {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop, content-length\r\n\
                    X-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Kept: 2\r\nContent-Length: 1\r\n\r\n1";
        let mut unread = BytesMut::from(text);
        let head = take(&mut unread, &Method::GET, false).unwrap().unwrap();
        let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-kept"]);
        assert_eq!((head.status, unread), (StatusCode::OK, BytesMut::from("1")));
    }

    #[test]
    fn connections_are_kept_only_where_the_answer_says_so() {
        for (text, keeps) in [
            ("1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close", false),
            ("1.0 200 OK\r\nContent-Length: 1", false),
            ("1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive", true),
        ] {
            let head = read(&format!("HTTP/{text}\r\n\r\n"), Method::GET)
                .unwrap()
                .unwrap();
            assert_eq!(head.keeps, keeps, "{text}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_waited_for() {
        let text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        for length in 0..text.len() {
            assert!(
                take(&mut BytesMut::from(&text[..length]), &Method::GET, true)
                    .unwrap()
                    .is_none()
            );
        }
        let head = take(&mut BytesMut::from(text), &Method::GET, true)
            .unwrap()
            .unwrap();
        assert_eq!(
            (&head.headers[UPGRADE], head.keeps),
            (&"websocket".parse().unwrap(), false)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text in "(HTTP/1.[01] [0-9]{3} \r\n)?([A-Za-z-]{1,20}: ?[ -~]{0,20}\r\n){0,5}\r\n") {
            let _ = read(&text, Method::GET);
        }
    }
}
