//! `GET /calls/events`: the calls as they come, as server-sent events (WHATWG HTML, chapter 9.2).
//!
//! A call is not told to fifty pages while it is answered. It is noted, and up to [`PACE`] later all calls of that time are written
//! once for each language, beside the threads that answer calls, and sent to all pages together.
//!
//! An event has the epoch of the service and the number of the change as its id. A page that comes back says the last id that it
//! has seen, and gets all later events. After a restart the epoch is another one, and the page gets all calls since the start.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::row::Context;
use crate::calls::{Call, Calls};
use crate::observe::panics;
use crate::web::pages::language::{LANGUAGES, Language};
use crate::web::pages::shell::Shell;
use crate::web::slots::Slot;
use crate::web::{Backend, Live, State as Web};

/// The path of the stream.
pub(in crate::web::pages) const PATH: &str = "/calls/events";
/// The time for which calls are gathered.
const PACE: Duration = Duration::from_millis(20);
/// A stream without calls has a comment after this time, so that a proxy keeps it open.
const QUIET: Duration = Duration::from_secs(15);
/// A page announces a call for so long. A page that was away for longer only lists the call.
const FRESH: Duration = Duration::from_secs(30);
/// A stream ends after this time. The page opens the next one, if its login still counts.
const LONGEST: Duration = Duration::from_mins(5);
/// A page that has lost its stream comes back after so many milliseconds.
const RETRY: u32 = 1_000;
/// The last event that a page has seen.
const LAST: HeaderName = HeaderName::from_static("last-event-id");

/// The events of the moment, for all streams.
#[derive(Debug)]
pub(in crate::web) struct Feed {
    newest: watch::Sender<Arc<Batch>>,
}

/// The events of some changes.
#[derive(Debug, Default)]
struct Batch {
    /// The change before, and the last one.
    from: u64,
    to: u64,
    /// By the place of the language in [`LANGUAGES`].
    texts: Vec<String>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { newest: watch::Sender::new(Arc::default()) }
    }
}

impl Feed {
    /// Writes the events. Never ends.
    pub(in crate::web) async fn run(&self, live: &watch::Receiver<Arc<Live>>) {
        let calls = live.borrow().backend.calls.clone();
        let mut newest = calls.newest();
        let mut from = *newest.borrow();
        loop {
            // The sender is a part of the history, so the wait can't fail.
            let _ = newest.wait_for(|change| *change > from).await;
            if self.newest.receiver_count() > 0 {
                sleep(PACE).await;
            }
            // A page that opens its stream now reads the history by itself.
            let told = if self.newest.receiver_count() > 0 { calls.since(from) } else { Vec::new() };
            let Some(to) = told.last().map(|call| call.change) else {
                from = *newest.borrow();
                continue;
            };
            let live = Arc::clone(&live.borrow());
            let written = panics::blocking(move || {
                LANGUAGES.iter().map(|language| events(&live.backend, &told, language)).collect()
            });
            if let Ok(texts) = written.await {
                self.newest.send_replace(Arc::new(Batch { from, to, texts }));
            }
            from = to;
        }
    }
}

/// The id of the event of a change.
pub(super) fn event_id(epoch: i64, change: u64) -> String {
    format!("{epoch}-{change}")
}

/// The change after which a page wants the events, if it has seen events of this epoch; 0 for one of another epoch.
fn change_of(id: &str, epoch: i64) -> u64 {
    let change = id.split_once('-').filter(|(of, _)| of.parse() == Ok(epoch));
    change.and_then(|(_, change)| change.parse().ok()).unwrap_or(0)
}

