//! A question → an answer.

use super::bits::Bits;
use super::fold;
use super::index::Index;
use crate::directory::Party;
use crate::directory::suppressed::Suppressed;
use crate::number::{Country, Number};

/// The longest question, in bytes. The rest is not read.
pub const MAX_QUERY: usize = 200;
/// The most words of a question. The rest is not read.
const MAX_WORDS: usize = 8;
/// So many digits beside words are the beginning of a number.
const FEW_DIGITS: usize = 3;

/// The answer to a question.
#[derive(Debug)]
pub struct Answer<'i> {
    /// The best hits.
    pub hits: Vec<Hit<'i>>,
    /// How many there are in all.
    pub all: usize,
}

/// A person or a company that fits the question.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit<'i> {
    /// The person or the company.
    pub party: Party<'i>,
    /// Its numbers, at least one.
    pub numbers: Vec<Number>,
}

impl Index {
    /// Who fits `question`: words, each the beginning of a word of the name or of the company's name, in any order; or the first digits
    /// of a number, by its national form in `country` or in another one, or by its international form. At most `most` hits.
    /// Numbers of `suppressed` are not found.
    #[must_use]
    pub fn find(&self, question: &str, country: Country, suppressed: &Suppressed, most: usize) -> Answer<'_> {
        let question = question.get(..question.floor_char_boundary(MAX_QUERY)).unwrap_or_default().trim();
        let mut entries = Vec::new();
        let all = if let Some(digits) = digits(question) {
            let mut seen = Bits::new(self.entries());
            for place in self.by_forms(&digits, country) {
                let number = self.by_digits().at(place);
                if let Some(entry) = self.by_digits().entry(place)
                    && number.is_some_and(|number| !suppressed.has(number))
                    && !seen.has(entry)
                {
                    seen.insert(entry);
                    entries.push(entry);
                }
            }
            entries.len()
        } else {
            let mut words = fold::words(question);
            words.truncate(MAX_WORDS);
            if words.is_empty() {
                return Answer { hits: Vec::new(), all: 0 };
            }
            let is_digits =
                |word: &str| word.len() >= FEW_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
            let by_number =
                |word: &str| if is_digits(word) { self.by_forms(word, country) } else { Vec::new() };
            let matches = self.matches(&words, by_number);
            entries.extend(matches.whole.iter());
            let not_whole = |entry: &u32| !matches.whole.has(*entry);
            entries.extend(matches.own.iter().filter(not_whole).take(most));
            let by_company = |entry: &u32| !matches.own.has(*entry);
            entries.extend(matches.all.iter().filter(by_company).take(most));
            matches.all.len()
        };
        entries.truncate(most);
        Answer { hits: self.hits(&entries, suppressed), all }
    }

    /// The hits of these entries, each with its numbers.
    fn hits(&self, entries: &[u32], suppressed: &Suppressed) -> Vec<Hit<'_>> {
        let mut wanted = Bits::new(self.entries());
        entries.iter().for_each(|entry| wanted.insert(*entry));
        let mut numbers: Vec<(u32, Number)> = Vec::new();
        if !entries.is_empty() {
            let places =
                self.by_digits().entries().iter().enumerate().filter(|(_, entry)| wanted.has(**entry));
            numbers.extend(places.filter_map(|(place, entry)| Some((*entry, self.by_digits().at(place)?))));
        }
        let hit = |entry: &u32| {
            let own = numbers.iter().filter(|(of, number)| of == entry && !suppressed.has(*number));
            let numbers: Vec<_> = own.map(|(_, number)| *number).collect();
            let party = self.directory.party(self.place(*entry)?)?;
            (!numbers.is_empty()).then_some(Hit { party, numbers })
        };
        entries.iter().filter_map(hit).collect()
    }

    /// The places of the numbers that begin with these digits, in any form: those of `country` first.
    fn by_forms(&self, digits: &str, country: Country) -> Vec<usize> {
        let numbers = self.by_digits();
        let international = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00"));
        if let Some(international) = international.filter(|digits| !digits.is_empty()) {
            return numbers.beginning_with(international).collect();
        }
        let own = country.calling_code();
        let others = numbers.codes().iter().copied().filter(|code| *code != own);
        let without_prefix = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
        let mut found: Vec<usize> = Vec::new();
        let national = |code: u16| {
            let forms = [Some(digits), without_prefix].into_iter().flatten();
            forms.flat_map(move |form| numbers.beginning_with(&format!("{code}{form}")).collect::<Vec<_>>())
        };
        found.extend(national(own));
        found.extend(numbers.beginning_with(digits));
        found.extend(others.flat_map(national));
        found
    }
}

/// The digits of a question that is the beginning of a number, with its plus: `22 33-44` is `223344`. None for words.
fn digits(question: &str) -> Option<String> {
    let mut digits = String::new();
    for (at, c) in question.chars().enumerate() {
        match c {
            '+' if at == 0 => digits.push('+'),
            c if c.is_ascii_digit() => digits.push(c),
            ' ' | '\u{a0}' | '(' | ')' | '-' | '–' | '.' | '/' => {}
            _ => return None,
        }
    }
    digits.contains(|c: char| c.is_ascii_digit()).then_some(digits)
}
