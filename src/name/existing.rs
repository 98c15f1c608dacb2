//! Whether a name that a call brings along is one.

use crate::number;

/// Whether `existing` says more than the number does: it is neither empty, nor a number, nor a word for nobody.
pub(super) fn is_name(existing: &str) -> bool {
    // A name has letters: the number as the provider writes it, quoted or in any form, has none.
    existing.chars().any(char::is_alphabetic)
        && !number::names_nobody(existing.trim_matches(|c: char| !c.is_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn numbers_and_words_for_nobody_are_no_names() {
        for nobody in [
            "",
            "  ",
            "22334455",
            "+47 22 33 44 55",
            "(022) 33-44/55",
            "\"22334455\"",
            "-",
            "Anonymous",
            "anonymous",
            " UNKNOWN ",
            "<unknown>",
            "Out of area",
            "Private Number",
            "NO NAME",
            "Blocked",
            "Hidden",
            "Unidentified",
            "Caller Unknown",
            "(number withheld)",
            "P",
        ] {
            assert!(!is_name(nobody), "{nobody:?}");
        }
        for name in ["OSLO TAXI", "Жанна", "佐藤", "3 Norge", "Unknown Pleasures AS", "4711 Köln"] {
            assert!(is_name(name), "{name:?}");
        }
    }
}
