//! The page `Calls`.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::html;
use super::shell::Shell;

#[derive(Template)]
#[template(path = "calls.html")]
struct Page {
    shell: Shell,
}

/// `GET /`
pub(super) async fn page(shell: Shell) -> Response {
    html(StatusCode::OK, &Page { shell })
}
