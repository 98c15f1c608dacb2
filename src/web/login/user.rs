//! The users of the configuration, and their passwords.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{ARGON2ID_IDENT, Argon2, Params};

use super::Role;

/// The most memory that the hash of a password may take, in KiB: 64 MiB.
const MOST_MEMORY: u32 = 64 << 10;
/// The most passes over that memory.
const MOST_PASSES: u32 = 10;
/// The most lanes of it.
const MOST_LANES: u32 = 16;
/// The shortest password, in characters: NIST SP 800-63B §5.1.1.
const SHORTEST: usize = 8;
/// The longest password, in bytes.
const LONGEST: usize = 256;

/// Somebody who may log in: `[[web.user]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The hash of the password.
    pub password: PasswordHash,
}

impl User {
    /// Whether it is the user with this name. Capital letters make no difference.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.trim().to_lowercase()
    }
}

/// The hash of a password: a PHC string of Argon2id (RFC 9106), as `nameplate password` prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl FromStr for PasswordHash {
    type Err = &'static str;

    /// An error, which does not show the text, if it is no hash, or one that would take too much memory or time.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str =
            "allowed is a hash of Argon2id, as `nameplate password` prints it (the value is not shown)";
        let hash = phc::PasswordHash::new(text).map_err(|_| WRONG)?;
        if hash.algorithm != ARGON2ID_IDENT || hash.hash.is_none() || hash.salt.is_none() {
            return Err(WRONG);
        }
        let params = Params::try_from(&hash).map_err(|_| WRONG)?;
        let fits =
            params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES && params.p_cost() <= MOST_LANES;
        if !fits {
            return Err(
                "the hash takes too much memory or time; allowed are up to m=65536 (64 MiB), t=10 and p=16",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl PasswordHash {
    /// Hashes a password, with a salt of its own. It takes 19 MiB of memory, and a thread for some 20 ms. An error if the
    /// password is too short or too long.
    pub fn make(password: &str) -> Result<Self, String> {
        if password.chars().count() < SHORTEST || password.len() > LONGEST {
            return Err(format!(
                "this password is too short or too long; allowed are {SHORTEST} characters to {LONGEST} bytes"
            ));
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        Ok(Self(hash.map_err(|error| error.to_string())?.to_string()))
    }

    /// Whether it is the hash of this password. It takes as much memory and time as [`PasswordHash::make`], or as the hash says.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        password.len() <= LONGEST
            && phc::PasswordHash::new(&self.0)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// The hash as it stands in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_alone() {
        let hash = PasswordHash::make("correct horse").unwrap();
        assert!(hash.is_of("correct horse"));
        assert!(!hash.is_of("correct horsf") && !hash.is_of("") && !hash.is_of(&"x".repeat(1 << 20)));
        let again: PasswordHash = hash.as_str().parse().unwrap();
        assert!(again.is_of("correct horse"));
        assert_ne!(PasswordHash::make("correct horse").unwrap(), hash);
        assert!(!format!("{hash:?}").contains("argon2"));
    }

    #[test]
    fn another_text_is_no_hash_and_is_not_shown() {
        let hash = PasswordHash::make("correct horse").unwrap();
        let wrong = [
            "correct horse".to_owned(),
            String::new(),
            hash.as_str().replace("argon2id", "argon2i"),
            hash.as_str().replace("argon2id", "scrypt"),
            hash.as_str().rsplit_once('$').unwrap().0.to_owned(),
            hash.as_str().replace("m=19456", "m=1048576"),
            hash.as_str().replace("t=2", "t=1000"),
        ];
        for text in wrong {
            let error = text.parse::<PasswordHash>().unwrap_err();
            assert!(error.contains("allowed"), "{text}");
            assert!(!error.contains("correct horse"));
        }
        for password in ["short", &"x".repeat(257)] {
            assert!(PasswordHash::make(password).unwrap_err().contains("allowed are 8"));
        }
    }

    #[test]
    fn capital_letters_in_a_name_make_no_difference() {
        let password = PasswordHash::make("correct horse").unwrap();
        let user = User { name: "Åse".into(), role: Role::Operator, password };
        assert!(user.is("åse") && user.is(" ÅSE ") && !user.is("ase") && !user.is(""));
    }
}