/// The events of these calls.
fn events(backend: &Backend, told: &[Arc<Call>], language: &'static Language) -> String {
    let context = Context::new(backend, language);
    let fresh = Timestamp::now() - FRESH;
    let mut text = String::new();
    for call in told {
        let kind = if call.time < fresh { "missed" } else { "call" };
        text.extend(["id: ", &event_id(backend.calls.epoch(), call.change), "\nevent: ", kind, "\n"]);
        let row = context.row(call).html(context.texts());
        // A line break of any kind ends a line of an event, so a name can't write one of its own.
        for line in row.split(['\r', '\n']).filter(|line| !line.is_empty()) {
            text.extend(["data: ", line, "\n"]);
        }
        text.push('\n');
    }
    text
}

#[derive(Deserialize)]
pub(in crate::web::pages) struct Asked {
    /// The last event that the page has seen, where it can't say so in the header.
    #[serde(default)]
    after: String,
}

/// `GET /calls/events`
pub(in crate::web::pages) async fn stream(
    State(web): State<Arc<Web>>,
    Extension(slot): Extension<Arc<Slot>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    shell: Shell,
) -> Response {
    if !slot.streams() {
        // The page shows that it is not live, and tries again later.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let calls = web.live().backend.calls.clone();
    let last = headers.get(LAST).and_then(|value| value.to_str().ok()).unwrap_or(&asked.after);
    let last = change_of(last, calls.epoch());
    let language = LANGUAGES.iter().position(|language| language.tag == shell.language.tag).unwrap_or(0);
    let reader =
        Reader { web: Arc::clone(&web), calls, last, language, batches: web.feed.newest.subscribe() };
    let ends = Instant::now() + LONGEST;
    let first = format!("retry: {RETRY}\n\n");
    let parts = stream::unfold((reader, Some(first)), move |(mut reader, first)| async move {
        let text = match first {
            Some(first) => first + &reader.missed().await,
            None => reader.next(ends).await?,
        };
        Some((Ok::<_, Infallible>(text), (reader, None)))
    });
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // The place of a stream ends with its connection: the next stream has to come on another one.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // nginx gathers an answer otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// One stream.
struct Reader {
    web: Arc<Web>,
    calls: Calls,
    /// The last change that the page has.
    last: u64,
    language: usize,
    batches: watch::Receiver<Arc<Batch>>,
}

impl Reader {
    /// All events that the page does not have; "" for none.
    async fn missed(&mut self) -> String {
        let told = self.calls.since(self.last);
        let Some(newest) = told.last() else { return String::new() };
        self.last = newest.change;
        let Some(language) = LANGUAGES.get(self.language) else { return String::new() };
        let live = self.web.live();
        panics::blocking(move || events(&live.backend, &told, language)).await.unwrap_or_default()
    }

    /// The next events, or a comment. None at the end.
    async fn next(&mut self, ends: Instant) -> Option<String> {
        let quiet = (Instant::now() + QUIET).min(ends);
        loop {
            if Instant::now() >= ends {
                return None;
            }
            match timeout_at(quiet, self.batches.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return (quiet < ends).then(|| ": still here\n\n".to_owned()),
            }
            let batch = Arc::clone(&self.batches.borrow_and_update());
            if batch.to <= self.last {
                continue;
            }
            if batch.from != self.last {
                let missed = self.missed().await;
                if missed.is_empty() {
                    continue;
                }
                return Some(missed);
            }
            self.last = batch.to;
            return batch.texts.get(self.language).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Leg, Outcome};
    use crate::web::tests::running::Running;

    #[tokio::test]
    async fn a_call_of_half_a_minute_ago_is_not_announced() {
        let web = Running::start(None).await;
        web.backend.calls.unanswered(&"pbx1".into(), Outcome::Late, Leg::default());
        let mut call = Call::clone(&web.backend.calls.since(0)[0]);
        let kind = |call: &Call| {
            let text = events(&web.backend, &[Arc::new(call.clone())], LANGUAGES[0]);
            text.lines().find_map(|line| line.strip_prefix("event: ").map(str::to_owned))
        };
        assert_eq!(kind(&call).as_deref(), Some("call"));
        call.time = Timestamp::now() - Duration::from_secs(31);
        assert_eq!(kind(&call).as_deref(), Some("missed"));
    }
}
