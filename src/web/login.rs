//! Who may see the pages, and who may press their buttons.
//!
//! - [`check`]: shows a page to whoever may see it, and takes no form without its token against forgery
//! - `viewer`: the person in front of a page, and the roles
//! - `user`: the users of the configuration, and their passwords
//! - `sessions`: who has logged in
//! - `tries`: wrong passwords are slowed down
//! - `key`: what nobody can guess
//!
//! A person is known by the cookie of a session, or by the token of `[web]` in `Authorization`, which makes an administrator. On
//! loopback, where no token is set, the pages are shown to everybody on this machine, without buttons. A stranger gets the login
//! page, or 401.
//!
//! A session lasts for twelve hours, and no longer than its token or its user is in the configuration: each request looks again.

pub(super) mod key;
mod sessions;
mod tries;
mod user;
mod viewer;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tracing::{info, warn};

use super::guard::{self, Guard};
use super::{Live, cookie, forwarded, pages};
use crate::observe::throttle::Throttle;
use crate::observe::{metrics, panics};
use key::Key;
use sessions::{Owner, Sessions};
use tries::Tries;
pub use user::{PasswordHash, User};
pub use viewer::Role;
pub(super) use viewer::{Login, Viewer};

/// The cookie of a session.
const COOKIE: &str = "nameplate_session";
/// The longest body of a form, in bytes.
const MAX_FORM: usize = 16 << 10;

/// The address that a connection comes from. The server adds it to each request that is no GET.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// All logins.
#[derive(Debug)]
pub(super) struct Logins {
    live: watch::Receiver<Arc<Live>>,
    guard: Arc<Guard>,
    sessions: Sessions,
    tries: Arc<Tries>,
    key: Key,
    counted: metrics::Web,
    wrong: Throttle,
}

/// Why a login has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The name, the password or the token is wrong.
    Wrong,
    /// Too many tries wait already.
    Busy,
}

impl Logins {
    pub(super) fn new(live: watch::Receiver<Arc<Live>>, guard: Arc<Guard>, counted: metrics::Web) -> Self {
        Self {
            live,
            guard,
            sessions: Sessions::default(),
            tries: Arc::new(Tries::new()),
            key: Key::new(),
            counted,
            wrong: Throttle::each_minute(),
        }
    }

    /// Whether there are users to log in as, beside the token.
    pub(super) fn has_users(&self) -> bool {
        !self.live.borrow().settings.users.is_empty()
    }

    /// Whether anybody can log in.
    fn can_log_in(&self) -> bool {
        self.guard.token.is_wanted() || self.has_users()
    }

    /// The person who sends this request; none for a stranger.
    pub(super) async fn viewer(&self, headers: &HeaderMap) -> Option<Viewer> {
        let login = match self.session(headers).await {
            Some(login) => Some(login),
            None => self.by_token(headers).await,
        };
        let is_open = login.is_some() || self.guard.is_open_to(headers) && self.guard.is_on_loopback();
        is_open.then(|| Viewer { login, can_log_in: self.can_log_in() })
    }

    /// The login of the session whose cookie this is, if its owner still may log in.
    async fn session(&self, headers: &HeaderMap) -> Option<Login> {
        let session = self.sessions.get(cookie::get(headers, COOKIE)?)?;
        let (name, role) = match session.owner {
            Owner::Token(mark) => {
                (self.guard.token.mark().await? == mark).then_some((None, Role::Administrator))?
            }
            Owner::User { name, hash } => {
                let live = self.live.borrow();
                let user = live.settings.users.iter().find(|user| user.name == name)?;
                (user.password.as_str() == hash).then_some((Some(name), user.role))?
            }
        };
        Some(Login { name, role, forgery: session.forgery, is_session: true })
    }

    /// The login of a request that shows the token itself.
    async fn by_token(&self, headers: &HeaderMap) -> Option<Login> {
        match self.guard.token.is_shown(headers).await? {
            true if self.guard.token.is_wanted() => {}
            _ => {
                self.guard.slow_down().await;
                return None;
            }
        }
        let mark = self.guard.token.mark().await?;
        let forgery = key::text(&self.key.mark(&["forgery", &key::text(&mark)]));
        Some(Login { name: None, role: Role::Administrator, forgery, is_session: false })
    }

    /// Logs somebody in: a user by name and password, or, without a name, whoever has the token. Returns the cookie's line.
    pub(super) async fn log_in(
        &self,
        from: IpAddr,
        headers: &HeaderMap,
        name: &str,
        password: SecretString,
    ) -> Result<HeaderValue, Refused> {
        let owner = self.owner(client(from, headers), name, password).await?;
        let who = if let Owner::User { name, .. } = &owner { name } else { "the token" };
        info!(who, "[web] login");
        let cookie = self.sessions.begin(owner);
        let seconds = sessions::LONGEST.as_secs();
        self.cookie(&format!("{COOKIE}={cookie}; Max-Age={seconds}"), headers).ok_or(Refused::Wrong)
    }

