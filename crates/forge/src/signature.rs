//! Signatures of webhooks: HMAC-SHA256 over the raw body, in hexadecimal digits.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Whether `digits` sign `body` with `secret`, compared in constant time. An empty secret signs nothing.
pub(crate) fn fits(digits: &str, body: &[u8], secret: &str) -> bool {
    let Ok(given) = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()) else {
        return false;
    };
    !secret.is_empty() && mac(body, secret).verify_slice(&given).is_ok()
}

/// The digits that sign `body`.
#[cfg(any(test, feature = "fake"))]
pub(crate) fn of(body: &[u8], secret: &str) -> String {
    data_encoding::HEXLOWER.encode(&mac(body, secret).finalize().into_bytes())
}

fn mac(body: &[u8], secret: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation.
    #[test]
    fn the_published_example_fits() {
        let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!");
        let digits = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(fits(digits, body, secret));
        assert_eq!(of(body, secret), digits);
        assert!(!fits(digits, b"Hello, World?", secret));
        assert!(!fits(digits, body, "another"));
        for wrong in ["", "75", "no digits", &digits[2..]] {
            assert!(!fits(wrong, body, secret), "{wrong}");
        }
        assert!(!fits(&of(body, ""), body, ""));
    }
}
