//! What is wrong with a server's TLS, in words that an administrator can act on.

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error};

/// A fault of a server's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFault {
    /// The fault in words, which follow "TLS: ".
    pub(crate) text: String,
    /// The fault lasts until an administrator changes something: it is no use to try again soon.
    pub(crate) lasts: bool,
    /// The server's certificate is signed by itself, and marked as an authority's.
    pub(crate) is_self_signed: bool,
}

/// What is wrong with TLS, if that is the cause of an HTTP client's error.
pub(crate) fn fault_behind(error: &(dyn std::error::Error + 'static)) -> Option<TlsFault> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref().and_then(fault)).next()
}

/// What is wrong with TLS, if this error is about TLS.
pub(crate) fn fault(error: &std::io::Error) -> Option<TlsFault> {
    let behind = error.get_ref()?;
    // hyper's connector wraps the error twice.
    if let Some(error) = behind.downcast_ref() {
        return fault(error);
    }
    let error = behind.downcast_ref::<Error>()?;
    let text = match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(_) => {
            "no TLS is spoken at this port: is it the right one (of an Asterisk: is `tlsenable` set in http.conf), or is http:// meant?"
                .into()
        }
        Error::AlertReceived(alert) => format!("the server ends the handshake with the alert {alert:?}"),
        error => error.to_string(),
    };
    let lasts = matches!(error, Error::InvalidCertificate(_) | Error::InvalidMessage(_));
    let is_self_signed = matches!(error, Error::InvalidCertificate(error) if is_self_signed(error));
    Some(TlsFault { text, lasts, is_self_signed })
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => {
            "no trusted authority has signed the server's certificate: give the authority's certificate as `ca_file`, or the server's own if it is self-signed".into()
        }
        E::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired on {}: it has to be renewed", day(*not_after))
        }
        E::Expired => "the server's certificate has expired: it has to be renewed".into(),
        E::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate begins on {}: is this machine's clock right?", day(*not_before))
        }
        E::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("the server's certificate names no host as subjectAltName, so it is not for {}", expected.to_str())
        }
        E::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is for {}, not for {}: the address needs a host that stands in it",
            presented.join(", "),
            expected.to_str()
        ),
        E::BadSignature => {
            "the server's certificate is not signed by the authority that it names: `ca_file` may be an older one".into()
        }
        error if is_self_signed(error) => {
            "the server's certificate is signed by itself: give it as `ca_file`".into()
        }
        E::Other(error) => format!(
            "the server's certificate can't be used ({error:?}): X.509 version 3 with a subjectAltName is needed"
        ),
        error => format!("the server's certificate can't be used: {error}"),
    }
}

/// Whether the certificate is marked as an authority's, as `openssl req -x509` makes them: an error of webpki's, for which rustls has
/// no variant.
fn is_self_signed(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(error) if format!("{error:?}").contains("CaUsedAsEndEntity"))
}

/// A date of ISO 8601.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(|_| "an unknown day".into(), |time| time.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    fn message(error: Error) -> String {
        fault(&io::Error::new(io::ErrorKind::InvalidData, error)).unwrap().text
    }

    #[test]
    fn dates_and_hosts_are_named() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (time, not_after, not_before) = (at(1_800_000_000), at(1_700_000_000), at(1_900_000_000));
        let expired = message(CertificateError::ExpiredContext { time, not_after }.into());
        assert!(expired.contains("expired on 2023-11-14"), "{expired}");
        let early = message(CertificateError::NotValidYetContext { time, not_before }.into());
        assert!(early.contains("begins on 2030-03-17") && early.contains("clock"), "{early}");
        let expected = "pbx.example".try_into().unwrap();
        let presented = vec!["DnsName(\"other.example\")".into()];
        let other = message(CertificateError::NotValidForNameContext { expected, presented }.into());
        assert!(other.contains("other.example") && other.contains("not for pbx.example"), "{other}");
    }

    #[test]
    fn errors_that_are_not_about_tls_have_no_diagnosis() {
        assert_eq!(fault(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
        assert_eq!(fault(&io::Error::other("Kari")), None);
    }
}
