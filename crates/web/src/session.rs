//! Sessions of the dashboard, without state: a cookie carries when it ends and an HMAC-SHA256 (RFC 2104) over that.
//!
//! The key comes from the server's token, so a new token ends all sessions, and the cookie tells nothing of the token.
//! Forms carry a second HMAC over the session (a CSRF token); beside it the `Origin` of whatever changes something must
//! be our own.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, header};
use sha2::Sha256;

/// How long a session lasts, in seconds.
const SESSION_SECONDS: u64 = 30 * 24 * 3_600;
const NONCE_BYTES: usize = 18;

/// Makes and checks sessions.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

/// A session that was checked: the text of its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session(String);

impl SessionKey {
    /// The key that belongs to the server's token.
    pub fn from_token(token: &str) -> Self {
        Self(mac(token.as_bytes(), b"dashboard sessions"))
    }

    /// A new session; `None` when the system gives no random bytes.
    pub(crate) fn start(&self) -> Option<Session> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let claim = format!(
            "{:x}.{}",
            now_seconds() + SESSION_SECONDS,
            BASE64URL_NOPAD.encode(&nonce)
        );
        let proof = self.prove("session", &claim);
        Some(Session(format!("{claim}.{proof}")))
    }

    /// The session that `headers` carry, when it is ours and has not ended.
    pub(crate) fn check(&self, headers: &HeaderMap, secure: bool) -> Option<Session> {
        let text = cookie(headers, cookie_name(secure))?;
        let (claim, proof) = text.rsplit_once('.')?;
        let ends = u64::from_str_radix(claim.split_once('.')?.0, 16).ok()?;
        let right = same(proof, &self.prove("session", claim));
        (right && ends > now_seconds()).then(|| Session(text.to_owned()))
    }

    /// What the forms of `session` carry.
    pub(crate) fn form_token(&self, session: &Session) -> String {
        self.prove("form", &session.0)
    }

    pub(crate) fn form_matches(&self, session: &Session, given: &str) -> bool {
        same(given, &self.form_token(session))
    }

    fn prove(&self, purpose: &str, text: &str) -> String {
        HEXLOWER.encode(&mac(&self.0, format!("{purpose}:{text}").as_bytes()))
    }
}

impl Session {
    /// The value of `set-cookie`.
    pub(crate) fn cookie(&self, secure: bool) -> String {
        let (name, mark) = (cookie_name(secure), if secure { "; Secure" } else { "" });
        format!(
            "{name}={}; Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict{mark}",
            self.0
        )
    }
}

/// The value of `set-cookie` that ends a session in the browser.
pub(crate) fn no_cookie(secure: bool) -> String {
    let (name, mark) = (cookie_name(secure), if secure { "; Secure" } else { "" });
    format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{mark}")
}

/// Whether a request that changes something comes from a page of ours (Fetch, section 3.1): browsers send `Origin` with
/// every such request, and a page of somebody else cannot choose it.
pub(crate) fn own_origin(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// Browsers take a `__Host-` cookie only over TLS, and then from no other host of the domain.
fn cookie_name(secure: bool) -> &'static str {
    if secure {
        "__Host-cygni_session"
    } else {
        "cygni_session"
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Compares without telling by time where two texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_session_is_good_for_its_own_key_only() {
        let (ours, other) = (SessionKey::from_token("a"), SessionKey::from_token("b"));
        let session = ours.start().unwrap();
        let sent = headers(&[("cookie", &format!("x=1; cygni_session={}", session.0))]);
        assert_eq!(ours.check(&sent, false), Some(session.clone()));
        assert_eq!(other.check(&sent, false), None);
        assert!(ours.form_matches(&session, &ours.form_token(&session)));
        assert!(!ours.form_matches(&session, ""));
    }

    #[test]
    fn a_changed_or_ended_session_is_none() {
        let key = SessionKey::from_token("a");
        let claim = "1.nonce";
        let ended = format!("{claim}.{}", key.prove("session", claim));
        let later = format!("ffffffffff.nonce.{}", key.prove("session", claim));
        for text in [ended, later, "..".into(), String::new()] {
            let sent = headers(&[("cookie", &format!("cygni_session={text}"))]);
            assert_eq!(key.check(&sent, false), None, "{text}");
        }
    }

    #[test]
    fn over_tls_only_the_guarded_cookie_counts() {
        let key = SessionKey::from_token("a");
        let session = key.start().unwrap();
        let sent = headers(&[("cookie", &format!("cygni_session={}", session.0))]);
        assert_eq!(key.check(&sent, true), None);
        assert!(
            session.cookie(true).starts_with("__Host-cygni_session=")
                && session.cookie(true).ends_with("; Secure")
        );
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        let own = |origin: &str| own_origin(&headers(&[("host", "localhost:7700"), ("origin", origin)]));
        assert!(own("http://localhost:7700"));
        for foreign in [
            "http://localhost",
            "http://evil.localhost:7700",
            "null",
            "http://localhost:7700.evil.com",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
        assert!(!own_origin(&headers(&[("host", "localhost:7700")])));
    }
}
