//! A request for a list as a number. If the request changes, the hash of the old one is not sent.

use ring::digest::{Context, SHA256};

/// Collects the parts of a request.
pub(crate) struct Fingerprint(Context);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Fingerprint {
    /// Adds a part with its name. The lengths distinguish `a`+`bc` from `ab`+`c`.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.0.update(&(text.len() as u64).to_be_bytes());
            self.0.update(text.as_bytes());
        }
    }

    /// The first 64 bits of the digest.
    pub(crate) fn finish(self) -> u64 {
        let digest = self.0.finish();
        let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[(&str, &str)]) -> u64 {
        let mut fingerprint = Fingerprint::default();
        parts.iter().for_each(|(name, value)| fingerprint.add(name, value));
        fingerprint.finish()
    }

    #[test]
    fn is_the_same_for_the_same_and_another_for_another() {
        assert_eq!(of(&[("a", "b")]), of(&[("a", "b")]));
        assert_ne!(of(&[("a", "b")]), of(&[("a", ""), ("b", "")]));
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        // Files on disk have it: it must be the same with every compiler and version.
        assert_eq!(of(&[]), 0xe3b0_c442_98fc_1c14);
    }
}
