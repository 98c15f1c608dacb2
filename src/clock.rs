//! This machine's clock, compared with a server's by the `Date` of its answers.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap};

/// The smallest difference that is reported. SuperOffice refuses the login of a system user if the clocks differ by minutes.
const SMALLEST: Duration = Duration::from_mins(1);

/// A date of HTTP in one of its three forms (RFC 9110 §5.6.7), or of mail, with any time zone.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    let of_http = httpdate::parse_http_date(text).ok();
    let of_http = of_http.and_then(|date: SystemTime| Timestamp::try_from(date).ok());
    of_http.or_else(|| Some(rfc2822::parse(text).ok()?.timestamp()))
}

/// A sentence for an administrator if this machine's clock differs from the answer's `Date` by a minute or more.
pub(crate) fn difference(headers: &HeaderMap, now: Timestamp) -> Option<String> {
    difference_of(date(headers.get(DATE)?.to_str().ok()?)?, now)
}

/// The same for a server whose clock shows `theirs` when this one shows `now`.
pub(crate) fn difference_of(theirs: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = now.duration_since(theirs);
    let by = ahead.unsigned_abs();
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let shown = humantime::format_duration(Duration::from_secs(by.as_secs()));
    (by >= SMALLEST)
        .then(|| format!("the clock of this machine is {shown} {direction} the server's: set it (NTP)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_reported_and_half_a_minute_is_not() {
        let headers = HeaderMap::from_iter([(DATE, "Fri, 31 Jul 2026 12:00:00 GMT".parse().unwrap())]);
        let said = |now: &str| difference(&headers, now.parse().unwrap()).unwrap_or_default();
        assert!(
            said("2026-07-31T12:11:00Z")
                .starts_with("the clock of this machine is 11m ahead of the server's")
        );
        assert!(
            said("2026-07-31T11:59:00Z").starts_with("the clock of this machine is 1m behind the server's")
        );
        assert_eq!(said("2026-07-31T12:00:30Z"), "");
        assert_eq!(difference(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
    }
}
