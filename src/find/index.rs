//! Words and numbers of a directory → its persons and companies.

use std::sync::Arc;

use super::bits::Bits;
use super::fold;
use super::numbers::Numbers;
use super::words::{Collector, Words};
use crate::directory::{Directory, Place};

/// No company.
const NONE: u32 = u32::MAX;

/// The index of one directory. An entry is a person or a company; entries are counted in the order of their names.
#[derive(Debug)]
pub struct Index {
    pub(super) directory: Arc<Directory>,
    places: Vec<Place>,
    /// The entry of each entry's company, which has its own words; [`NONE`] for none.
    companies: Vec<u32>,
    words: Words,
    numbers: Numbers,
    /// The entries that have a number.
    listed: Bits,
}

/// The entries that have all words of a question.
#[derive(Debug)]
pub(super) struct Matches {
    /// Each word is a whole one of the name itself.
    pub(super) whole: Bits,
    /// Each word begins one of the name itself.
    pub(super) own: Bits,
    /// Each word begins one of the name, or of the company's name, or the number.
    pub(super) all: Bits,
}

impl Index {
    /// The index of this directory. Takes a second or two for a million numbers. None if there is no room: about a billion
    /// entries, or 4 GiB of words.
    #[must_use]
    pub fn build(directory: Arc<Directory>) -> Option<Self> {
        let name = |place: Place| {
            let party = directory.party(place)?;
            party.person.map(|person| person.name).or(party.company.map(|company| company.name))
        };
        let mut places: Vec<Place> = directory.places().collect();
        places.sort_by_cached_key(|place| key(name(*place).unwrap_or_default()));
        u32::try_from(places.len()).ok().filter(|count| *count < NONE)?;

        let mut entries = vec![NONE; places.iter().map(|place| place.index() + 1).max().unwrap_or_default()];
        for (place, entry) in places.iter().zip(0..) {
            if let Some(known) = entries.get_mut(place.index()) {
                *known = entry;
            }
        }
        let entry_of = |place: Place| entries.get(place.index()).copied().unwrap_or(NONE);
        let companies =
            places.iter().map(|place| directory.company_of(*place).map_or(NONE, entry_of)).collect();

        let mut words = Collector::default();
        for (place, entry) in places.iter().zip(0..) {
            for word in fold::words(name(*place).unwrap_or_default()) {
                for way in word.ways() {
                    words.add(way, entry)?;
                }
            }
        }
        let words = words.finish()?;
        let numbers =
            Numbers::build(directory.numbers_of_parties().map(|(number, place)| (number, entry_of(place))));
        let mut listed = Bits::new(places.len());
        numbers.entries().iter().for_each(|entry| listed.insert(*entry));
        Some(Self { directory, places, companies, words, numbers, listed })
    }

    /// The count of numbers; one that several have counts as often.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.numbers.len()
    }

    /// The count of entries.
    pub(super) fn entries(&self) -> usize {
        self.places.len()
    }

    pub(super) fn by_digits(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn place(&self, entry: u32) -> Option<Place> {
        self.places.get(entry as usize).copied()
    }

    /// The entries with all these words. `by_number`: the places of the numbers that begin with a word, if it is digits.
    pub(super) fn matches(&self, words: &[fold::Word], by_number: impl Fn(&str) -> Vec<usize>) -> Matches {
        let new = || Bits::new(self.places.len());
        let all_listed = || self.listed.clone();
        let mut matches = Matches { whole: all_listed(), own: all_listed(), all: all_listed() };
        for word in words {
            let (mut whole, mut own) = (new(), new());
            for way in word.ways() {
                let (this, longer) = self.words.find(way);
                this.iter().for_each(|entry| whole.insert(*entry));
                longer.iter().for_each(|entry| own.insert(*entry));
            }
            own.add(&whole);
            let mut all = self.with_employees(&own);
            for place in by_number(&word.plain) {
                self.numbers.entry(place).into_iter().for_each(|entry| all.insert(entry));
            }
            matches.whole.keep(&whole);
            matches.own.keep(&own);
            matches.all.keep(&all);
        }
        matches
    }

    /// These entries, and the persons of the companies among them.
    fn with_employees(&self, entries: &Bits) -> Bits {
        let mut with = entries.clone();
        if !entries.is_empty() {
            for (company, entry) in self.companies.iter().zip(0..) {
                if entries.has(*company) {
                    with.insert(entry);
                }
            }
        }
        with
    }
}

/// The first 16 bytes of a name without marks and case, for its place among others.
fn key(name: &str) -> u128 {
    let mut key = [0; 16];
    let words = fold::words(name);
    let letters = words.iter().flat_map(|word| word.plain.bytes().chain([b' ']));
    key.iter_mut().zip(letters).for_each(|(place, letter)| *place = letter);
    u128::from_be_bytes(key)
}
