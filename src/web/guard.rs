//! Which requests are served.
//!
//! On loopback: each request of this machine, but no page of another site in a browser of this machine. Such a page can point its
//! own host name at 127.0.0.1 after it was loaded (DNS rebinding), and would then read our answers. Its requests have that host
//! name in `Host`. So only requests with a name or an address of this machine in `Host` are served.
//!
//! A page of another origin must not find out who is a customer from the status of an answer. A browser sends the origin of a
//! request (`Sec-Fetch-Site` of Fetch Metadata, `Origin` of RFC 6454). All requests of another origin get the same refusal. A page
//! of another port of this machine is another origin, too.
//!
//! With a token, which is required beyond loopback: each request must show the token ([`super::token`]). Only `/healthz` needs no
//! token: load balancers and container runtimes can't be given secrets, and its answer says no more than the open port. A request
//! with a wrong token is refused late, and counted. The pages have a login of their own ([`super::login`]).
//!
//! A request that a proxy has passed on is not of this machine, though it comes from here. Where no token is set, nobody can say
//! whose it is, and it is refused.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use super::token::Token;
use super::{Live, forwarded, is_loopback, lookup, pages, slots, words};
use crate::observe::metrics;
use crate::observe::throttle::Throttle;
use crate::secret::SecretError;

/// The header in which a browser sends where a request comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The header in which a browser sends what a request is for.
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The time until a wrong token is refused. It slows a client that waits for the refusal. A client that hangs up earlier is counted,
/// too; the length of the token is what keeps such a client from guessing it, so `check` warns of a short one.
const PENALTY: Duration = Duration::from_millis(500);

/// The conditions for a request.
#[derive(Debug)]
pub(super) struct Guard {
    /// The address that is listened on if it is on loopback: `Host` must then be this machine.
    loopback: Option<IpAddr>,
    /// The token, if requests need one.
    pub(super) token: Token,
    counted: metrics::Web,
    wrong_tokens: Throttle,
}

impl Guard {
    pub(super) fn new(live: watch::Receiver<Arc<Live>>, counted: metrics::Web) -> Result<Self, SecretError> {
        let listen = live.borrow().settings.listen;
        let loopback = is_loopback(listen).then(|| listen.ip());
        let token = Token::new(live)?;
        Ok(Self { loopback, token, counted, wrong_tokens: Throttle::each_minute() })
    }

    /// Counts and logs a wrong token, then waits.
    pub(super) async fn slow_down(&self) {
        self.counted.wrong_token();
        self.wrong_tokens.log(|times| warn!(times, "[web] a request with a wrong token is refused"));
        slots::may_wait();
        sleep(PENALTY).await;
    }

    /// The refusal of a request that is for another machine, or that a page of another origin makes.
    pub(super) fn refusal(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        if self.loopback.is_some_and(|own| !is_for(own, headers)) {
            let what = "this server is for its own machine: ask for http://127.0.0.1, http://localhost or http://[::1]";
            return Some(refused(request, StatusCode::MISDIRECTED_REQUEST, what));
        }
        if !is_of_another_page(headers) {
            return None;
        }
        // A link on another page: whoever has followed it sees a link to the page, and nothing of it.
        if headers.get(MODE).is_some_and(|mode| mode == "navigate") && pages::is_place(request.uri().path()) {
            return Some(pages::doorstep(headers));
        }
        Some(refused(request, StatusCode::FORBIDDEN, "this server answers no page of another origin"))
    }

    /// Whether only this machine can reach the server.
    pub(super) fn is_on_loopback(&self) -> bool {
        self.loopback.is_some()
    }

    /// Whether a request is served without a token: none is set, and no proxy has passed the request on.
    pub(super) fn is_open_to(&self, headers: &HeaderMap) -> bool {
        !self.token.is_wanted() && !forwarded::is_forwarded(headers)
    }
}

