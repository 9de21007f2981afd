//! The id of a request: kept where a visitor sent a sane one, made otherwise.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
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
    let mut text = Vec::with_capacity(37);
    text.extend_from_slice(b"req-");
    push_hexadecimal(&mut text, *START, 16);
    text.push(b'-');
    push_hexadecimal(&mut text, number, 1);
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("req"))
}

/// At least `digits` of them. Formatting would take longer than all the rest of an id.
fn push_hexadecimal(text: &mut Vec<u8>, number: u64, digits: u32) {
    let used = (u64::BITS - number.leading_zeros()).div_ceil(4).max(digits);
    for place in (0..used).rev() {
        text.push(b"0123456789abcdef"[(number >> (place * 4) & 0xf) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hexadecimal() {
        for (number, digits, written) in [
            (0, 1, "0"),
            (0xa0f, 1, "a0f"),
            (0xa0f, 5, "00a0f"),
            (u64::MAX, 16, "ffffffffffffffff"),
        ] {
            let mut text = Vec::new();
            push_hexadecimal(&mut text, number, digits);
            assert_eq!(text, written.as_bytes());
        }
    }

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
