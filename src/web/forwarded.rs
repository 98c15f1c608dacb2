//! What a proxy says of the request that it passes on: in `Forwarded` (RFC 7239), or in the `X-Forwarded-` headers from before it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

const PROTOCOL: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether a proxy has passed the request on.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"))
}

/// Whether a proxy was asked by https.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    let is_https = |value: &str| value.eq_ignore_ascii_case("https");
    list(headers, &PROTOCOL).any(is_https) || parameters(headers, "proto").any(is_https)
}

/// The address of the client: the last one, which the nearest proxy has written and the client can't. A proxy that writes
/// `X-Forwarded-For` may pass on a `Forwarded` of the client's, so this one counts only alone.
pub(super) fn client(headers: &HeaderMap) -> Option<IpAddr> {
    list(headers, &FOR).last().or_else(|| parameters(headers, "for").last()).and_then(address)
}

/// The elements of all headers with this name.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The values of a parameter of `Forwarded`: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`.
fn parameters<'a>(headers: &'a HeaderMap, wanted: &'static str) -> impl Iterator<Item = &'a str> {
    list(headers, &header::FORWARDED).flat_map(|element| element.split(';')).filter_map(move |pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
    })
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_a_proxy_passes_on_is_not_of_this_machine() {
        for name in
            ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-by"]
        {
            assert!(is_forwarded(&headers(&[(name, "")])), "{name}");
        }
        assert!(!is_forwarded(&headers(&[("host", "localhost")])));
    }

    #[test]
    fn either_header_says_https() {
        for https in [
            &[("x-forwarded-proto", "https")][..],
            &[("x-forwarded-proto", "http, HTTPS")],
            &[("forwarded", "for=192.0.2.1;proto=https")],
            &[("forwarded", "for=192.0.2.1, For=192.0.2.2; Proto=\"https\"")],
        ] {
            assert!(is_https(&headers(https)), "{https:?}");
        }
        for http in [
            &[][..],
            &[("x-forwarded-proto", "http")],
            &[("forwarded", "for=https")],
            &[("forwarded", "proto=http")],
            &[("host", "https")],
        ] {
            assert!(!is_https(&headers(http)), "{http:?}");
        }
    }

    #[test]
    fn the_last_address_is_that_of_the_client() {
        for (said, expected) in [
            (&[("x-forwarded-for", "198.51.100.9, 192.0.2.1")][..], Some("192.0.2.1")),
            (&[("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "2001:db8::1")], Some("2001:db8::1")),
            (&[("forwarded", "for=198.51.100.9, for=192.0.2.1;proto=https")], Some("192.0.2.1")),
            (&[("forwarded", "proto=https;for=\"[2001:db8::1]:4711\"")], Some("2001:db8::1")),
            (&[("forwarded", "for=192.0.2.1:4711")], Some("192.0.2.1")),
            (&[("forwarded", "for=198.51.100.9"), ("x-forwarded-for", "192.0.2.1")], Some("192.0.2.1")),
            (&[("forwarded", "for=_hidden")], None),
            (&[("x-forwarded-for", "unknown")], None),
            (&[], None),
        ] {
            assert_eq!(client(&headers(said)), expected.map(|address| address.parse().unwrap()), "{said:?}");
        }
    }
}
