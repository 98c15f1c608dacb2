//! The files that the pages are drawn with. They hold nothing of anybody, so that the login page may have them, too.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

const STYLE: (&str, &str, &str) = ("/style.css", "text/css; charset=utf-8", include_str!("style.css"));
const PAGE: (&str, &str, &str) = ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js"));
const LIVE: (&str, &str, &str) = ("/live.js", "text/javascript; charset=utf-8", include_str!("live.js"));
const FIND: (&str, &str, &str) = ("/find.js", "text/javascript; charset=utf-8", include_str!("find.js"));
const ICON: (&str, &str, &str) = ("/icon.svg", "image/svg+xml", include_str!("icon.svg"));

/// The path, the type and the content of each.
const ASSETS: [(&str, &str, &str); 5] = [STYLE, PAGE, LIVE, FIND, ICON];

/// The paths of the files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(async move || ([(header::CONTENT_TYPE, kind)], content).into_response()))
    })
}

/// Whether this is the path of such a file.
pub(in crate::web) fn is_asset(path: &str) -> bool {
    ASSETS.iter().any(|(own, _, _)| *own == path)
}
