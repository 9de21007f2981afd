//! The id of a request: kept where a visitor sent a sane one, made otherwise.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderValue};

use crate::REQUEST_ID_HEADER;

/// Bytes of a request id that is kept.
const BYTES_MAX: usize = 128;

/// Differs from start to start, so that ids do not come again.
static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The id that the request has, or a new one.
pub(crate) fn of(headers: &HeaderMap) -> HeaderValue {
    match headers.get(REQUEST_ID_HEADER) {
        Some(value) if is_sane(value.as_bytes()) => value.clone(),
        _ => make(),
    }
}

fn is_sane(bytes: &[u8]) -> bool {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    !bytes.is_empty() && bytes.len() <= BYTES_MAX && bytes.iter().all(sane)
}

fn make() -> HeaderValue {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let text = format!("req-{:016x}-{number:x}", *START);
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("req"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_others_are_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID_HEADER, HeaderValue::from_static("abc-1.2_3"));
        assert_eq!(of(&headers), "abc-1.2_3");
        for bad in ["", "a b", "<x>", &"x".repeat(200)] {
            headers.insert(REQUEST_ID_HEADER, HeaderValue::from_str(bad).unwrap());
            assert!(of(&headers).to_str().unwrap().starts_with("req-"), "{bad:?}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
