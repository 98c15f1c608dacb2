//! The token with a system user's ticket: a JWT (RFC 7519), signed with RS256 by a key of the login host's key set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rsa::PublicKeyComponents;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

const ISSUER: &str = "SuperOffice AS";
const SERIAL: &str = "http://schemes.superoffice.net/identity/serial";
const TICKET: &str = "http://schemes.superoffice.net/identity/ticket";
/// The permitted difference of two clocks, in seconds: the usual allowance.
const LEEWAY: i64 = 300;

/// Why a token is rejected. The text shows nothing of the token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JwtError {
    /// Not three parts of base64 with JSON in the first two.
    #[error("it is no JWT")]
    Form,
    /// The algorithm is not RS256: `none`, for example.
    #[error("it is not signed with RS256")]
    Algorithm,
    /// The signature is of no key of the set.
    #[error("no key of the login host has signed it")]
    Signature,
    /// The issuer is not SuperOffice.
    #[error("its issuer is not {ISSUER}")]
    Issuer,
    /// The audience is another application.
    #[error("its audience is not the one of its serial")]
    Audience,
    /// Expired, or not valid yet, by this machine's clock.
    #[error("it expired {0} s ago by this machine's clock")]
    Expired(i64),
    /// The token has no ticket.
    #[error("it holds no ticket")]
    NoTicket,
}

/// The login host's keys.
#[derive(Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: Option<String>,
    #[serde(default)]
    kty: String,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// The ticket of a token whose signature is correct and which is valid at `now`.
pub(super) fn ticket(token: &str, keys: &KeySet, now: Timestamp) -> Result<SecretString, JwtError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtError::Form)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Form);
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| JwtError::Form)?;
    if header.alg != "RS256" {
        return Err(JwtError::Algorithm);
    }
    let signature = decoded(signature)?;
    let of_token = |key: &&Key| header.kid.is_none() || key.kid.is_none() || key.kid == header.kid;
    if !keys.keys.iter().filter(of_token).any(|key| key.has_signed(signed.as_bytes(), &signature)) {
        return Err(JwtError::Signature);
    }
    // The signature is checked before the claims.
    let claims: Map<String, Value> = serde_json::from_slice(&decoded(claims)?).map_err(|_| JwtError::Form)?;
    believe(&claims, now)?;
    let ticket = claims.get(TICKET).and_then(Value::as_str).filter(|ticket| !ticket.is_empty());
    Ok(ticket.ok_or(JwtError::NoTicket)?.into())
}

fn believe(claims: &Map<String, Value>, now: Timestamp) -> Result<(), JwtError> {
    if claims.get("iss").and_then(Value::as_str) != Some(ISSUER) {
        return Err(JwtError::Issuer);
    }
    let serial = claims.get(SERIAL).or_else(|| claims.get("serial")).and_then(Value::as_str);
    let wanted = Value::String(format!("spn:{}", serial.ok_or(JwtError::Audience)?));
    // RFC 7519 §4.1.3: one, or several in an array.
    let is_ours = match claims.get("aud") {
        Some(Value::Array(several)) => several.contains(&wanted),
        Some(one) => *one == wanted,
        None => false,
    };
    if !is_ours {
        return Err(JwtError::Audience);
    }
    // A token without an end would be valid for ever: SuperOffice issues none.
    let expires = claims.get("exp").and_then(Value::as_f64).ok_or(JwtError::Expired(0))?;
    #[allow(clippy::cast_possible_truncation)] // Saturates, which is right at both ends.
    let late = now.as_second().saturating_sub(expires as i64);
    if late > LEEWAY { Err(JwtError::Expired(late)) } else { Ok(()) }
}

impl Key {
    fn has_signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        let number = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let (Some(n), Some(e)) = (number(&self.n), number(&self.e)) else { return false };
        let key = PublicKeyComponents { n, e };
        self.kty == "RSA" && key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use ring::rsa::PublicKeyComponents as Public;
    use ring::signature::RsaKeyPair;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::pki_types::pem::PemObject;
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    const LOGIN: &str = include_str!("../../../tests/data/test-only-login-key.pem");
    const PARTNER: &str = include_str!("../../../tests/data/test-only-partner-key.pem");

    fn keys() -> KeySet {
        let der = PrivatePkcs8KeyDer::from_pem_slice(LOGIN.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let public: Public<Vec<u8>> = key.public().into();
        let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
        serde_json::from_value(json!({"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "n": n, "e": e}]}))
            .unwrap()
    }

    fn token(key: &str, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = super::super::key::sign(&key.into(), &signed).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(STANDARD.decode(signature).unwrap());
        format!("{signed}.{signature}")
    }

    #[test]
    fn a_genuine_token_gives_its_ticket_and_nothing_else_does() {
        let rs256 = json!({"alg": "RS256", "typ": "JWT", "kid": "1"});
        let good = json!({"iss": ISSUER, "aud": "spn:42", SERIAL: "42", "exp": 1_000_600, TICKET: "7T:x"});
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ask = |token: &str| ticket(token, &keys(), now).map(|ticket| ticket.expose_secret().to_owned());
        let genuine = token(LOGIN, &rs256, &good);
        assert_eq!(ask(&genuine), Ok("7T:x".into()));
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            token(LOGIN, &rs256, &claims)
        };
        assert_eq!(ask(&with("aud", json!(["x", "spn:42"]))), Ok("7T:x".into()));
        assert_eq!(ask(&with("exp", json!(999_800))), Ok("7T:x".into()));
        for (token, error) in [
            (token(PARTNER, &rs256, &good), JwtError::Signature),
            (token(LOGIN, &json!({"alg": "none"}), &good), JwtError::Algorithm),
            (token(LOGIN, &json!({"alg": "HS256"}), &good), JwtError::Algorithm),
            (token(LOGIN, &json!({"alg": "RS256", "kid": "2"}), &good), JwtError::Signature),
            (with("iss", json!("Somebody")), JwtError::Issuer),
            (with("aud", json!("spn:43")), JwtError::Audience),
            (with("aud", Value::Null), JwtError::Audience),
            (with("exp", json!(999_000)), JwtError::Expired(1000)),
            (with("exp", Value::Null), JwtError::Expired(0)),
            (with(TICKET, json!("")), JwtError::NoTicket),
            ("a.b".into(), JwtError::Form),
            (genuine[..genuine.len() - 8].to_owned(), JwtError::Signature),
        ] {
            assert_eq!(ask(&token), Err(error), "{token}");
        }
        let mut parts: Vec<&str> = genuine.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(good.to_string().replace("7T:x", "7T:y"));
        parts[1] = &forged;
        assert_eq!(ask(&parts.join(".")), Err(JwtError::Signature));
    }
}
