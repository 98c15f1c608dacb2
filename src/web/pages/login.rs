//! The login page, and the end of a session.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::shell::{Place, Shell};
use super::{LOGIN, html};
use crate::web::State as Web;
use crate::web::login::{Peer, Refused};

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    shell: Shell,
    /// Whether a name can be given, and whether a token.
    has_users: bool,
    has_token: bool,
    /// The page to go to.
    to: String,
    /// The name that was tried.
    name: String,
    failure: Option<&'static str>,
}

impl Page {
    fn new(web: &Web, shell: Shell, to: &str) -> Self {
        Self {
            shell,
            has_users: web.logins.has_users(),
            has_token: web.live().settings.has_token(),
            to: place(to).to_owned(),
            name: String::new(),
            failure: None,
        }
    }
}

/// Where somebody wanted to go, if it is one of the pages. Another address would lead somewhere else.
fn place(to: &str) -> &str {
    let path = to.split('?').next().unwrap_or_default();
    if Place::of(path).is_some() { to } else { Place::Calls.path() }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    to: String,
}

/// `GET /login`
pub(super) async fn page(
    State(web): State<Arc<Web>>,
    shell: Shell,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let to = asked.map(|Query(asked)| asked.to).unwrap_or_default();
    html(StatusCode::OK, &Page::new(&web, shell, &to))
}

#[derive(Deserialize)]
pub(super) struct Try {
    #[serde(default)]
    name: String,
    password: SecretString,
    #[serde(default)]
    to: String,
}

/// `POST /login`
pub(super) async fn log_in(
    State(web): State<Arc<Web>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    shell: Shell,
    Form(asked): Form<Try>,
) -> Response {
    let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(Peer(from))| from);
    let (status, failure) = match web.logins.log_in(from, &headers, &asked.name, asked.password).await {
        Ok(cookie) => {
            return ([(header::SET_COOKIE, cookie)], Redirect::to(place(&asked.to))).into_response();
        }
        Err(Refused::Wrong) => (StatusCode::UNAUTHORIZED, shell.texts().login.wrong),
        Err(Refused::Busy) => (StatusCode::TOO_MANY_REQUESTS, shell.texts().login.busy),
    };
    let page = Page { name: asked.name, failure: Some(failure), ..Page::new(&web, shell, &asked.to) };
    html(status, &page)
}

/// `POST /logout`
pub(super) async fn log_out(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    let mut response = Redirect::to(LOGIN).into_response();
    if let Some(cookie) = web.logins.log_out(&headers) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_ours() {
        for to in ["/", "/find?q=kari&x=1", "/status"] {
            assert_eq!(place(to), to);
        }
        for to in [
            "",
            "//evil.example/",
            "https://evil.example/",
            "/\\evil.example",
            "/nothing",
            "/login",
            "javascript:1",
        ] {
            assert_eq!(place(to), "/", "{to}");
        }
    }
}
