//! A key of this process: it makes what others can't guess, and can't make themselves.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes of a secret: 256 bits.
const BYTES: usize = 32;

/// A key that lasts as long as the process.
pub(in crate::web) struct Key(hmac::Key);

impl Key {
    pub(in crate::web) fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random()))
    }

    /// The same for the same texts, and without the key nobody can tell it.
    pub(in crate::web) fn mark(&self, texts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for text in texts {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A text that nobody can guess, for a cookie or a form.
pub(in crate::web) fn secret_text() -> String {
    text(&random())
}

/// The text of these bytes, for a cookie or a form.
pub(in crate::web) fn text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// # Panics
/// If the system has no random numbers. Linux always has, once it has booted.
#[allow(clippy::expect_used)]
fn random() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_that_of_the_same_texts_and_the_same_key() {
        let (key, other) = (Key::new(), Key::new());
        assert_eq!(key.mark(&["a", "b"]), key.mark(&["a", "b"]));
        assert_ne!(key.mark(&["a", "b"]), key.mark(&["ab", ""]));
        assert_ne!(key.mark(&["a"]), other.mark(&["a"]));
        assert_ne!(secret_text(), secret_text());
    }
}
