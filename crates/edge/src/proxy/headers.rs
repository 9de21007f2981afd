//! Header fields on their way through: what belongs to one connection stays there (RFC 9110, section 7.6.1), and what
//! a visitor claims about his way here is replaced by what the edge sees (RFC 7239 and the older `X-Forwarded-*`).

use std::net::IpAddr;

use http::header::{
    CONNECTION, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::answer::strip_ours;
use crate::host::Host;

/// What an application is told of a request's way.
pub(super) struct Forwarded<'a> {
    pub(super) peer: IpAddr,
    pub(super) host: &'a Host,
    pub(super) scheme: &'a str,
    pub(super) port: Option<u16>,
}

/// The protocol that a request wants to change to.
pub(super) fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let wants = named_by_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| wants).cloned()
}

/// Makes the head of a request fit to be passed on.
pub(super) fn prepare(headers: &mut HeaderMap, forwarded: &Forwarded<'_>, upgrade: Option<HeaderValue>) {
    let takes_trailers = headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
        });
    strip_hop_by_hop(headers);
    // The edge has said 100 itself; asking the application to say it again would only cost time.
    headers.remove(EXPECT);
    strip_ours(headers);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    forwarded.write(headers);
}

/// Makes the head of an answer fit to be passed back. `switched`: it changes the protocol.
pub(super) fn clean(headers: &mut HeaderMap, switched: bool) {
    let protocol = headers.get(UPGRADE).cloned();
    strip_hop_by_hop(headers);
    if let Some(protocol) = protocol.filter(|_| switched) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

impl Forwarded<'_> {
    fn write(&self, headers: &mut HeaderMap) {
        let claimed: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-forwarded-"))
            .cloned()
            .collect();
        for name in claimed {
            headers.remove(name);
        }
        let peer = self.peer.to_canonical();
        let node = match peer {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let authority = &self.host.authority;
        let usual = if self.scheme == "https" { 443 } else { 80 };
        let port = self.host.port.or(self.port).unwrap_or(usual);
        let scheme = self.scheme;
        let mut set = |name: HeaderName, value: String| {
            // All of it was valid in a head before, or is made of numbers.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        set(HOST, authority.clone());
        set(HeaderName::from_static("x-forwarded-for"), peer.to_string());
        set(HeaderName::from_static("x-forwarded-host"), authority.clone());
        set(HeaderName::from_static("x-forwarded-proto"), scheme.to_owned());
        set(HeaderName::from_static("x-forwarded-port"), port.to_string());
        set(HeaderName::from_static("x-real-ip"), peer.to_string());
        set(
            FORWARDED,
            format!("for={node};host=\"{authority}\";proto={scheme}"),
        );
    }
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = named_by_connection(headers)
        .filter_map(|name| name.parse::<HeaderName>().ok())
        .collect();
    for name in named {
        // A field that the other side needs is not the connection's, whatever the sender says.
        if name != HOST && name != http::header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    for name in [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn prepared(fields: &[(&'static str, &'static str)], peer: &str) -> HeaderMap {
        let mut headers = map(fields);
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
        };
        let upgrade = upgrade_of(&headers);
        prepare(&mut headers, &forwarded, upgrade);
        headers
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let headers = prepared(
            &[
                ("connection", "close, X-Secret, host, content-length"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-authorization", "Basic x"),
                ("te", "gzip, Trailers"),
                ("expect", "100-continue"),
                ("content-length", "3"),
                ("x-cygni-deployment", "forged"),
                ("accept", "*/*"),
            ],
            "127.0.0.1",
        );
        for gone in [
            "connection",
            "x-secret",
            "keep-alive",
            "proxy-authorization",
            "expect",
            "x-cygni-deployment",
        ] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["te"], "trailers");
        assert_eq!(
            (&headers["content-length"], &headers["accept"]),
            (&"3".parse().unwrap(), &"*/*".parse().unwrap())
        );
        assert_eq!(headers["host"], "a.localhost:7700");
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
        let headers = prepared(&claims, "::ffff:127.0.0.1");
        assert_eq!(
            headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>(),
            ["127.0.0.1"]
        );
        assert!(!headers.contains_key("x-forwarded-prefix"));
        assert_eq!(headers["x-forwarded-host"], "a.localhost:7700");
        assert_eq!(headers["x-forwarded-port"], "7700");
        assert_eq!(
            headers["forwarded"],
            "for=127.0.0.1;host=\"a.localhost:7700\";proto=http"
        );
        assert_eq!(
            prepared(&[], "::1")["forwarded"],
            "for=\"[::1]\";host=\"a.localhost:7700\";proto=http"
        );
    }

    #[test]
    fn an_upgrade_needs_both_fields() {
        assert!(upgrade_of(&map(&[("upgrade", "websocket")])).is_none());
        assert!(upgrade_of(&map(&[("connection", "upgrade")])).is_none());
        let headers = prepared(
            &[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")],
            "::1",
        );
        assert_eq!(
            (&headers["connection"], &headers["upgrade"]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
    }

    #[test]
    fn an_answer_keeps_its_upgrade_only_when_it_switches() {
        for switched in [false, true] {
            let mut headers = map(&[("connection", "upgrade"), ("upgrade", "h2c")]);
            clean(&mut headers, switched);
            assert_eq!(headers.contains_key("upgrade"), switched);
        }
    }
}