    /// Who logs in with this name and this password.
    async fn owner(&self, from: IpAddr, name: &str, password: SecretString) -> Result<Owner, Refused> {
        // Whoever has the token is never kept waiting: a stranger must not lock out the administrator.
        if name.trim().is_empty() {
            if self.guard.token.is(password.expose_secret().as_bytes()).await
                && let Some(mark) = self.guard.token.mark().await
            {
                return Ok(Owner::Token(mark));
            }
            // Before the wait: a client that does not wait is counted, too.
            self.count_wrong();
            return Err(self.tries.turn(from).await.map_or(Refused::Busy, |_wrong| Refused::Wrong));
        }
        let Some(turn) = self.tries.turn(from).await else { return Err(Refused::Busy) };
        let live = Arc::clone(&self.live.borrow());
        let users = &live.settings.users;
        // The password of a name that there is not takes as long: nobody learns the names.
        let known = users.iter().find(|user| user.is(name));
        if let Some(user) = known.or(users.first()) {
            let hash = user.password.clone();
            // The turn is given back when the work is done, also if the client is gone by then: one hash at a time.
            let work = move || (hash.is_of(password.expose_secret()), turn);
            if let Ok((true, turn)) = panics::blocking(work).await
                && let Some(user) = known
            {
                turn.succeed();
                return Ok(Owner::User { name: user.name.clone(), hash: user.password.as_str().to_owned() });
            }
        }
        self.count_wrong();
        Err(Refused::Wrong)
    }

    fn count_wrong(&self) {
        self.counted.wrong_login();
        self.wrong.log(|times| warn!(times, "[web] a login with a wrong name, password or token is refused"));
    }

    /// Ends the session of a request. Returns the line that removes its cookie.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if let Some(cookie) = cookie::get(headers, COOKIE) {
            self.sessions.end(cookie);
        }
        self.cookie(&format!("{COOKIE}=; Max-Age=0"), headers)
    }

    /// The line of a cookie that no script reads, and that no page of another site sends.
    fn cookie(&self, cookie: &str, headers: &HeaderMap) -> Option<HeaderValue> {
        let secure = self.live.borrow().settings.tls.is_some() || forwarded::is_https(headers);
        let secure = if secure { "; Secure" } else { "" };
        HeaderValue::from_str(&format!("{cookie}; Path=/; HttpOnly; SameSite=Strict{secure}")).ok()
    }
}

/// Shows a page to whoever may see it. Its handler finds the [`Viewer`] in the request.
pub(super) async fn check(State(logins): State<Arc<Logins>>, mut request: Request, next: Next) -> Response {
    if let Some(refusal) = logins.guard.refusal(&request) {
        return refusal;
    }
    let viewer = logins.viewer(request.headers()).await;
    if pages::is_for_strangers(request.uri().path()) {
        request.extensions_mut().insert(viewer.unwrap_or_default());
        return next.run(request).await;
    }
    let Some(viewer) = viewer else { return stranger(&request, logins.can_log_in()) };
    if is_changing(request.method()) {
        request = match with_forgery_token(request, &viewer).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
    }
    request.extensions_mut().insert(viewer);
    next.run(request).await
}

fn is_changing(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What a stranger gets: the login page in place of a page, and 401 in place of anything else.
fn stranger(request: &Request, can_log_in: bool) -> Response {
    let is_browser = pages::is_for_a_person(request.headers());
    let path = request.uri().path();
    if !(can_log_in && is_browser && request.method() == Method::GET && pages::is_place(path)) {
        return guard::unauthorized(request);
    }
    let whole = request.uri().path_and_query().map_or(path, |whole| whole.as_str());
    Redirect::to(&format!("{}?to={}", pages::LOGIN, utf8_percent_encode(whole, NON_ALPHANUMERIC)))
        .into_response()
}

/// The part of a form that shows that it is ours.
#[derive(Deserialize)]
struct Forgery {
    #[serde(default)]
    forgery: String,
}

/// The request again, if its form has the token against forgery.
async fn with_forgery_token(request: Request, viewer: &Viewer) -> Result<Request, Response> {
    let refused = |what: &str| super::words(StatusCode::FORBIDDEN, what.to_owned());
    let Some(login) = &viewer.login else {
        return Err(refused("a login is wanted: set `token` or [[web.user]], and log in"));
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else { return Err(refused("the form is too long")) };
    let form: Option<Forgery> = serde_urlencoded::from_bytes(&body).ok();
    let shown = form.map(|form| form.forgery).unwrap_or_default();
    if bool::from(shown.as_bytes().ct_eq(login.forgery.as_bytes())) {
        return Ok(Request::from_parts(parts, Body::from(body)));
    }
    Err(refused("the form is not one of this login: load the page again"))
}

/// The address that a try to log in comes from. A proxy on this machine says the client's.
fn client(from: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = from.to_canonical().is_loopback();
    is_proxy.then(|| forwarded::client(headers)).flatten().unwrap_or(from)
}

#[cfg(test)]
mod tests;
