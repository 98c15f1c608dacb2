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
//! With a token, which is required beyond loopback: each request must show the token as RFC 6750 §2.1 says, or as the password of
//! HTTP Basic (RFC 7617) with any user name, because FreePBX's CID lookup source has a user and a password, and no header. Only
//! `/healthz` needs no token: load balancers and container runtimes can't be given secrets, and its answer says no more than the
//! open port. A request with a wrong token is refused late, and counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use tracing::warn;

use super::{Live, is_loopback, lookup, words};
use crate::observe::metrics;
use crate::observe::throttle::Throttle;
use crate::secret::{Secret, SecretError};

/// The header in which a browser sends where a request comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The time after which the token is read again. A token that was replaced opens nothing after this time.
const FRESH: Duration = Duration::from_secs(5);

/// The time until a wrong token is refused. It limits attackers to some hundreds of tokens a second, over all connections.
const PENALTY: Duration = Duration::from_millis(500);

/// The conditions for a request.
#[derive(Debug)]
pub(super) struct Guard {
    /// The address that is listened on if it is on loopback: `Host` must then be this machine.
    loopback: Option<IpAddr>,
    token: Token,
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
    async fn slow_down(&self) {
        self.counted.wrong_token();
        self.wrong_tokens.log(|times| warn!(times, "[web] a request with a wrong token is refused"));
        sleep(PENALTY).await;
    }
}

