//! Each word once, in order, with the entries that have it.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The longest part of a word that is kept, in bytes.
const LONGEST: usize = 48;

/// All words, in order.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The words, one after the other.
    text: String,
    /// The end of each word in `text`.
    ends: Vec<u32>,
    /// The end of each word's entries in `entries`.
    entry_ends: Vec<u32>,
    entries: Vec<u32>,
}

/// Fills [`Words`].
#[derive(Default)]
pub(super) struct Collector {
    text: String,
    /// Start and length of each word in `text`, in the order of their first use.
    places: Vec<(u32, u16)>,
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// A word, and an entry that has it.
    pairs: Vec<(u32, u32)>,
}

impl Collector {
    /// This entry has this word. None if there is no room.
    pub(super) fn add(&mut self, word: &str, entry: u32) -> Option<()> {
        let word = word.get(..LONGEST).unwrap_or(word);
        let Self { text, places, known, hasher, pairs } = self;
        let at = |place: &u32| {
            let (start, len) = places.get(*place as usize).copied().unwrap_or_default();
            text.get(start as usize..start as usize + usize::from(len)).unwrap_or_default()
        };
        let hash = hasher.hash_one(word);
        let place = match known.find(hash, |place| at(place) == word) {
            Some(place) => *place,
            None => {
                let new = u32::try_from(places.len()).ok()?;
                known.insert_unique(hash, new, |place| hasher.hash_one(at(place)));
                places.push((u32::try_from(text.len()).ok()?, u16::try_from(word.len()).ok()?));
                text.push_str(word);
                new
            }
        };
        pairs.push((place, entry));
        Some(())
    }

    /// None if there is no room.
    pub(super) fn finish(self) -> Option<Words> {
        let Self { text, places, mut pairs, known, .. } = self;
        drop(known);
        let at = |place: u32| {
            let (start, len) = places.get(place as usize).copied().unwrap_or_default();
            text.get(start as usize..start as usize + usize::from(len)).unwrap_or_default()
        };
        let mut order: Vec<u32> = (0..u32::try_from(places.len()).ok()?).collect();
        order.sort_unstable_by_key(|place| at(*place));
        let mut rank = vec![0_u32; places.len()];
        for (place, new) in order.iter().zip(0..) {
            if let Some(rank) = rank.get_mut(*place as usize) {
                *rank = new;
            }
        }
        for (place, _) in &mut pairs {
            *place = rank.get(*place as usize).copied()?;
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut words = Words {
            text: String::with_capacity(text.len()),
            ends: Vec::with_capacity(order.len()),
            entry_ends: Vec::with_capacity(order.len()),
            entries: Vec::with_capacity(pairs.len()),
        };
        let mut pairs = pairs.into_iter().peekable();
        for (place, new) in order.iter().zip(0..) {
            words.text.push_str(at(*place));
            words.ends.push(u32::try_from(words.text.len()).ok()?);
            while let Some((_, entry)) = pairs.next_if(|(word, _)| *word == new) {
                words.entries.push(entry);
            }
            words.entry_ends.push(u32::try_from(words.entries.len()).ok()?);
        }
        Some(words)
    }
}

impl Words {
    fn word(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let start = at.checked_sub(1).map_or(0, end);
        self.text.get(start..end(at)).unwrap_or_default()
    }

    /// The places of the words that begin with `start`.
    fn beginning_with(&self, start: &str) -> Range<usize> {
        let first = self.first(|word| word < start);
        let count = self.ends.len();
        let behind = self.first(|word| word < start || word.starts_with(start));
        first..behind.min(count)
    }

    /// The first place whose word is not `before`.
    fn first(&self, before: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if before(self.word(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn entries_of(&self, words: Range<usize>) -> &[u32] {
        let end = |at: usize| self.entry_ends.get(at).map_or(0, |end| *end as usize);
        let start = words.start.checked_sub(1).map_or(0, end);
        if words.is_empty() {
            return &[];
        }
        self.entries.get(start..end(words.end - 1)).unwrap_or_default()
    }

    /// The entries that have a word which begins with `start`, and before them those that have this very word. An entry may come
    /// several times.
    pub(super) fn find(&self, start: &str) -> (&[u32], &[u32]) {
        let start = start.get(..LONGEST).unwrap_or(start);
        let words = self.beginning_with(start);
        // The word itself is the first in order.
        let own =
            if !words.is_empty() && self.word(words.start) == start { words.start + 1 } else { words.start };
        (self.entries_of(words.start..own), self.entries_of(own..words.end))
    }
}
