//! The limits of requests to a host, for all sources together: at most ten requests a second (SuperOffice's limit), lists before
//! searches, and no request of a user before the time that the host has asked for.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use tokio::sync::{MutexGuard, watch};
use tokio::time::Instant;

use super::error::FetchError;
use crate::clock;

/// The time between two requests: ten a second, with a margin because a network may delay and bunch them.
pub const GAP: Duration = Duration::from_millis(120);
/// The longest pause: a host that asks for more is wrong, and names would become too old.
const LONGEST: Duration = Duration::from_hours(1);
/// The pause after a 429 without `Retry-After`.
const UNNAMED: Duration = Duration::from_secs(2);
/// The additional pause of searches, so that lists are first.
const LISTS_FIRST: Duration = Duration::from_secs(2);

/// All hosts of the process: the limit is per host, not per source.
static HOSTS: LazyLock<Mutex<HashMap<String, Arc<Host>>>> = LazyLock::new(Mutex::default);

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A list, or a login or a tenant's state for it.
    List,
    /// A search.
    Search,
}

/// The state of a host.
struct Host {
    /// The start of the last request. The next request holds the lock; tokio's lock is fair, so each has its turn.
    last: tokio::sync::Mutex<Option<Instant>>,
    /// The count of lists that wait for their turn.
    lists: watch::Sender<usize>,
    /// The end of the pause for each user.
    silent: Mutex<HashMap<u64, Instant>>,
}

/// Counts a list that waits for its turn, until dropped.
struct Waiting<'a>(&'a Host);

impl<'a> Waiting<'a> {
    fn new(host: &'a Host) -> Self {
        host.lists.send_modify(|waiting| *waiting += 1);
        Self(host)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lists.send_modify(|waiting| *waiting -= 1);
    }
}

impl Host {
    fn new() -> Self {
        Self { last: tokio::sync::Mutex::default(), lists: watch::Sender::new(0), silent: Mutex::default() }
    }

    fn of(url: &Url) -> Arc<Self> {
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(host(url)).or_insert_with(|| Arc::new(Self::new())))
    }

    /// Waits for a request's turn.
    ///
    /// # Errors
    /// With the rest of the pause if the host has asked this user for one.
    async fn turn(&self, user: u64, kind: RequestKind) -> Result<(), Duration> {
        self.rest(user, kind)?;
        let mut last = self.next(kind).await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + GAP).await;
        }
        // The host may have asked for a pause meanwhile.
        self.rest(user, kind)?;
        // The real start, not the planned one: on a busy machine late requests would form a bunch.
        *last = Some(Instant::now());
        Ok(())
    }

    /// Waits until the request is next. A search is next only if no list waits.
    async fn next(&self, kind: RequestKind) -> MutexGuard<'_, Option<Instant>> {
        if kind == RequestKind::List {
            let _waiting = Waiting::new(self);
            return self.last.lock().await;
        }
        let mut lists = self.lists.subscribe();
        loop {
            // The sender is this host's, so it is never gone.
            let _ = lists.wait_for(|waiting| *waiting == 0).await;
            let last = self.last.lock().await;
            if *self.lists.borrow() == 0 {
                return last;
            }
        }
    }

    fn rest(&self, user: u64, kind: RequestKind) -> Result<(), Duration> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner).get(&user).copied();
        let longer = if kind == RequestKind::Search { LISTS_FIRST } else { Duration::ZERO };
        let (end, now) = (silent.map(|end| end + longer), Instant::now());
        end.filter(|end| *end > now).map_or(Ok(()), |end| Err(end - now))
    }

    fn silence(&self, user: u64, wait: Duration) {
        let now = Instant::now();
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.retain(|_, end| *end + LISTS_FIRST > now);
        silent.insert(user, now + wait);
    }
}

/// Waits for the turn of a user's request to `url`.
///
/// # Errors
/// At once, during a pause that the host has asked the user for.
pub(super) async fn turn(url: &Url, user: u64, kind: RequestKind) -> Result<(), FetchError> {
    Host::of(url).turn(user, kind).await.map_err(FetchError::LeftAlone)
}

/// Remembers the pause that an answer from `url` asks the user for, if any.
pub(super) fn note(url: &Url, user: u64, status: StatusCode, headers: &HeaderMap) {
    if let Some(wait) = wanted_rest(status, headers) {
        Host::of(url).silence(user, wait);
    }
}

