//! The names of all rows, in one piece of memory.

use std::hash::BuildHasher;
use std::hint::black_box;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A name in [`Texts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    start: u32,
    /// In bytes. Longer names are cut when they are added.
    len: u16,
}

/// The names, one after the other.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: String,
}

impl Texts {
    pub(super) fn get(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.all.get(start..start + usize::from(text.len)).unwrap_or_default()
    }
}

/// Fills [`Texts`].
#[derive(Default)]
pub(super) struct TextsBuilder {
    texts: Texts,
    interned: HashTable<Text>,
    hasher: DefaultHashBuilder,
}

/// The length of a name, in bytes, for the room that is made in advance.
const USUAL: usize = 32;

impl TextsBuilder {
    /// With room for so many usual names.
    pub(super) fn with_room(names: usize) -> Self {
        Self { texts: Texts { all: String::with_capacity(names * USUAL) }, ..Self::default() }
    }

    /// Adds `text`. None if all texts together exceed 4 GiB.
    pub(super) fn add(&mut self, text: &str) -> Option<Text> {
        // 64 KiB is a thousand times as long as a name on a phone.
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        let start = u32::try_from(self.texts.all.len()).ok()?;
        self.texts.all.push_str(text);
        Some(Text { start, len: u16::try_from(text.len()).ok()? })
    }

    /// The place of `text`, one of a few different ones, which is added if it is new. None if there is no room.
    pub(super) fn intern(&mut self, text: &str) -> Option<Text> {
        if text.is_empty() {
            return Some(Text::default());
        }
        let hash = self.hasher.hash_one(text);
        if let Some(there) = self.interned.find(hash, |there| self.texts.get(*there) == text) {
            return Some(*there);
        }
        let added = self.add(text)?;
        let Self { texts, interned, hasher } = self;
        interned.insert_unique(hash, added, |there| hasher.hash_one(texts.get(*there)));
        Some(added)
    }

    pub(super) fn get(&self, text: Text) -> &str {
        self.texts.get(text)
    }

    /// Looks at these texts, so that [`Self::get`] need not wait for memory: the processor waits for many as long as for one.
    pub(super) fn fetch(&self, texts: impl Iterator<Item = Text>) {
        let all = self.texts.all.as_bytes();
        let first = texts.filter_map(|text| all.get(text.start as usize));
        black_box(first.fold(0, |seen, byte| seen ^ byte));
    }

    pub(super) fn finish(self) -> Texts {
        let mut texts = self.texts;
        texts.all.shrink_to_fit();
        texts
    }
}
