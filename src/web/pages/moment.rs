//! Times on a page: in UTC, which a script turns into the viewer's zone, and how far away they are.

use jiff::Timestamp;

use super::texts::{Texts, fill};

/// A time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For `<time datetime>`: `2026-07-31T12:00:00Z`.
    pub(super) iso: String,
    /// In UTC, for people without a script: `2026-07-31 12:00:00 UTC`.
    pub(super) utc: String,
    /// How far away it is: `3 min ago`, `in 3 min`, `now`.
    pub(super) distance: String,
}

impl Moment {
    /// The time of so many seconds since 1970, UTC, seen from now.
    pub(super) fn of(seconds: u64, texts: &Texts) -> Option<Self> {
        Self::at(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?, Timestamp::now(), texts)
    }

    fn at(time: Timestamp, now: Timestamp, texts: &Texts) -> Option<Self> {
        let away = now.duration_since(time).as_secs();
        let span = span(away.unsigned_abs(), texts);
        let distance = match away {
            0 => texts.moment.now.to_owned(),
            ..0 => fill(texts.moment.later, &[&span]),
            1.. => fill(texts.moment.ago, &[&span]),
        };
        Some(Self {
            iso: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            utc: time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            distance,
        })
    }
}

/// So many seconds in the unit that fits: `90 s`, `3 min`, `5 h`, `12 d`.
fn span(seconds: u64, texts: &Texts) -> String {
    let [second, minute, hour, day] = texts.moment.units;
    match seconds {
        0..120 => format!("{seconds} {second}"),
        120..7_200 => format!("{} {minute}", seconds / 60),
        7_200..172_800 => format!("{} {hour}", seconds / 3_600),
        _ => format!("{} {day}", seconds / 86_400),
    }
}

/// `412,000`, as the language writes it.
pub(super) fn grouped(number: impl TryInto<u64>, texts: &Texts) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    crate::lists::status::grouped(number).replace(',', texts.moment.thousands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::texts::{en, nb};

    #[test]
    fn a_time_says_how_far_away_it_is() {
        let now: Timestamp = "2026-07-31T12:00:00Z".parse().unwrap();
        let (english, norwegian) = (en::ENGLISH.texts, nb::NORWEGIAN.texts);
        for (time, in_english, in_norwegian) in [
            ("2026-07-31T12:00:00Z", "now", "nå"),
            ("2026-07-31T11:57:00Z", "3 min ago", "for 3 min siden"),
            ("2026-07-31T15:00:00Z", "in 3 h", "om 3 t"),
            ("2026-07-21T12:00:00Z", "10 d ago", "for 10 d siden"),
        ] {
            let at = |texts| Moment::at(time.parse().unwrap(), now, texts).unwrap();
            assert_eq!(at(english).distance, in_english);
            assert_eq!(at(norwegian).distance, in_norwegian);
            assert_eq!(at(english).iso, time);
        }
        assert_eq!(Moment::at(now, now, english).unwrap().utc, "2026-07-31 12:00:00 UTC");
        assert_eq!(grouped(412_000_u64, english), "412,000");
        assert_eq!(grouped(412_000_u64, norwegian), "412\u{a0}000");
    }
}
