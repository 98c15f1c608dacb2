//! The files that the pages are drawn with. They hold nothing of anybody.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

const STYLES: &str = concat!(
    include_str!("style/shell.css"),
    include_str!("style/calls.css"),
    include_str!("style/find-status.css"),
);
const STYLE: (&str, &str, &str) = ("/style.css", "text/css; charset=utf-8", STYLES);
const PAGE: (&str, &str, &str) = ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js"));
const LIVE: (&str, &str, &str) = ("/live.js", "text/javascript; charset=utf-8", include_str!("live.js"));
const FIND: (&str, &str, &str) = ("/find.js", "text/javascript; charset=utf-8", include_str!("find.js"));
const ICON: (&str, &str, &str) = ("/icon.svg", "image/svg+xml", include_str!("icon.svg"));
const STATUS: (&str, &str, &str) =
    ("/status.js", "text/javascript; charset=utf-8", include_str!("status.js"));

/// The path, the type and the content of each.
const ASSETS: [(&str, &str, &str); 6] = [STYLE, PAGE, LIVE, FIND, STATUS, ICON];

/// The paths of the files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(async move || ([(header::CONTENT_TYPE, kind)], content).into_response()))
    })
}

/// Whether this is the path of a file that the login page is drawn with.
pub(in crate::web) fn is_of_login_page(path: &str) -> bool {
    [STYLE, PAGE, ICON].iter().any(|(own, _, _)| *own == path)
}
