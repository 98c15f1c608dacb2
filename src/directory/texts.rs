//! Each name once, in one piece of memory.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A name in [`Texts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// Fills [`Texts`]. The table of names that are there already is dropped at the end.
#[derive(Default)]
pub(super) struct Interner {
    texts: Texts,
    known: HashTable<Text>,
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// With room for so many names.
    pub(super) fn with_room(names: usize) -> Self {
        Self { known: HashTable::with_capacity(names), ..Self::default() }
    }

    /// The place of `text`, which is added if it is new. None if all names together exceed 4 GiB.
    pub(super) fn add(&mut self, text: &str) -> Option<Text> {
        // 64 KiB is a thousand times as long as a name on a phone.
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        if text.is_empty() {
            return Some(Text::default());
        }
        let Self { texts, known, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(there) = known.find(hash, |there| texts.get(*there) == text) {
            return Some(*there);
        }
        let added =
            Text { start: u32::try_from(texts.all.len()).ok()?, len: u16::try_from(text.len()).ok()? };
        texts.all.push_str(text);
        known.insert_unique(hash, added, |there| hasher.hash_one(texts.get(*there)));
        Some(added)
    }

    pub(super) fn get(&self, text: Text) -> &str {
        self.texts.get(text)
    }

    pub(super) fn finish(self) -> Texts {
        let mut texts = self.texts;
        texts.all.shrink_to_fit();
        texts
    }
}