/// The pause that an error answer asks for, if any. A 429 without a readable time asks for a short one.
pub(super) fn wanted_rest(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let is_error = status.is_client_error() || status.is_server_error();
    let is_busy = status == StatusCode::TOO_MANY_REQUESTS;
    let wanted = retry_after(headers, Timestamp::now()).or(is_busy.then_some(UNNAMED));
    wanted.filter(|_| is_error)
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date. The date is compared with the answer's own `Date`, so a wrong clock of
/// this machine has no effect.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        // A number that is too large for an integer.
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let then = clock::date(text)?;
        let now = headers.get(DATE).and_then(|date| clock::date(date.to_str().ok()?)).unwrap_or(now);
        Duration::try_from(then.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::RequestKind::{List, Search};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_calls_a_second_and_no_more() {
        let host = Arc::new(Host::new());
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let host = Arc::clone(&host);
            calls.spawn(async move { host.turn(1, List).await.map(|()| Instant::now()) });
        }
        let turns: Vec<Instant> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
        for first in &turns {
            let later = turns.iter().filter(|turn| *turn >= first);
            assert!(later.filter(|turn| **turn - *first < Duration::from_secs(1)).count() <= 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_left_alone_for_as_long_as_it_asks() {
        let host = Host::new();
        let second = Duration::from_secs(1);
        host.turn(1, List).await.unwrap();
        host.silence(1, second * 30);
        tokio::time::advance(second * 10).await;
        assert_eq!(host.turn(1, List).await, Err(second * 20));
        assert_eq!(host.turn(1, Search).await, Err(second * 20 + LISTS_FIRST));
        // It has not asked another user.
        assert_eq!(host.turn(2, List).await, Ok(()));
        tokio::time::advance(second * 20).await;
        assert_eq!(host.turn(1, Search).await, Err(LISTS_FIRST));
        assert_eq!(host.turn(1, List).await, Ok(()));
        tokio::time::advance(LISTS_FIRST).await;
        assert_eq!(host.turn(1, Search).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn lists_come_before_searches() {
        let host = Arc::new(Host::new());
        let mut calls = tokio::task::JoinSet::new();
        for place in 0..40 {
            let host = Arc::clone(&host);
            calls.spawn(async move {
                // The lists come later, while the searches wait.
                tokio::time::sleep(GAP / 2 * (place / 20)).await;
                let kind = if place < 20 { Search } else { List };
                host.turn(1, kind).await.map(|()| (Instant::now(), kind))
            });
        }
        let mut turns: Vec<_> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
        turns.sort_by_key(|(turn, _)| *turn);
        let first = turns.iter().position(|(_, kind)| *kind == List).unwrap();
        assert!(first <= 2, "{first}");
        assert!(turns[first..first + 20].iter().all(|(_, kind)| *kind == List), "{turns:?}");
        assert!(turns.windows(2).all(|pair| pair[1].0 - pair[0].0 >= GAP));
    }

    #[test]
    fn a_429_and_whatever_names_a_time_wants_a_rest() {
        let seven: HeaderMap = [(RETRY_AFTER, "7".parse().unwrap())].into_iter().collect();
        let soon: HeaderMap = [(RETRY_AFTER, "soon".parse().unwrap())].into_iter().collect();
        for (status, headers, rest) in [
            (429, &seven, Some(7)),
            (503, &seven, Some(7)),
            (500, &seven, Some(7)),
            (403, &seven, Some(7)),
            (200, &seven, None),
            (302, &seven, None),
            (429, &soon, Some(2)),
            (429, &HeaderMap::new(), Some(2)),
            (503, &soon, None),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(wanted_rest(status, headers), rest.map(Duration::from_secs), "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let headers = |retry: &str, date: &str| {
            let fields = [(RETRY_AFTER, retry.parse().unwrap()), (DATE, date.parse().unwrap())];
            fields.into_iter().collect::<HeaderMap>()
        };
        let date = "Fri, 31 Jul 2026 12:00:00 GMT";
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Fri, 31 Jul 2026 12:00:09 GMT", Some(9)),
            ("Fri, 31 Jul 2026 11:00:00 GMT", Some(0)),
            ("Friday, 31-Jul-26 12:00:09 GMT", Some(9)),
            ("Fri Jul 31 12:00:09 2026", Some(9)),
            ("Sat Aug  1 12:00:09 2026", Some(3600)),
            ("Fri, 31 Jul 2026 14:00:09 +0200", Some(9)),
            ("99999999", Some(3600)),
            ("18446744073709551616", Some(3600)),
            ("99999999999999999999", Some(3600)),
            ("", None),
            ("soon", None),
            ("-1", None),
        ] {
            let wait = retry_after(&headers(text, date), Timestamp::UNIX_EPOCH);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
        for date in ["Friday, 31-Jul-26 12:00:00 GMT", "Fri Jul 31 12:00:00 2026"] {
            let wait = retry_after(&headers("Fri, 31 Jul 2026 12:00:09 GMT", date), Timestamp::UNIX_EPOCH);
            assert_eq!(wait, Some(Duration::from_secs(9)), "{date}");
        }
    }
}
