//! The answer times of all PBXs together. The library shows a histogram in no other form than its text.

use super::{BOUNDS, Form, Metrics};

/// How many answers took how long, since the start of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerTimes {
    /// The answers up to each of the bounds, and the slower ones behind the last bound; each answer counts once.
    pub counts: Vec<u64>,
}

impl AnswerTimes {
    /// The upper bounds, in seconds.
    pub const BOUNDS: [f64; 16] = BOUNDS;

    /// All answers.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound, in seconds, within which this part of the answers came: 0.5 for half of them. None without an answer, and where
    /// it is beyond the last bound.
    #[must_use]
    pub fn within(&self, part: f64) -> Option<f64> {
        let total = self.total();
        let mut sum = 0;
        let reached = self.counts.iter().position(|count| {
            sum += count;
            #[allow(clippy::cast_precision_loss, reason = "for a picture")]
            let (sum, wanted) = (sum as f64, total as f64 * part);
            total > 0 && sum >= wanted
        });
        reached.and_then(|at| Self::BOUNDS.get(at).copied())
    }
}

impl Metrics {
    /// The answer times of all PBXs together.
    #[must_use]
    pub fn answer_times(&self) -> AnswerTimes {
        const BUCKET: &str = "nameplate_answer_seconds_bucket{";
        let text = self.write(Form::Plain).unwrap_or_default();
        let mut sums = vec![0_u64; BOUNDS.len() + 1];
        for line in text.lines().filter_map(|line| line.strip_prefix(BUCKET)) {
            let bound = line.split_once("le=\"").and_then(|(_, rest)| rest.split_once('"'));
            let count = line.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
            let Some(((bound, _), count)) = bound.zip(count) else { continue };
            let bound = bound.parse::<f64>().unwrap_or(f64::INFINITY);
            let place = BOUNDS.iter().position(|own| *own >= bound).unwrap_or(BOUNDS.len());
            sums[place] += count;
        }
        // Each sum has the answers of the bounds before it, too.
        let before = std::iter::once(0).chain(sums.iter().copied());
        AnswerTimes {
            counts: sums.iter().zip(before).map(|(sum, before)| sum.saturating_sub(before)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::metrics::CallOutcome;

    #[test]
    fn each_answer_counts_once_over_all_pbxs() {
        let metrics = Metrics::new();
        assert_eq!((metrics.answer_times().total(), metrics.answer_times().within(0.5)), (0, None));
        let (one, other) = (metrics.pbx("pbx1"), metrics.pbx("pbx2"));
        for (pbx, micros) in [(&one, 7), (&one, 60), (&other, 70), (&other, 80), (&other, 3_000_000)] {
            pbx.answered(CallOutcome::Found, Duration::from_micros(micros));
        }
        let times = metrics.answer_times();
        assert_eq!(times.total(), 5);
        assert_eq!((times.counts[0], times.counts[3], times.counts[16]), (1, 3, 1));
        assert_eq!(times.within(0.1), Some(0.000_01));
        assert_eq!(times.within(0.5), Some(0.000_1));
        assert_eq!(times.within(0.99), None);
    }
}
