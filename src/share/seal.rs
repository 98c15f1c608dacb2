//! The key of the replicas, and what it seals: nobody without the key can read or make what the server stores (AES-256-GCM).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::ExposeSecret;

use crate::secret::{Secret, SecretError};

/// The length of the key, in bytes.
const LENGTH: usize = 32;

/// Why the key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It has another length.
    #[error(
        "`key` is no key: allowed are 32 bytes as they are in a file, in base64 or in hex, like those of `openssl rand -base64 32`"
    )]
    Length,
}

/// What was sealed by another key, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unopened;

/// The SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(bytes);
    digest.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// Bytes in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key.
pub struct Key {
    sealing: LessSafeKey,
    /// Derived from the key: what makes names does not seal.
    naming: hmac::Key,
    id: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the key.
    pub fn read(secret: &Secret) -> Result<Self, KeyError> {
        if let Secret::File(path) = secret
            && let Ok(bytes) = std::fs::read(path)
            && let Ok(bytes) = <[u8; LENGTH]>::try_from(bytes)
        {
            return Self::new(&bytes);
        }
        let text = secret.read()?;
        let text = text.expose_secret().trim();
        let bytes = unhex(text).or_else(|| BASE64.decode(text).ok()).ok_or(KeyError::Length)?;
        Self::new(&bytes)
    }

    fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let sealing = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| KeyError::Length)?;
        let id = sha256(&[b"nameplate: the id of a key of [share]", bytes].concat());
        let derived = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derived = hmac::sign(&derived, b"nameplate: the names of what [share] stores");
        let naming = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Ok(Self { sealing: LessSafeKey::new(sealing), naming, id: hex(&id[..8]) })
    }

    /// A name for what stands in `place`: the same for the same key and the same place, from which nobody without the key can tell the
    /// place (HMAC-SHA-256).
    #[must_use]
    pub fn name(&self, place: &str) -> String {
        hex(hmac::sign(&self.naming, place.as_bytes()).as_ref())
    }

    /// A text that is the same for the same key, from which the key can't be told.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals `bytes`. They are opened with the same `place` only: what is stored under one name can't be moved to another.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn seal(&self, place: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, Unopened> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Unopened)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        let sealed = self.sealing.seal_in_place_append_tag(unique, Aad::from(place), &mut bytes);
        sealed.map_err(|_| Unopened)?;
        bytes.extend_from_slice(&nonce);
        Ok(bytes)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, mut sealed: Vec<u8>) -> Result<Vec<u8>, Unopened> {
        let nonce: [u8; NONCE_LEN] = sealed.last_chunk().copied().ok_or(Unopened)?;
        sealed.truncate(sealed.len() - NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened =
            self.sealing.open_in_place(nonce, Aad::from(place), &mut sealed).map_err(|_| Unopened)?;
        let length = opened.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// The bytes of 64 hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len() == 2 * LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).ok();
    is_hex.then(|| (0..text.len()).step_by(2).map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key, KeyError> {
        Key::read(&Secret::Given(text.into()))
    }

    #[test]
    fn a_key_is_32_bytes_in_each_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("share.key");
        std::fs::write(&path, [7; 32]).unwrap();
        let raw = Key::read(&Secret::File(path.clone())).unwrap();
        std::fs::write(&path, BASE64.encode([7; 32]) + "\n").unwrap();
        let written = Key::read(&Secret::File(path.clone())).unwrap();
        assert_eq!(raw.id(), written.id());
        assert_eq!(raw.id(), key(&"07".repeat(32)).unwrap().id());
        assert_ne!(raw.id(), key(&"08".repeat(32)).unwrap().id());
        for wrong in ["short", &"07".repeat(31), &BASE64.encode([7; 33])] {
            let error = key(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with("`key` is no key: allowed are 32 bytes") && !error.contains(wrong),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(Key::read(&Secret::File(path)).unwrap_err().to_string().contains("share.key: No such file"));
        assert!(!format!("{raw:?}").contains("0707"));
    }

    #[test]
    fn a_name_is_that_of_its_key_and_its_place() {
        let (own, other) = (key(&"07".repeat(32)).unwrap(), key(&"08".repeat(32)).unwrap());
        assert_eq!(own.name("+4722544545"), own.name("+4722544545"));
        assert_ne!(own.name("+4722544545"), own.name("+4722544546"));
        assert_ne!(own.name("+4722544545"), other.name("+4722544545"));
        assert!(own.name("+4722544545").len() == 64 && !own.name("+4722544545").contains(own.id()));
    }

    #[test]
    fn only_the_same_key_and_the_same_place_open_it_unchanged() {
        let (own, other) = (key(&"07".repeat(32)).unwrap(), key(&"08".repeat(32)).unwrap());
        let sealed = own.seal("here", b"Kari Nordmann".to_vec()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"Kari"));
        assert_ne!(sealed, own.seal("here", b"Kari Nordmann".to_vec()).unwrap());
        assert_eq!(own.open("here", sealed.clone()).unwrap(), b"Kari Nordmann");
        assert_eq!(own.open("there", sealed.clone()), Err(Unopened));
        assert_eq!(other.open("here", sealed.clone()), Err(Unopened));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(own.open("here", changed), Err(Unopened));
        }
        assert_eq!(own.open("here", sealed[..5].to_vec()), Err(Unopened));
        assert_eq!(own.open("here", Vec::new()), Err(Unopened));
    }
}
