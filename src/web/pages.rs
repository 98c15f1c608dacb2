//! The pages for operators and administrators. They are written on the server, come whole from this binary, and need no
//! JavaScript except for being live.
//!
//! - `shell`: what every page has around it: the head, the navigation, who is logged in
//! - `language`, `texts`: the languages; a language is one file below `texts`
//! - `assets`: the style, the scripts and the icon
//! - `calls`, `find`, `status`, `login`: a page each; its template is below `templates`
//! - `orders`: the buttons; `desk`: what they have ordered
//! - `moment`, `picture`: times and numbers in words, the answer times as a picture
//!
//! A name comes from the CRM or from a caller. The templates write each value as text, and the Content-Security-Policy lets no
//! other script or style run than the two files of `assets`.

mod assets;
pub(super) mod calls;
mod desk;
mod find;
mod language;
mod links;
mod login;
mod moment;
mod orders;
mod picture;
mod shell;
mod status;
mod texts;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tracing::error;

use super::State;
pub(super) use desk::Desk;
use shell::{Place, Shell};

/// Nothing from elsewhere, nothing inline, no frame around a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The path of the login page.
pub(super) const LOGIN: &str = "/login";
const LOGOUT: &str = "/logout";

/// The paths of the pages, and of what they are drawn with.
pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route(Place::Calls.path(), get(calls::page))
        .route(calls::feed::PATH, get(calls::feed::stream))
        .route(Place::Find.path(), get(find::page))
        .route(Place::Status.path(), get(status::page))
        .merge(orders::router())
        .route(LOGIN, get(login::page).post(login::log_in))
        .route(LOGOUT, post(login::log_out))
        .fallback(missing)
        .layer(middleware::from_fn(language::choose))
        .merge(assets::router())
        .layer(middleware::from_fn(guarded_by_the_browser))
}

/// Tells the browser what a page may do.
async fn guarded_by_the_browser(request: Request, next: Next) -> Response {
    // A lookup at a wrong path: a dialplan would show the page as a name.
    let query = request.uri().query().unwrap_or_default();
    if is_place(request.uri().path())
        && query.split('&').any(|parameter| parameter.starts_with("number="))
        && !is_for_a_person(request.headers())
    {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = next.run(request).await;
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Not `no-referrer`: browsers then send `Origin: null` with a form of our own.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

/// Whether this is the path of a page of the navigation.
pub(super) fn is_place(path: &str) -> bool {
    Place::of(path).is_some()
}

/// Whether a stranger may ask for this path: the login page, and what it is drawn with.
pub(super) fn is_for_strangers(path: &str) -> bool {
    path == LOGIN || assets::is_of_login_page(path)
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    shell: Shell,
    title: &'static str,
    text: &'static str,
    link: &'static str,
    /// Where the link leads.
    to: &'static str,
}

/// What somebody gets who has followed a link on a page of another origin. It is the same for everybody.
pub(super) fn doorstep(headers: &HeaderMap) -> Response {
    let shell = Shell::for_anybody(headers);
    let texts = &shell.texts().shell;
    let (title, text, link) = (texts.doorstep, texts.doorstep_why, texts.doorstep_link);
    let to = Place::Calls.path();
    let mut response = html(StatusCode::FORBIDDEN, &Message { shell, title, text, link, to });
    protect(response.headers_mut());
    response
}

/// Whether this is the path of a stream of events, which lasts as long as its page is open.
pub(super) fn is_stream(path: &str) -> bool {
    path == calls::feed::PATH
}

/// Whether a request is one of a browser, for a person.
pub(super) fn is_for_a_person(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|accepted| accepted.contains("text/html"))
}

/// There is no such page. A dialplan with a mistake in the path of its lookup gets no byte that it could show as a name.
async fn missing(headers: HeaderMap, shell: Shell) -> Response {
    if !is_for_a_person(&headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let texts = &shell.texts().shell;
    let (title, text, link) = (texts.missing, "", texts.missing_link);
    html(StatusCode::NOT_FOUND, &Message { shell, title, text, link, to: Place::Calls.path() })
}

/// A page that is written out.
fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            error!("web: a page can't be written, which is a mistake in nameplate itself: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
