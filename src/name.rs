//! What a phone shows: templates, cleaning, clamping.
//!
//! A name leaves Nameplate only as a [`Name`], and a `Name` can't be built without being cleaned and
//! clamped. So nothing that a CRM record holds can act on a dialplan, break a SIP header or overrun the
//! extension that carries it.
//!
//! - [`Style`]: the settings, and how each kind of answer is written by them
//! - `template`: `{person} ({company})`
//! - `clean`, `clamp`: what is taken out, and what is left of a long one
//! - `existing`: whether a name that a call brings along is one
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

/// The longest name the handoff can carry, in bytes of UTF-8.
///
/// An Asterisk extension holds 79 bytes (`AST_MAX_EXTENSION` is 80, with its end mark) and is cut blindly
/// beyond; `=`, two ids of ten digits and two colons take 23.
pub const MAX_BYTES: usize = 56;

/// What marks a name that may be somebody else's.
pub const DOUBTFUL: &str = "~";

/// A name that a phone may show: cleaned, not empty, at most [`MAX_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Cleans `text` and clamps it to `max_bytes` on a grapheme boundary, marked by an ellipsis; none where nothing
    /// is left that can be seen.
    #[must_use]
    pub fn new(text: &str, max_bytes: usize, ascii: bool) -> Option<Self> {
        let clamped =
            clamp::cut(&cleaned(text, ascii), max_bytes.min(MAX_BYTES), ellipsis(ascii)).into_owned();
        clean::has_shape(&clamped).then_some(Self(clamped))
    }

    /// The name with a mark in front that says that it may be somebody else's: `~Kari Nordmann`. It is to have room for it
    /// ([`Style::with_room_for_mark`]).
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

/// `text` as a phone may show it, however long it is: what a [`Name`] is before it is clamped. HTML's entities are decoded
/// first, and once: `Sch&auml;fer` is Schäfer, and `&#36;&#123;` nothing that a dialplan would act on.
#[must_use]
pub fn cleaned(text: &str, ascii: bool) -> String {
    // What is cleaned has no semicolon, so that it has no entity either.
    let text =
        &if text.contains('&') { html_escape::decode_html_entities(text) } else { Cow::Borrowed(text) };
    if ascii {
        // Transliterated first: what it writes for `“` or `…` has to be cleaned as well.
        clean::clean(&deunicode::deunicode(text))
    } else {
        clean::clean(text)
    }
}

/// What marks a cut: as long in either alphabet.
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
