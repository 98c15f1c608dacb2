//! The name that a phone shows: templates, cleaning, clamping.
//!
//! A name leaves Nameplate only as a [`Name`], and each `Name` is cleaned and clamped. So no text in a CRM record can act on
//! a dialplan, break a SIP header or overrun the extension that carries it.
//!
//! - [`Style`]: the settings, and the name of each kind of answer
//! - `template`: `{person} ({company})`
//! - `clean`, `clamp`: characters that are removed, and the cut of a long name
//! - `existing`: whether a provider's name is a name
//! - `same`: whether two names look the same

mod clamp;
mod clean;
mod existing;
mod same;
mod style;
mod template;

use std::borrow::Cow;

pub(crate) use same::folded;
pub use same::{is_nobody, looks_same};
pub use style::{Doubtful, Placeholders, Prefix, Style};
pub use template::{Parts, Template, TemplateError};

/// The longest name of the handoff, in bytes of UTF-8.
///
/// An Asterisk extension holds 79 bytes (`AST_MAX_EXTENSION` is 80, with its end mark), and Asterisk cuts a longer one at
/// any byte. `=`, two ids of ten digits and two colons take 23.
pub const MAX_BYTES: usize = 56;

/// The mark of a name that may be somebody else's.
pub const DOUBTFUL: &str = "~";

/// A name that a phone may show: cleaned, not empty, at most [`MAX_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Cleans `text` and cuts it to `max_bytes` between two graphemes, with an ellipsis. None if nothing visible is left.
    #[must_use]
    pub fn new(text: &str, max_bytes: usize, ascii: bool) -> Option<Self> {
        let clamped =
            clamp::cut(&cleaned(text, ascii), max_bytes.min(MAX_BYTES), ellipsis(ascii)).into_owned();
        clean::has_shape(&clamped).then_some(Self(clamped))
    }

    /// The name with a mark in front, because it may be somebody else's: `~Kari Nordmann`. The name must leave room for the
    /// mark ([`Style::with_room_for_mark`]).
    #[must_use]
    pub fn marked(&self) -> Self {
        Self(format!("{DOUBTFUL}{}", self.0))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` as a phone may show it, of any length: a [`Name`] before it is clamped. HTML entities are decoded first, and once:
/// `Sch&auml;fer` is Schäfer, and the signs of `&#36;&#123;` are removed.
#[must_use]
pub fn cleaned(text: &str, ascii: bool) -> String {
    // A cleaned text has no semicolon, so it has no entity.
    let text =
        &if text.contains('&') { html_escape::decode_html_entities(text) } else { Cow::Borrowed(text) };
    if ascii {
        // Transliterated first, because its replacements of `“` or `…` must be cleaned too.
        clean::clean(&deunicode::deunicode(text))
    } else {
        clean::clean(text)
    }
}

/// The mark of a cut, as long in both alphabets.
fn ellipsis(ascii: bool) -> &'static str {
    if ascii { "..." } else { "…" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Name::new(text, MAX_BYTES, false).map_or_else(String::new, |name| name.0)
    }

    #[test]
    fn a_long_name_is_marked_as_cut() {
        assert_eq!(shown(&"Ж".repeat(28)), "Ж".repeat(28));
        assert_eq!(shown(&"Ж".repeat(40)), format!("{}…", "Ж".repeat(26)));
        assert_eq!(shown(&format!("{}  (rest)", "x".repeat(52))), format!("{}…", "x".repeat(52)));
        let ascii = Name::new(&"Ж".repeat(40), MAX_BYTES, true).unwrap();
        assert_eq!(ascii.as_str(), format!("{}Z...", "Zh".repeat(26)));
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

    #[test]
    fn entities_are_decoded_once_and_before_anything_is_taken_out() {
        for (text, expected) in [
            ("Sch&auml;fer", "Schäfer"),
            ("Sch&#228;fer &amp; S&#xF8;nn", "Schäfer & Sønn"),
            ("&#36;&#123;SHELL(id)&#125;", "SHELL(id)"),
            ("&amp;auml;", "&auml"),
            ("Kari&nbsp;&nbsp;Nordmann", "Kari Nordmann"),
            ("&lt;b&gt;Kari&lt;/b&gt;", "(b)Kari(/b)"),
            ("AT&T; Berg", "AT&T Berg"),
            ("&#x202e;Kari&#13;&#10;", "Kari"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
            assert_eq!(cleaned(&cleaned(text, false), false), expected, "{text}");
        }
        assert_eq!(cleaned("Sch&auml;fer &amp;auml;", true), "Schafer &auml");
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
                prop_assert_eq!(clean::clean(name), name);
                prop_assert!(!ascii || name.is_ascii(), "{name:?}");
            }
        }
    }
}
