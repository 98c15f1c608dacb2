//! The token of `[web]`, and how a request shows it.
//!
//! As RFC 6750 §2.1 says, or as the password of HTTP Basic (RFC 7617) with any user name, because FreePBX's CID lookup source has
//! a user and a password, and no header.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, watch};
use tracing::warn;

use super::Live;
use super::login::key::Key;
use crate::secret::{Secret, SecretError};

/// The time after which the token is read again. A token that was replaced opens nothing after this time.
const FRESH: Duration = Duration::from_secs(5);

/// The token, if requests need one, and its place.
#[derive(Debug)]
pub(super) struct Token {
    live: watch::Receiver<Arc<Live>>,
    read: Mutex<ReadToken>,
    /// Of the marks.
    key: Key,
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
    pub(super) fn new(live: watch::Receiver<Arc<Live>>) -> Result<Self, SecretError> {
        let of = Arc::clone(&live.borrow());
        let token = of.settings.token.as_ref().map(Secret::read_for_header).transpose()?;
        Ok(Self { live, read: Mutex::new(ReadToken { of, at: Instant::now(), token }), key: Key::new() })
    }

    /// Whether a token is set.
    pub(super) fn is_wanted(&self) -> bool {
        self.live.borrow().settings.has_token()
    }

    /// Whether a request shows the token, or another one; none if it shows none.
    pub(super) async fn is_shown(&self, headers: &HeaderMap) -> Option<bool> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return None;
        }
        let Some(shown) = shown(headers) else { return Some(false) };
        Some(self.is(&shown).await)
    }

    /// Whether this is the token.
    pub(super) async fn is(&self, shown: &[u8]) -> bool {
        // The time of this comparison depends on the length of the token, not on its content.
        self.with(|token| token.as_bytes().ct_eq(shown).into()).await.unwrap_or(false)
    }

    /// What is the same as long as the token is, and tells nothing of it; none without a token.
    pub(super) async fn mark(&self) -> Option<[u8; 32]> {
        self.with(|token| self.key.mark(&["token", token])).await
    }

    /// What `work` makes of the token; none without a token, and while it can't be read.
    async fn with<T>(&self, work: impl FnOnce(&str) -> T) -> Option<T> {
        let live = Arc::clone(&self.live.borrow());
        let secret = live.settings.token.as_ref()?;
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
        read.token.as_ref().map(|token| work(token.expose_secret()))
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
    use axum::http::HeaderValue;

    use super::*;
    use crate::lookup::{Pbx, Resolver};
    use crate::name::Style;
    use crate::number;
    use crate::observe::metrics;
    use crate::web::{Backend, Settings};

    impl Token {
        async fn is_shown_if_wanted(&self, headers: &HeaderMap) -> bool {
            !self.is_wanted() || self.is_shown(headers).await == Some(true)
        }
    }

    fn live(token: Option<Secret>) -> (watch::Sender<Arc<Live>>, watch::Receiver<Arc<Live>>) {
        watch::channel(of(token))
    }

    fn of(token: Option<Secret>) -> Arc<Live> {
        let backend = Backend {
            replica: None,
            resolver: Arc::new(Resolver::new(Style::default())),
            pbx: Pbx::new(number::Settings::new("NO".parse().unwrap())),
            pbx_statuses: Vec::new(),
            metrics: Arc::new(metrics::Metrics::new()),
            calls: crate::calls::Calls::default(),
            find: crate::find::Find::default(),
            crms: Arc::default(),
            service: None,
            config: std::path::PathBuf::new(),
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
        let right = token.mark().await.unwrap();
        assert!(opens("Bearer old").await && !opens("Bearer new").await);
        assert_eq!(token.mark().await, Some(right));
        change.send_replace(of(given("new")));
        assert!(token.mark().await.is_some_and(|mark| mark != right));
        assert!(!opens("Bearer old").await && opens("Bearer new").await);
        change.send_replace(of(None));
        assert_eq!(token.mark().await, None);
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
