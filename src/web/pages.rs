//! The pages for operators and administrators. They are written on the server, come whole from this binary, and need no
//! JavaScript except for being live.
//!
//! - `shell`: what every page has around it: the head, the navigation, who is logged in
//! - `language`, `texts`: the languages; a language is one file below `texts`
//! - `assets`: the style, the scripts and the icon
//! - `calls`, `find`, `status`: a page each; its template is below `templates`
//!
//! A name comes from the CRM or from a caller. The templates write each value as text, and the Content-Security-Policy lets no
//! other script or style run than the two files of `assets`.

mod assets;
mod calls;
mod find;
mod language;
mod shell;
mod status;
mod texts;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tracing::error;

use super::State;
use shell::Place;

/// Nothing from elsewhere, nothing inline, no frame around a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The paths of the pages, and of what they are drawn with.
pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route(Place::Calls.path(), get(calls::page))
        .route(Place::Find.path(), get(find::page))
        .route(Place::Status.path(), get(status::page))
        .layer(middleware::from_fn(language::choose))
        .merge(assets::router())
        .layer(middleware::from_fn(guarded_by_the_browser))
}

/// Tells the browser what a page may do.
async fn guarded_by_the_browser(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Not `no-referrer`: browsers then send `Origin: null` with a form of our own.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
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
