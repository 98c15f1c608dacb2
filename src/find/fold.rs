//! Words without marks and case, as people type them.

use deunicode::deunicode_char;
use icu_normalizer::ComposingNormalizerBorrowed;

/// A word in the ways in which people type it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Each letter without its mark: `ase` for Åse, `muller` for Müller.
    pub(super) plain: String,
    /// Each letter as it is written where there are no marks: `aase`, `mueller`. None where this is the same.
    pub(super) spelt: Option<String>,
}

impl Word {
    /// The ways, each once.
    pub(super) fn ways(&self) -> impl Iterator<Item = &str> {
        [Some(self.plain.as_str()), self.spelt.as_deref()].into_iter().flatten()
    }
}

/// A letter without its mark, and as it is written where there are no marks.
fn letter(c: char) -> Option<(&'static str, &'static str)> {
    Some(match c {
        'å' => ("a", "aa"),
        'ä' => ("a", "ae"),
        'æ' => ("ae", "ae"),
        'ö' | 'ø' => ("o", "oe"),
        'ü' => ("u", "ue"),
        'ß' => ("ss", "ss"),
        _ => return None,
    })
}

/// The words of a text. A sign between letters ends a word, except an apostrophe: `O'Brien` is `obrien`.
pub(super) fn words(text: &str) -> Vec<Word> {
    let normal;
    let text = if text.is_ascii() {
        text
    } else {
        normal = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
        &*normal
    };
    let mut words = Vec::new();
    let (mut plain, mut spelt) = (String::new(), String::new());
    let mut end = |plain: &mut String, spelt: &mut String| {
        if !plain.is_empty() {
            let (plain, spelt) = (std::mem::take(plain), std::mem::take(spelt));
            let spelt = (spelt != plain).then_some(spelt);
            words.push(Word { plain, spelt });
        }
    };
    for c in text.chars().flat_map(char::to_lowercase) {
        if let Some((without, written)) = letter(c) {
            plain.push_str(without);
            spelt.push_str(written);
        } else if c.is_ascii_alphanumeric() {
            plain.push(c);
            spelt.push(c);
        } else if c.is_alphanumeric() {
            let letters = deunicode_char(c).unwrap_or_default();
            for c in letters.chars().filter(char::is_ascii_alphanumeric) {
                plain.push(c.to_ascii_lowercase());
                spelt.push(c.to_ascii_lowercase());
            }
        } else if !is_ignored(c) {
            end(&mut plain, &mut spelt);
        }
    }
    end(&mut plain, &mut spelt);
    words
}

/// Apostrophes, joiners, and marks that have no letter to join.
fn is_ignored(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_people_type_them() {
        for (text, expected) in [
            ("Åse Ødegård", "ase|aase odegard|oedegaard"),
            ("A\u{30a}se", "ase|aase"),
            ("MÜLLER & Söhne", "muller|mueller sohne|soehne"),
            ("Straße", "strasse"),
            ("Ærø", "aero|aeroe"),
            ("Anne-Sofie O'Brien", "anne sofie obrien"),
            ("S.p.A. (Nord)", "s p a nord"),
            ("Nguyễn Łukasz Đặng", "nguyen lukasz dang"),
            ("Жанна Ελένη", "zhanna elene"),
            ("ﬁrma ＡＣＭＥ 24/7", "firma acme 24 7"),
            ("  -- … ", ""),
        ] {
            let found: Vec<_> =
                words(text).iter().map(|word| word.ways().collect::<Vec<_>>().join("|")).collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
