//! The private key of a system user, in SuperOffice's forms, and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

/// Why a key can't be used. The text shows nothing of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The form is unknown.
    #[error(
        "the private key is neither PEM (BEGIN PRIVATE KEY, BEGIN RSA PRIVATE KEY) nor <RSAKeyValue> XML"
    )]
    Form,
    /// The form is known, but the content is not a complete RSA key.
    #[error("the private key can't be used: {0}; it must be a whole RSA key of 2048 to 4096 bits")]
    Unusable(String),
}

/// Signs with RSA PKCS#1 v1.5 and SHA-256; the signature in standard base64.
pub(super) fn sign(key: &SecretString, data: &str) -> Result<String, KeyError> {
    let key = read(key.expose_secret())?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data.as_bytes(), &mut signature)
        .map_err(|_| KeyError::Unusable("it does not sign".into()))?;
    Ok(STANDARD.encode(signature))
}

fn read(text: &str) -> Result<RsaKeyPair, KeyError> {
    let unusable = |error: ring::error::KeyRejected| KeyError::Unusable(error.to_string());
    if text.contains("<RSAKeyValue>") {
        return components(text);
    }
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(unusable),
        Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(unusable),
        Ok(_) => Err(KeyError::Unusable("it is no RSA key".into())),
        Err(_) => Err(KeyError::Form),
    }
}

/// .NET's `RSA.ToXmlString(true)`: eight numbers in base64, big-endian.
fn components(xml: &str) -> Result<RsaKeyPair, KeyError> {
    let part = |name: &str| {
        let text = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</"));
        let text: String = text.map_or("", |(text, _)| text).split_whitespace().collect();
        let number = STANDARD.decode(text).ok().filter(|number| !number.is_empty());
        let number = number.ok_or_else(|| KeyError::Unusable(format!("<{name}> is missing or no base64")))?;
        // .NET pads numbers with leading zeros, which ring rejects.
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        Ok::<_, KeyError>(number.get(zeros..).unwrap_or_default().to_vec())
    };
    let key = KeyPairComponents {
        public_key: PublicKeyComponents { n: part("Modulus")?, e: part("Exponent")? },
        d: part("D")?,
        p: part("P")?,
        q: part("Q")?,
        dP: part("DP")?,
        dQ: part("DQ")?,
        qInv: part("InverseQ")?,
    };
    RsaKeyPair::from_components(&key).map_err(|error| KeyError::Unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCS8: &str = include_str!("../../../tests/data/test-only-partner-key.pem");
    const PKCS1: &str = include_str!("../../../tests/data/test-only-partner-key.pkcs1.pem");
    const XML: &str = include_str!("../../../tests/data/test-only-partner-key.xml");
    /// Made with `openssl dgst -sha256 -sign`.
    const SIGNATURE: &str = include_str!("../../../tests/data/test-only-signature.txt");

    #[test]
    fn every_form_of_a_key_signs_as_openssl_does() {
        for key in [PKCS8, PKCS1, XML, &XML.replace('\n', ""), &PKCS8.replace('\n', "\r\n")] {
            assert_eq!(sign(&key.into(), "Nameplate-test.202607311234").unwrap(), SIGNATURE.trim());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let public_only = XML.split_once("<D>").unwrap().0.to_owned() + "</RSAKeyValue>";
        let pem = |label: &str| format!("-----BEGIN {label}-----\nMIIsecret\n-----END {label}-----\n");
        for (key, said) in [
            ("secret", "neither PEM"),
            (&public_only, "<D> is missing"),
            (&pem("RSA PRIVATE KEY"), "neither PEM"),
            (&XML.replace("<P>", "<P>*secret"), "<P> is missing or no base64"),
        ] {
            let error = sign(&key.to_owned().into(), "data").unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{error}");
        }
    }
}
