//! The page `Calls`: the last calls, newest first, and those that come while the page is open.
//!
//! - `row`: what a call looks like
//! - `feed`: `GET /calls/events`, the calls as they come

pub(super) mod feed;
mod row;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::html;
use super::shell::Shell;
use crate::observe::panics;
use crate::web::State as Web;
pub(in crate::web) use feed::Feed;
pub(super) use row::hidden;
use row::{Context, Row};

#[derive(Template)]
#[template(path = "calls.html")]
struct Page {
    shell: Shell,
    /// How many calls are kept.
    most: usize,
    rows: Vec<Row>,
    /// The id of the last event that the page shows.
    last: String,
}

/// `GET /`
pub(super) async fn page(State(web): State<Arc<Web>>, shell: Shell) -> Response {
    let live = web.live();
    // A thousand rows take some milliseconds, in which a call may come.
    let written = panics::blocking(move || {
        let calls = &live.backend.calls;
        let (all, newest) = calls.all();
        let context = Context::new(&live.backend, shell.language);
        let rows = all.iter().map(|call| context.row(call)).collect();
        let last = feed::event_id(calls.epoch(), newest);
        html(StatusCode::OK, &Page { shell, most: calls.most(), rows, last })
    });
    written.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
