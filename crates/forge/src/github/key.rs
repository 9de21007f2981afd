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
