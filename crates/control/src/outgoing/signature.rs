//! The signature of a request, by Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body` with the bytes of the secret.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a secret; the specification wants 24 to 64.
pub(crate) const SECRET_BYTES: usize = 32;

/// The secret as receivers are given it.
pub(crate) fn secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", BASE64.encode(secret))
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// The same for every try, so that receivers can leave out what they had before.
    pub(crate) id: &'a str,
    /// Seconds since 1970 of this try.
    pub(crate) at_seconds: i64,
    pub(crate) body: &'a str,
}

impl Signed<'_> {
    /// The headers that carry it.
    pub(crate) fn headers(&self, secret: &[u8]) -> Vec<(&'static str, String)> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(format!("{}.{}.{}", self.id, self.at_seconds, self.body).as_bytes());
        vec![
            ("webhook-id", self.id.to_owned()),
            ("webhook-timestamp", self.at_seconds.to_string()),
            (
                "webhook-signature",
                format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn the_published_example_fits() {
        let secret = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = Signed {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at_seconds: 1_614_265_330,
            body: r#"{"test": 2432232314}"#,
        };
        let headers = signed.headers(&secret);
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(
            (headers[0].1.as_str(), headers[1].1.as_str()),
            (signed.id, "1614265330")
        );
        assert_eq!(secret_text(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
}