/// Serves a request of a client with the token, or refuses it with the reason.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if let Some(refusal) = guard.refusal(&request) {
        return refusal;
    }
    let headers = request.headers();
    if request.uri().path() == "/healthz" || guard.is_open_to(headers) {
        return next.run(request).await;
    }
    match guard.token.is_shown(headers).await {
        Some(true) => next.run(request).await,
        Some(false) => {
            guard.slow_down().await;
            unauthorized(&request)
        }
        None => unauthorized(&request),
    }
}

/// The refusal of a request without the token.
pub(super) fn unauthorized(request: &Request) -> Response {
    let what = "the token of [web] is wanted: Authorization: Bearer <token>";
    let mut response = refused(request, StatusCode::UNAUTHORIZED, what);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// A refusal with its reason. That of a lookup has nothing that could be shown as a name.
fn refused(request: &Request, status: StatusCode, what: &str) -> Response {
    if lookup::is_lookup(request.uri().path()) {
        lookup::refusal(status, what, request.headers())
    } else {
        words(status, what.into())
    }
}

/// Whether a browser sends the request for a page of another origin.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    if headers.contains_key(SITE) {
        let is_own = |site: &HeaderValue| ["same-origin", "none"].iter().any(|own| site == own);
        return !headers.get_all(SITE).iter().all(is_own);
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own_origin = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.zip(host).is_some_and(|((_, origin), host)| origin.eq_ignore_ascii_case(host))
    };
    !headers.get_all(header::ORIGIN).iter().all(is_own_origin)
}

/// Whether there is one `Host` header, with a name or an address of this machine: `localhost`, 127.0.0.1, ::1, or `own`, which is
/// listened on. No page can rebind an address.
fn is_for(own: IpAddr, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return false;
    };
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':').unwrap_or(rest)),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let bracketed = host.starts_with('[');
    port.chars().all(|c| c.is_ascii_digit())
        && match name.parse::<IpAddr>() {
            Ok(address) => {
                address.is_ipv6() == bracketed && (address == own || ["127.0.0.1", "::1"].contains(&name))
            }
            Err(_) => !bracketed && name.eq_ignore_ascii_case("localhost"),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_by_name_or_address() {
        let is = |own: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            is_for(own.parse().unwrap(), &headers)
        };
        for host in [
            "localhost",
            "LOCALHOST:8480",
            "127.0.0.1",
            "127.0.0.1:8480",
            "[::1]",
            "[::1]:8480",
            "localhost:",
        ] {
            assert!(is("127.0.0.1", host), "{host}");
        }
        for host in [
            "",
            ":8480",
            "evil.example",
            "localhost.evil.example:8480",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "127.0.0.1:8480@evil.example",
            "[::1].evil.example",
            "[localhost]",
            "[127.0.0.1]",
            "::1",
            "127.0.0.2",
            "192.168.1.10:8480",
            "0.0.0.0:8480",
        ] {
            assert!(!is("127.0.0.1", host), "{host}");
        }
        assert!(is("127.0.0.2", "127.0.0.2:8480"));
        assert!(is("::1", "127.0.0.1"));
    }

    #[test]
    fn a_page_of_another_origin_is_none_of_ours() {
        let is_other = |headers: &[(&'static str, &'static str)]| {
            let mut all = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost:8480"))]);
            for (name, value) in headers {
                all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            is_of_another_page(&all)
        };
        for own in [
            &[][..],
            &[("sec-fetch-site", "none")],
            // A proxy in front of the server has another name.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://names.example")],
            &[("origin", "http://localhost:8480")],
        ] {
            assert!(!is_other(own), "{own:?}");
        }
        for other in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "http://localhost:3000")],
        ] {
            assert!(is_other(other), "{other:?}");
        }
    }

    #[test]
    fn one_host_no_more_no_less() {
        let own = "127.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        assert!(!is_for(own, &headers));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(is_for(own, &headers));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_for(own, &headers));
    }
}
