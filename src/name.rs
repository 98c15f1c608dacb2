//! What a phone shows: templates, cleaning, clamping.
//!
//! A name leaves Nameplate only as a [`Name`], and a `Name` can't be built without being cleaned and
//! clamped. So nothing that a CRM record holds can act on a dialplan, break a SIP header or overrun the
//! extension that carries it.

mod clean;
mod template;

use unicode_segmentation::UnicodeSegmentation;

pub use template::{Parts, Template, TemplateError};

/// The longest name the handoff can carry, in bytes of UTF-8.
///
/// An Asterisk extension holds 79 bytes (`AST_MAX_EXTENSION` is 80, with its end mark) and is cut blindly
/// beyond; `=`, two ids of ten digits and two colons take 23.
pub const MAX_BYTES: usize = 56;

/// A name that a phone may show: cleaned, not empty, at most [`MAX_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Cleans `text` and clamps it to `max_bytes` on a grapheme boundary; none where nothing is left that can be
    /// seen.
    #[must_use]
    pub fn new(text: &str, max_bytes: usize, ascii: bool) -> Option<Self> {
        let cleaned = if ascii {
            // Transliterated first: what it writes for `“` or `…` has to be cleaned as well.
            clean::clean(&deunicode::deunicode(text))
        } else {
            clean::clean(text)
        };
        let clamped = clamp(&cleaned, max_bytes.min(MAX_BYTES));
        clean::has_shape(clamped).then(|| Self(clamped.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How names are written: the settings of `[names]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// For a person.
    pub person: Template,
    /// For a company, and for several persons of one company.
    pub company: Template,
    /// The longest name, in bytes of UTF-8: 1 to [`MAX_BYTES`].
    pub max_bytes: usize,
    /// Transliterate to ASCII, for phones that know no other letters.
    pub ascii: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            person: Template::default_person(),
            company: Template::default_company(),
            max_bytes: MAX_BYTES,
            ascii: false,
        }
    }
}

impl Style {
    /// A person's name, by the person's template.
    #[must_use]
    pub fn person(&self, parts: &Parts<'_>) -> Option<Name> {
        self.finish(&self.person.render(parts))
    }

    /// A company's name, by the company's template.
    #[must_use]
    pub fn company(&self, company: &str) -> Option<Name> {
        self.finish(&self.company.render(&Parts { company, ..Parts::default() }))
    }

    /// The name of a number that several companies share: `Acme / Globex`.
    #[must_use]
    pub fn shared<'a>(&self, companies: impl IntoIterator<Item = &'a str>) -> Option<Name> {
        let mut text = String::new();
        for company in companies {
            if !text.is_empty() {
                text.push_str(" / ");
            }
            text.push_str(company);
        }
        self.finish(&text)
    }

    fn finish(&self, text: &str) -> Option<Name> {
        Name::new(text, self.max_bytes, self.ascii)
    }
}

/// The longest beginning of `text` that has at most `max_bytes` and ends between two graphemes.
fn clamp(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let end = text
        .grapheme_indices(true)
        .map(|(start, grapheme)| start + grapheme.len())
        .take_while(|end| *end <= max_bytes)
        .last()
        .unwrap_or(0);
    text[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Name::new(text, MAX_BYTES, false).map_or_else(String::new, |name| name.0)
    }

    #[test]
    fn a_person_with_and_without_a_company() {
        let style = Style::default();
        let kari = Parts { person: "Kari Nordmann", company: "Fjord Sjømat AS", mrmrs: "" };
        assert_eq!(style.person(&kari).unwrap().as_str(), "Kari Nordmann (Fjord Sjømat AS)");
        let alone = Parts { person: "Kari Nordmann", ..Parts::default() };
        assert_eq!(style.person(&alone).unwrap().as_str(), "Kari Nordmann");
        assert_eq!(style.company("Fjord Sjømat AS").unwrap().as_str(), "Fjord Sjømat AS");
        assert_eq!(style.shared(["Acme", "Globex"]).unwrap().as_str(), "Acme / Globex");
    }

    #[test]
    fn a_long_name_ends_between_two_graphemes() {
        // A family of four is one grapheme of 25 bytes: the second would end at byte 57.
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(family.len(), 25);
        assert_eq!(shown(&format!("Zoë123 {family}{family}")), format!("Zoë123 {family}"));
        assert_eq!(shown(&"Ж".repeat(40)), "Ж".repeat(28));
        assert_eq!(shown(&format!("{}  (rest)", "x".repeat(55))), "x".repeat(55));
    }

    #[test]
    fn nothing_left_is_no_name() {
        assert_eq!(Name::new("", MAX_BYTES, false), None);
        assert_eq!(Name::new(" \u{202e}\r\n${}[] ", MAX_BYTES, false), None);
        // Joiners, fillers and variation selectors show nothing by themselves.
        for invisible in ["\u{200d}", "\u{3164}", "\u{fe0f}\u{200c}", "\u{e0041}", "\u{2800} \u{115f}"] {
            assert_eq!(Name::new(invisible, MAX_BYTES, false), None, "{invisible:?}");
        }
    }

    #[test]
    fn ascii_for_old_phones() {
        let ascii = |text| Name::new(text, MAX_BYTES, true).unwrap().0;
        assert_eq!(ascii("Ørjan Ærø"), "Orjan AEro");
        assert_eq!(ascii("Жанна"), "Zhanna");
        assert_eq!(ascii("“Zoë”: 1…"), "'Zoe' 1...");
    }

    proptest! {
        #[test]
        fn no_text_gets_through_uncleaned(text in any::<String>(), max in 1..=MAX_BYTES, ascii: bool) {
            if let Some(name) = Name::new(&text, max, ascii) {
                let name = name.as_str();
                prop_assert!(!name.is_empty() && name.len() <= max, "{name:?}");
                prop_assert_eq!(name.trim(), name);
                prop_assert!(!name.contains(['"', ':', '$', '{', '}', '[', ']', '\\', ';', '|', '`']), "{name:?}");
                prop_assert!(!name.contains(|c: char| c.is_control()), "{name:?}");
                prop_assert!(!name.contains("  "), "{name:?}");
            }
        }
    }
}
