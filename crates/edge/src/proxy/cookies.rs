//! Cookies of an application reach its own host only.
//!
//! Guards against a preview that sets a cookie for the whole domain, and so for the other previews and the dashboard.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// Takes the `Domain` out of every cookie that would be sent to more than `host` and what lies below it.
pub(super) fn narrow(headers: &mut HeaderMap, host: &str) {
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let cookies: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .map(|cookie| narrowed(cookie, host))
        .collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn narrowed(cookie: &HeaderValue, host: &str) -> HeaderValue {
    let bytes = cookie.as_bytes();
    let mut parts = bytes.split(|byte| *byte == b';');
    let mut kept = parts.next().unwrap_or_default().to_vec();
    for part in parts.filter(|part| !is_wider(part, host)) {
        kept.push(b';');
        kept.extend_from_slice(part);
    }
    // A part of a valid value is a valid value.
    HeaderValue::from_bytes(&kept).unwrap_or_else(|_| cookie.clone())
}

/// Whether an attribute is a `Domain` other than `host` (RFC 6265, section 5.2.3). An empty one is ignored by
/// browsers, and goes as well.
fn is_wider(attribute: &[u8], host: &str) -> bool {
    let mut halves = attribute.splitn(2, |byte| *byte == b'=');
    let name = halves.next().unwrap_or_default().trim_ascii();
    if !name.eq_ignore_ascii_case(b"domain") {
        return false;
    }
    let domain = halves.next().unwrap_or_default().trim_ascii();
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    !domain.eq_ignore_ascii_case(host.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_domains_wider_than_the_host_go() {
        let table = [
            ("a=1; Path=/; HttpOnly", "a=1; Path=/; HttpOnly"),
            ("a=1; Domain=localhost; Path=/", "a=1; Path=/"),
            ("a=1; DOMAIN = .Localhost", "a=1"),
            (
                "a=1; Domain=app.localhost; Secure",
                "a=1; Domain=app.localhost; Secure",
            ),
            ("a=1; Domain=.APP.localhost", "a=1; Domain=.APP.localhost"),
            ("a=1; Domain=other.localhost; Domain=localhost", "a=1"),
            ("a=1; Domain=; Max-Age=3", "a=1; Max-Age=3"),
            ("domain=localhost; Path=/", "domain=localhost; Path=/"),
        ];
        for (before, after) in table {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_static(before));
            headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
            narrow(&mut headers, "app.localhost");
            assert_eq!(
                headers.get_all(SET_COOKIE).iter().collect::<Vec<_>>(),
                [after, "b=2"],
                "{before}"
            );
        }
    }
}
