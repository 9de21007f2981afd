//! The App's own proof of who it is: a JSON Web Token of a few minutes, signed with its private key (RS256).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::settings::OpenError;

/// How far its beginning lies back, for clocks that differ.
const ISSUED_BEFORE: Duration = Duration::from_secs(60);
/// How long it is good from now; GitHub takes at most ten minutes from the beginning.
const GOOD_FOR: Duration = Duration::from_secs(480);

pub(super) struct AppKey {
    id: u64,
    pair: RsaKeyPair,
}

impl AppKey {
    pub(super) fn new(id: u64, pem: &str) -> Result<Self, OpenError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let pair = match key.map_err(|error| OpenError::Key(error.to_string()))? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(OpenError::Key("it is no RSA key".to_owned())),
        };
        Ok(Self {
            id,
            pair: pair.map_err(|error| OpenError::Key(error.to_string()))?,
        })
    }

    /// A token at `now`, since 1970.
    pub(super) fn token(&self, now: Duration) -> String {
        let claims = json!({
            "iat": now.saturating_sub(ISSUED_BEFORE).as_secs(),
            "exp": (now + GOOD_FOR).as_secs(),
            "iss": self.id.to_string(),
        });
        let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let header = encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("a key signs, given room for its modulus");
        format!("{signed}.{}", encode(&signature))
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64_MIME;
    use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use rustls::pki_types::PrivatePkcs1KeyDer;

    use super::*;

    const PEM: &str = include_str!("../fake/github/key.pem");

    /// The same key in the other of the two forms.
    fn pkcs8() -> String {
        let inner = PrivatePkcs1KeyDer::from_pem_slice(PEM.as_bytes()).unwrap();
        let inner = inner.secret_pkcs1_der();
        let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
        // Version 0, and that it is an RSA key.
        let mut der =
            b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82".to_vec();
        der.extend(length(inner.len()));
        der.extend(inner);
        let mut whole = b"\x30\x82".to_vec();
        whole.extend(length(der.len()));
        whole.extend(der);
        let text = BASE64_MIME.encode(&whole);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    #[test]
    fn both_forms_of_a_key_sign_the_same_claims() {
        let now = Duration::from_secs(1_800_000_000);
        let [first, second] = [PEM, &pkcs8()].map(|pem| AppKey::new(7, pem).unwrap());
        let token = first.token(now);
        assert_eq!(token, second.token(now));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(decode(header), br#"{"alg":"RS256","typ":"JWT"}"#);
        let claims: serde_json::Value = serde_json::from_slice(&decode(claims)).unwrap();
        assert_eq!(
            claims,
            json!({ "iat": 1_799_999_940, "exp": 1_800_000_480, "iss": "7" })
        );
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, first.pair.public_key().as_ref());
        public.verify(signed.as_bytes(), &decode(signature)).unwrap();
    }
}
