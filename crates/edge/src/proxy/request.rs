//! The head of a request as an instance gets it: what belongs to one connection stays there (RFC 9110, section 7.6.1),
//! and what a visitor claims about his way here is replaced by what the edge sees (RFC 7239 and the older
//! `X-Forwarded-*`).

use std::io::Write;
use std::net::IpAddr;

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, TE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, request};

use super::head::{CONNECTION_FIELDS, listed};
use crate::REQUEST_ID_HEADER;
use crate::answer::OURS;
use crate::host::Host;

/// Room for most heads.
const HEAD_BYTES: usize = 1 << 10;

/// What an application is told of a request's way.
pub(crate) struct Forwarded<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) host: &'a Host,
    pub(crate) scheme: &'a str,
    /// The port that visitors use where their `Host` names none.
    pub(crate) port: Option<u16>,
    pub(crate) request_id: &'a HeaderValue,
}

/// How the body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Nothing,
    Length(u64),
    Chunked,
}

/// The protocol that a request wants to change to.
pub(crate) fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let mut options = headers.get_all(CONNECTION).iter().flat_map(listed);
    options
        .any(|name| name.eq_ignore_ascii_case("upgrade"))
        .then(|| protocol.clone())
}

/// Writes the head of a request.
pub(crate) fn write(
    head: &request::Parts,
    forwarded: &Forwarded<'_>,
    sending: Sending,
    upgrade: Option<&HeaderValue>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    for part in [
        head.method.as_str(),
        " ",
        path,
        " HTTP/1.1\r\nhost: ",
        &forwarded.host.authority,
        "\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    write_fields(&mut out, &head.headers);
    match sending {
        Sending::Length(length) => number(&mut out, "content-length: ", length),
        Sending::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Sending::Nothing if matches!(head.method, Method::POST | Method::PUT | Method::PATCH) => {
            number(&mut out, "content-length: ", 0);
        }
        Sending::Nothing => {}
    }
    if let Some(protocol) = upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
        field(&mut out, UPGRADE.as_str(), protocol.as_bytes());
    }
    forwarded.write(&mut out);
    out.extend_from_slice(b"\r\n");
    out
}

fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap) {
    // What `Connection` names is dropped, so it must be known before anything is written.
    let mut named: Vec<HeaderName> = Vec::new();
    let (mut trailers, mut cookies) = (false, false);
    for (name, value) in headers {
        match *name {
            CONNECTION => named.extend(listed(value).filter_map(|name| name.parse::<HeaderName>().ok())),
            TE => trailers |= listed(value).any(|coding| coding.eq_ignore_ascii_case("trailers")),
            COOKIE => cookies = true,
            _ => {}
        }
    }
    for (name, value) in headers {
        if !is_replaced(name) && !named.contains(name) {
            field(out, name.as_str(), value.as_bytes());
        }
    }
    if trailers {
        out.extend_from_slice(b"te: trailers\r\n");
    }
    if cookies && !named.contains(&COOKIE) {
        // HTTP/2 may send them one by one; HTTP/1 knows one field (RFC 9113, section 8.2.3).
        let mut before: &[u8] = b"cookie: ";
        for cookie in headers.get_all(COOKIE) {
            out.extend_from_slice(before);
            out.extend_from_slice(cookie.as_bytes());
            before = b"; ";
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Fields that are written anew, or belong to the connection, or are ours.
fn is_replaced(name: &HeaderName) -> bool {
    // The edge has said 100 itself; asking the application to say it again would only cost time.
    const OWN: [HeaderName; 5] = [HOST, CONTENT_LENGTH, EXPECT, FORWARDED, COOKIE];
    let text = name.as_str();
    OWN.contains(name)
        || CONNECTION_FIELDS.contains(name)
        || (text.starts_with("x-")
            && (text.starts_with("x-forwarded-")
                || text.starts_with(OURS)
                || text == "x-real-ip"
                || text == REQUEST_ID_HEADER))
}

impl Forwarded<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let (authority, scheme) = (&self.host.authority, self.scheme);
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = self.host.port.or(self.port).unwrap_or(usual);
        let canonical = self.peer.to_canonical();
        let peer = text(canonical);
        field(out, "x-forwarded-for", &peer);
        field(out, "x-forwarded-host", authority.as_bytes());
        field(out, "x-forwarded-proto", scheme.as_bytes());
        number(out, "x-forwarded-port: ", u64::from(port));
        field(out, "x-real-ip", &peer);
        let (open, close) = if canonical.is_ipv6() {
            ("\"[", "]\"")
        } else {
            ("", "")
        };
        for part in [b"forwarded: for=", open.as_bytes(), &peer, close.as_bytes()] {
            out.extend_from_slice(part);
        }
        for part in [";host=\"", authority, "\";proto=", scheme, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        field(out, REQUEST_ID_HEADER, self.request_id.as_bytes());
    }
}

fn text(address: IpAddr) -> Vec<u8> {
    let mut text = Vec::with_capacity(48);
    match address {
        // Most of them, and formatting is slow.
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    text.push(b'.');
                }
                text.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        // Writing to memory does not fail.
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
    text
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn number(out: &mut Vec<u8>, before: &str, number: u64) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn written(fields: &[(&str, &str)], peer: &str, sending: Sending) -> String {
        let mut request = Request::builder().method("POST").uri("/a?b=c");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let host = Host {
            name: "a.localhost".into(),
            authority: "a.localhost:7700".into(),
            port: Some(7700),
        };
        let forwarded = Forwarded {
            peer: peer.parse().unwrap(),
            host: &host,
            scheme: "http",
            port: None,
            request_id: &HeaderValue::from_static("req-1"),
        };
        let upgrade = upgrade_of(&head.headers);
        String::from_utf8(write(&head, &forwarded, sending, upgrade.as_ref())).unwrap()
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let fields = [
            ("host", "other"),
            ("connection", "close, X-Secret, host, content-length"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("te", "gzip, Trailers"),
            ("expect", "100-continue"),
            ("content-length", "9"),
            ("transfer-encoding", "gzip"),
            ("x-cygni-deployment", "forged"),
            ("x-request-id", "forged"),
            ("accept", "*/*"),
        ];
        assert_eq!(
            written(&fields, "127.0.0.1", Sending::Length(3)),
            "POST /a?b=c HTTP/1.1\r\nhost: a.localhost:7700\r\naccept: */*\r\nte: trailers\r\ncontent-length: 3\r\n\
             x-forwarded-for: 127.0.0.1\r\nx-forwarded-host: a.localhost:7700\r\nx-forwarded-proto: http\r\n\
             x-forwarded-port: 7700\r\nx-real-ip: 127.0.0.1\r\n\
             forwarded: for=127.0.0.1;host=\"a.localhost:7700\";proto=http\r\nx-request-id: req-1\r\n\r\n"
        );
    }

    #[test]
    fn claims_about_the_way_are_replaced() {
        let claims = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
        ];
        let text = written(&claims, "::ffff:127.0.0.1", Sending::Nothing);
        assert!(text.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{text}");
        assert!(
            !text.contains("6.6") && !text.contains("7.7") && !text.contains("evil"),
            "{text}"
        );
        assert!(text.contains("\r\ncontent-length: 0\r\n"), "{text}");
        let text = written(&[], "::1", Sending::Chunked);
        assert!(
            text.contains("\r\nforwarded: for=\"[::1]\";host=\"a.localhost:7700\";proto=http\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\ntransfer-encoding: chunked\r\n"), "{text}");
    }

    #[test]
    fn an_upgrade_needs_both_fields() {
        for fields in [&[("upgrade", "websocket")][..], &[("connection", "upgrade")]] {
            let text = written(fields, "::1", Sending::Nothing);
            assert!(!text.contains("upgrade"), "{text}");
        }
        let fields = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        let text = written(&fields, "::1", Sending::Nothing);
        assert!(
            text.contains("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"),
            "{text}"
        );
    }

    #[test]
    fn cookies_become_one_field() {
        let text = written(
            &[("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2")],
            "::1",
            Sending::Nothing,
        );
        assert!(text.contains("\r\ncookie: a=1; b=2\r\n"), "{text}");
    }
}
