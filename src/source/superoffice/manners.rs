//! Manners towards a host, over all sources: at most ten calls a second (SuperOffice's limit), and silence
//! for as long as it asks for.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use tokio::time::Instant;

use super::error::FetchError;

/// Between two calls: ten a second with something to spare, because a network may bunch them.
const GAP: Duration = Duration::from_millis(120);
/// The longest silence that is kept: what asks for more is a mistake, and names would grow old over it.
const LONGEST: Duration = Duration::from_hours(1);

/// One for the process: the limit is the host's, whichever source asks.
static HOSTS: LazyLock<Mutex<HashMap<String, Arc<Host>>>> = LazyLock::new(Mutex::default);

/// What is known of a host.
#[derive(Default)]
struct Host {
    /// When the last call began. Who holds it is next; tokio's lock is fair, so nobody waits for ever.
    last: tokio::sync::Mutex<Option<Instant>>,
    /// It asked for silence until then.
    silent: Mutex<Option<Instant>>,
}

impl Host {
    fn of(url: &Url) -> Arc<Self> {
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(host(url)).or_default())
    }

    /// Waits for a call's turn; or says how long the host wants to be left alone.
    async fn turn(&self) -> Result<(), Duration> {
        self.rest()?;
        let mut last = self.last.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + GAP).await;
        }
        // The other calls before this one may have been asked for silence meanwhile.
        self.rest()?;
        // When it really begins, not when it was meant to: on a busy machine late ones would come in a bunch.
        *last = Some(Instant::now());
        Ok(())
    }

    fn rest(&self) -> Result<(), Duration> {
        let (silent, now) = (*self.silent.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        silent.filter(|end| *end > now).map_or(Ok(()), |end| Err(end - now))
    }

    fn silence(&self, wait: Duration) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + wait);
    }
}

/// Waits for the turn of a call to `url`. Fails at once while the host wants to be left alone.
pub(super) async fn turn(url: &Url) -> Result<(), FetchError> {
    Host::of(url).turn().await.map_err(FetchError::LeftAlone)
}

/// Takes note of an answer from `url`: how long the host wants to be left alone, if it does.
pub(super) fn note(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let wait = retry_after(headers, Timestamp::now())?;
    Host::of(url).silence(wait);
    Some(wait)
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date. A date is compared with the answer's own, so that
/// a wrong clock here does not matter.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = rfc2822::parse(text).ok()?.timestamp();
            let now = date(headers, DATE).unwrap_or(now);
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

/// A date of HTTP.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    Some(rfc2822::parse(headers.get(name)?.to_str().ok()?).ok()?.timestamp())
}

/// By how much this machine's clock is wrong as an answer shows it, where that is a minute or more: a
/// sentence for an administrator.
pub(super) fn clock(headers: &HeaderMap, now: Timestamp) -> Option<String> {
    let ahead = now.duration_since(date(headers, DATE)?);
    let by = ahead.unsigned_abs();
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let by = humantime::format_duration(Duration::from_secs(by.as_secs()));
    (ahead.unsigned_abs() >= Duration::from_mins(1))
        .then(|| format!("the clock of this machine is {by} {direction} the server's: set it (NTP)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_calls_a_second_and_no_more() {
        let host = Arc::new(Host::default());
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let host = Arc::clone(&host);
            calls.spawn(async move { host.turn().await.map(|()| Instant::now()) });
        }
        let turns: Vec<Instant> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
        for first in &turns {
            let later = turns.iter().filter(|turn| *turn >= first);
            assert!(later.filter(|turn| **turn - *first < Duration::from_secs(1)).count() <= 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_left_alone_for_as_long_as_it_asks() {
        let host = Host::default();
        let second = Duration::from_secs(1);
        host.turn().await.unwrap();
        host.silence(second * 30);
        tokio::time::advance(second * 10).await;
        assert_eq!(host.turn().await, Err(second * 20));
        tokio::time::advance(second * 20).await;
        assert_eq!(host.turn().await, Ok(()));
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
            ("99999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let wait = retry_after(&headers(text, date), Timestamp::UNIX_EPOCH);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
        let now = "2026-07-31T12:11:00Z".parse().unwrap();
        let said = clock(&headers("0", date), now).unwrap();
        assert!(said.starts_with("the clock of this machine is 11m ahead of the server's"), "{said}");
        assert_eq!(clock(&headers("0", date), "2026-07-31T12:00:30Z".parse().unwrap()), None);
    }
}
