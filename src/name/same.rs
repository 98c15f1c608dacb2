//! Whether two names look the same on a phone, and whether a text is a name.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::{clean, cleaned};

/// Words of programs in place of a name.
const WORDS: [&str; 4] = ["null", "undefined", "n/a", "n.a"];

/// Whether `text` is a placeholder: nothing, one or two signs (`-`, `.`), or a word such as `null`.
#[must_use]
pub fn is_nobody(text: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_punctuation() || matches!(c, '–' | '—' | '…' | '·');
    let is_nobody = |word: &str| {
        if word.chars().all(is_sign) {
            return word.chars().count() <= 2;
        }
        let word = word.trim_matches(is_sign);
        WORDS.iter().any(|nobody| word.eq_ignore_ascii_case(nobody))
    };
    text.split_whitespace().all(is_nobody)
}

/// Whether two names look the same: cleaned, in Unicode's compatible composed form, in upper or lower case.
#[must_use]
pub fn looks_same(one: &str, other: &str) -> bool {
    let first = |text: &str| text.chars().next().filter(char::is_ascii_alphanumeric);
    // Cleaning keeps the first character of a name, if that is a letter of ASCII or a digit. So most names differ at once.
    match (first(one), first(other)) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(&b) => false,
        _ => one == other || folded(one) == folded(other),
    }
}

/// A name in the form that is compared.
pub(crate) fn folded(name: &str) -> String {
    let cleaned = cleaned(name, false);
    if cleaned.is_ascii() {
        return cleaned.to_ascii_lowercase();
    }
    // Joiners and similar characters only change their neighbours.
    let shown: String = cleaned.chars().filter(|&c| c == ' ' || !clean::is_shapeless(c)).collect();
    let normal: Cow<'_, str> = ComposingNormalizerBorrowed::new_nfkc().normalize(&shown);
    // Upper case first: `ß` becomes `SS`.
    clean::clean(&normal.to_uppercase().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_the_same() {
        for (one, other) in [
            ("Ola Berg", "Ola  Berg"),
            ("Ola Berg", "Ola\u{a0}Berg "),
            ("Ola Berg", "Ola\u{200b} Berg"),
            ("Ola Berg", "O\u{200d}la Berg"),
            ("Åsa Öberg", "A\u{30a}sa O\u{308}berg"),
            ("Fjord AS", "FJORD as"),
            ("Straße", "STRASSE"),
            ("Schäfer", "Sch&auml;fer"),
            ("ACME", "ＡＣＭＥ"),
            ("ﬁrma", "FIRMA"),
            ("ΟΔΟΣ", "οδος"),
        ] {
            assert!(looks_same(one, other) && looks_same(other, one), "{one} {other}");
        }
        for (one, other) in [("Ola Berg", "Ole Berg"), ("Muller", "Müller"), ("Acme", "Acme AS"), ("", "A")]
        {
            assert!(!looks_same(one, other), "{one} {other}");
        }
    }
}