/// Serves a request, or refuses it with the reason.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if let Some(own) = guard.loopback
        && !is_for(own, request.headers())
    {
        let what =
            "this server is for its own machine: ask for http://127.0.0.1, http://localhost or http://[::1]";
        return refused(&request, StatusCode::MISDIRECTED_REQUEST, what);
    }
    if is_of_another_page(request.headers()) {
        let what = "this server answers no page of another origin";
        return refused(&request, StatusCode::FORBIDDEN, what);
    }
    if request.uri().path() != "/healthz" && !guard.token.is_shown_if_wanted(request.headers()).await {
        if request.headers().contains_key(header::AUTHORIZATION) {
            guard.slow_down().await;
        }
        let what = "the token of [web] is wanted: Authorization: Bearer <token>";
        let mut response = refused(&request, StatusCode::UNAUTHORIZED, what);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    next.run(request).await
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

/// The token, if requests need one, and its place.
#[derive(Debug)]
struct Token {
    live: watch::Receiver<Arc<Live>>,
    read: Mutex<ReadToken>,
}

/// The token as it was read.
#[derive(Debug)]
struct ReadToken {
    /// The configuration that names its place.
    of: Arc<Live>,
    at: Instant,
    token: Option<SecretString>,
}

impl Token {
    fn new(live: watch::Receiver<Arc<Live>>) -> Result<Self, SecretError> {
        let of = Arc::clone(&live.borrow());
        let token = of.settings.token.as_ref().map(Secret::read_for_header).transpose()?;
        Ok(Self { live, read: Mutex::new(ReadToken { of, at: Instant::now(), token }) })
    }

    /// Whether a request shows the token, or needs none.
    async fn is_shown_if_wanted(&self, headers: &HeaderMap) -> bool {
        let live = Arc::clone(&self.live.borrow());
        let Some(secret) = &live.settings.token else { return true };
        let Some(shown) = shown(headers) else { return false };
        let mut read = self.read.lock().await;
        let is_old = !Arc::ptr_eq(&read.of, &live);
        if is_old || read.at.elapsed() >= FRESH {
            let token = match secret.read_for_header() {
                Ok(now) => Some(now),
                // Another token is wanted than the one that was read.
                Err(error) if error.passes() && read.of.settings.token == live.settings.token => {
                    read.token.take()
                }
                Err(error) => {
                    // The old token may have been replaced, so it opens nothing.
                    warn!("web: no request is served: {error}");
                    None
                }
            };
            *read = ReadToken { of: Arc::clone(&live), at: Instant::now(), token };
        }
        // The time of this comparison depends on the length of the token, not on its content.
        read.token.as_ref().is_some_and(|token| token.expose_secret().as_bytes().ct_eq(&shown).into())
    }
}

/// The token that a request shows.
fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.into());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = BASE64.decode(credentials).ok()?;
    let user = credentials.iter().position(|byte| *byte == b':')?;
    credentials.get(user + 1..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{Pbx, Resolver};
    use crate::name::Style;
    use crate::number;
    use crate::web::{Backend, Settings};

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

    fn live(token: Option<Secret>) -> (watch::Sender<Arc<Live>>, watch::Receiver<Arc<Live>>) {
        watch::channel(of(token))
    }

    fn of(token: Option<Secret>) -> Arc<Live> {
        let backend = Backend {
            resolver: Arc::new(Resolver::new(Style::default())),
            pbx: Pbx::new(number::Settings::new("NO".parse().unwrap())),
            pbx_statuses: Vec::new(),
            metrics: Arc::new(metrics::Metrics::new()),
            calls: crate::calls::Calls::default(),
        };
        Arc::new(Live {
            settings: Settings::try_new("127.0.0.1:0".parse().unwrap(), token).unwrap(),
            backend,
        })
    }

    #[tokio::test]
    async fn a_reload_changes_the_token_and_whether_there_is_one() {
        let given = |token: &str| Some(Secret::Given(token.into()));
        let (change, live) = live(given("old"));
        let token = Token::new(live).unwrap();
        let opens = async |shown: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(shown));
            token.is_shown_if_wanted(&headers).await
        };
        assert!(opens("Bearer old").await && !opens("Bearer new").await);
        change.send_replace(of(given("new")));
        assert!(!opens("Bearer old").await && opens("Bearer new").await);
        change.send_replace(of(None));
        assert!(opens("Bearer old").await && token.is_shown_if_wanted(&HeaderMap::new()).await);

        // A file is read at once, not after some seconds.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = || of(Some(Secret::File(path.clone())));
        std::fs::write(&path, "third\n").unwrap();
        change.send_replace(file());
        assert!(opens("Bearer third").await);
        std::fs::write(&path, "fourth\n").unwrap();
        assert!(opens("Bearer third").await);
        change.send_replace(file());
        assert!(!opens("Bearer third").await && opens("Bearer fourth").await);
        change.send_replace(of(Some(Secret::File(dir.path().join("missing")))));
        assert!(!opens("Bearer fourth").await);
    }

    #[tokio::test]
    async fn the_token_whole_and_nothing_else() {
        let (_change, live) = live(Some(Secret::Given("s3cret-token".into())));
        let token = Token::new(live).unwrap();
        for (shown, opens) in [
            ("Bearer s3cret-token", true),
            ("bearer  s3cret-token", true),
            ("Bearer s3cret-toke", false),
            ("Bearer s3cret-token2", false),
            ("Bearer ", false),
            ("Basic s3cret-token", false),
            ("s3cret-token", false),
            // nameplate:s3cret-token, :s3cret-token
            ("Basic bmFtZXBsYXRlOnMzY3JldC10b2tlbg==", true),
            ("basic OnMzY3JldC10b2tlbg==", true),
            // s3cret-token, s3cret-token:, a:b:s3cret-token, nameplate:
            ("Basic czNjcmV0LXRva2Vu", false),
            ("Basic czNjcmV0LXRva2VuOg==", false),
            ("Basic YTpiOnMzY3JldC10b2tlbg==", false),
            ("Basic bmFtZXBsYXRlOg==", false),
            ("Basic ", false),
            ("Basic :s3cret-token", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(shown).unwrap());
            assert_eq!(token.is_shown_if_wanted(&headers).await, opens, "{shown}");
        }
        assert!(!token.is_shown_if_wanted(&HeaderMap::new()).await);
    }

    #[tokio::test]
    async fn a_replaced_token_is_the_only_one_that_opens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "old\n").unwrap();
        let (_change, live) = live(Some(Secret::File(path.clone())));
        let token = Token::new(live).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        token.read.lock().await.at -= FRESH;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer old"));
        assert!(!token.is_shown_if_wanted(&headers).await);
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer new"));
        assert!(token.is_shown_if_wanted(&headers).await);

        std::fs::remove_file(&path).unwrap();
        token.read.lock().await.at -= FRESH;
        assert!(!token.is_shown_if_wanted(&headers).await);
    }
}
