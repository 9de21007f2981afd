//! Envelope encryption of variables: a data key seals the values, the master key seals the data key.
//!
//! The master key lies in a file of its own beside the database; a copy of the database alone tells nothing, and
//! changing the master key rewrites one row. Every value is bound to its place (scope and name), so that sealed values
//! cannot be moved between rows. XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with random nonces.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64;

const NONCE_BYTES: usize = 24;
/// Says how a value was sealed, so that another way can come later.
const PREFIX: &str = "x1:";
const DATA_KEY_PLACE: &str = "data-key";

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Seals and opens values with the data key.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// A value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the system gave no random bytes: {0}")]
    Random(String),
    #[error("a stored value could not be decrypted ({0}); the key file does not belong to this database")]
    Open(&'static str),
}

impl Sealer {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Makes a new data key and gives it sealed under `master`, for the database.
    pub(crate) fn create(master: &[u8; KEY_BYTES]) -> Result<(Self, String), SealError> {
        let key: [u8; KEY_BYTES] = random()?;
        let sealed = Self::new(master).seal(DATA_KEY_PLACE, &key)?;
        Ok((Self::new(&key), sealed))
    }

    /// Opens the data key that [`Sealer::create`] gave.
    pub(crate) fn open_data_key(master: &[u8; KEY_BYTES], sealed: &str) -> Result<Self, SealError> {
        let key = Self::new(master).open(DATA_KEY_PLACE, sealed)?;
        let key: [u8; KEY_BYTES] = key
            .try_into()
            .map_err(|_| SealError::Open("the data key has a wrong length"))?;
        Ok(Self::new(&key))
    }

    /// Seals `value` for `place`.
    pub(crate) fn seal(&self, place: &str, value: &[u8]) -> Result<String, SealError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let payload = Payload {
            msg: value,
            aad: place.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Open("sealing failed"))?;
        Ok(format!(
            "{PREFIX}{}",
            BASE64.encode(&[nonce.as_slice(), &sealed].concat())
        ))
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let text = sealed
            .strip_prefix(PREFIX)
            .ok_or(SealError::Open("unknown format"))?;
        let bytes = BASE64
            .decode(text.as_bytes())
            .map_err(|_| SealError::Open("not base64"))?;
        let (nonce, body) = bytes
            .split_at_checked(NONCE_BYTES)
            .ok_or(SealError::Open("too short"))?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Open("too short"))?;
        let payload = Payload {
            msg: body,
            aad: place.as_bytes(),
        };
        self.cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Open("it was changed or moved"))
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| SealError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_in_its_place_and_with_its_key() {
        let (sealer, wrapped) = Sealer::create(&[1; KEY_BYTES]).unwrap();
        let sealed = sealer.seal("shop//preview/TOKEN", b"hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        let again = Sealer::open_data_key(&[1; KEY_BYTES], &wrapped).unwrap();
        assert_eq!(again.open("shop//preview/TOKEN", &sealed).unwrap(), b"hunter2");
        assert!(again.open("other//preview/TOKEN", &sealed).is_err());
        assert!(Sealer::open_data_key(&[2; KEY_BYTES], &wrapped).is_err());
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let (sealer, _) = Sealer::create(&[1; KEY_BYTES]).unwrap();
        for text in ["", "x1:", "x1:AAAA", "x1:!!", "x2:AAAA"] {
            assert!(sealer.open("place", text).is_err(), "{text}");
        }
    }
}
