//! The page `Find`.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::html;
use super::shell::Shell;

#[derive(Template)]
#[template(path = "find.html")]
struct Page {
    shell: Shell,
}

/// `GET /find`
pub(super) async fn page(shell: Shell) -> Response {
    html(StatusCode::OK, &Page { shell })
}
