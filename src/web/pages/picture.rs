//! The answer times as a small picture: a bar for each bound, in SVG.

use super::moment::grouped;
use super::texts::{Texts, fill};
use crate::observe::metrics::AnswerTimes;

/// The size of the picture in its own units. A page scales it.
const HEIGHT: u32 = 96;
const BAR: u32 = 26;
const GAP: u32 = 6;
/// On the left and on the right, for half of a label.
const SIDE: u32 = 24;
/// Below the bars.
const LABELS: u32 = 22;

/// The picture, ready for a template.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bars: Vec<Bar>,
    /// The same in words.
    pub(super) words: String,
}

/// A bar of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// The middle, for the label.
    pub(super) middle: u32,
    /// `≤ 50 µs: 412`
    pub(super) title: String,
    /// Each second bar has one: the others would not fit.
    pub(super) label: String,
}

impl Picture {
    /// None without an answer.
    pub(super) fn of(times: &AnswerTimes, texts: &Texts) -> Option<Self> {
        let most = *times.counts.iter().max()?;
        if most == 0 {
            return None;
        }
        let bars: Vec<_> = (0_u32..)
            .zip(&times.counts)
            .map(|(place, count)| {
                // A single answer among a million is seen, too.
                let height = u32::try_from(u64::from(HEIGHT) * count / most).unwrap_or(HEIGHT);
                let height = if *count > 0 { height.max(2) } else { 0 };
                let at = usize::try_from(place).unwrap_or_default();
                let bound = AnswerTimes::BOUNDS.get(at).map(|bound| time(*bound, texts));
                let within = bound.as_ref().map_or_else(|| "> 1 s".to_owned(), |bound| format!("≤ {bound}"));
                let x = SIDE + place * (BAR + GAP);
                Bar {
                    x,
                    y: HEIGHT - height,
                    width: BAR,
                    height,
                    middle: x + BAR / 2,
                    title: format!("{within}: {}", grouped(*count, texts)),
                    label: if place % 3 == 0 { bound.unwrap_or_default() } else { String::new() },
                }
            })
            .collect();
        let within = |part| match times.within(part) {
            Some(bound) => fill(texts.status.within, &[&time(bound, texts)]),
            None => fill(texts.status.beyond, &["1 s"]),
        };
        let words =
            fill(texts.status.answers_words, &[&grouped(times.total(), texts), &within(0.5), &within(0.99)]);
        let width = 2 * SIDE + u32::try_from(bars.len()).unwrap_or_default() * (BAR + GAP) - GAP;
        Some(Self { width, height: HEIGHT + LABELS, bars, words })
    }
}

/// `50 µs`, `2.5 ms`, `1 s`
fn time(seconds: f64, texts: &Texts) -> String {
    let (number, unit) = match seconds {
        ..0.001 => (seconds * 1_000_000.0, "µs"),
        ..1.0 => (seconds * 1_000.0, "ms"),
        _ => (seconds, "s"),
    };
    // 0.000_25 s are 249.999… µs.
    let number = ((number * 10.0).round() / 10.0).to_string();
    format!("{} {unit}", number.replace('.', texts.moment.decimal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::texts::{en, nb};

    #[test]
    fn the_highest_bar_fills_the_picture_and_a_single_answer_is_seen() {
        let texts = en::ENGLISH.texts;
        assert!(Picture::of(&AnswerTimes { counts: vec![0; 17] }, texts).is_none());
        let mut counts = vec![0; 17];
        (counts[2], counts[7], counts[16]) = (1_000_000, 1, 500_000);
        let picture = Picture::of(&AnswerTimes { counts }, texts).unwrap();
        let heights: Vec<_> = picture.bars.iter().map(|bar| (bar.y, bar.height)).collect();
        assert_eq!((heights[2], heights[7], heights[16], heights[0]), ((0, 96), (94, 2), (48, 48), (96, 0)));
        assert_eq!(picture.bars[7].title, "≤ 2.5 ms: 1");
        assert_eq!(picture.bars[16].title, "> 1 s: 500,000");
        assert_eq!(
            picture.words,
            "1,500,001 answers since the start: half within 50 µs, 99 of 100 after more than 1 s."
        );
        assert_eq!(time(0.002_5, nb::NORWEGIAN.texts), "2,5 ms");
    }
}
