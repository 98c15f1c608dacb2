//! The page `Status`.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::html;
use super::shell::Shell;

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    shell: Shell,
}

/// `GET /status`
pub(super) async fn page(shell: Shell) -> Response {
    html(StatusCode::OK, &Page { shell })
}
