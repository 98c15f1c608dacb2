//! The rows that are there already, so that a person with several numbers is one row.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use hashbrown::DefaultHashBuilder;

/// The places of rows, by their hash: a table with open addressing.
///
/// In a large directory nearly every look at a table waits for memory. Here the slot has the hash and the place side by side, so that
/// a row waits once, and [`Self::fetch`] makes many rows wait together. With a table of `hashbrown`, which keeps its marks and
/// its places apart, a new row waits twice.
#[derive(Default)]
pub(super) struct RowIndex {
    /// At most half of them are taken. Their count is a power of 2.
    slots: Vec<Slot>,
    taken: usize,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    /// The place of the row, counted from 1. 0 for a free slot.
    nth: u32,
}

impl Slot {
    /// The place of the row.
    fn row(self) -> Option<usize> {
        Some(self.nth.checked_sub(1)? as usize)
    }
}

impl RowIndex {
    /// With room for so many rows.
    pub(super) fn with_room(rows: usize) -> Self {
        Self { slots: vec![Slot::default(); (rows * 2).next_power_of_two()], ..Self::default() }
    }

    /// The hash of all that tells a row from others.
    pub(super) fn hash(&self, row: impl Hash) -> u32 {
        // One half is as good as the other.
        (self.hasher.hash_one(row) >> 32) as u32
    }

    /// The place of the row with this hash in `rows`.
    pub(super) fn find<Row>(&self, rows: &[Row], hash: u32, is_it: impl Fn(&Row) -> bool) -> Option<usize> {
        let taken = self.slots_from(hash).map_while(|(_, slot)| Some((slot.hash, slot.row()?)));
        let mut same_hash = taken.filter(|(known, _)| *known == hash).map(|(_, row)| row);
        same_hash.find(|row| rows.get(*row).is_some_and(&is_it))
    }

    /// Adds a row to `rows`. Its place; none if there is no room.
    pub(super) fn add<Row>(&mut self, rows: &mut Vec<Row>, hash: u32, row: Row) -> Option<usize> {
        if self.taken * 2 >= self.slots.len() {
            let larger = vec![Slot::default(); (self.slots.len() * 2).max(16)];
            for slot in std::mem::replace(&mut self.slots, larger).into_iter().filter(|slot| slot.nth > 0) {
                self.take(slot)?;
            }
        }
        rows.push(row);
        self.take(Slot { hash, nth: u32::try_from(rows.len()).ok()? })?;
        self.taken += 1;
        Some(rows.len() - 1)
    }

    /// The rows that are probably those of these hashes. The processor waits for the memory of many slots, and of many rows, as long
    /// as for that of one, so that [`Self::find`] and [`Self::add`] need not wait afterwards.
    pub(super) fn fetch<Row: Copy>(&self, rows: &[Row], hashes: &[u32]) -> Vec<Row> {
        let last = self.slots.len().wrapping_sub(1);
        let slots = hashes.iter().filter_map(|hash| Some((*hash, self.slots.get(*hash as usize & last)?)));
        // A short step for all of them, before the next one: the processor looks ahead only so far.
        black_box(slots.clone().fold(0, |all, (_, slot)| all ^ slot.hash));
        let same_hash = slots.filter(|(hash, slot)| slot.hash == *hash);
        same_hash.filter_map(|(_, slot)| rows.get(slot.row()?)).copied().collect()
    }

    /// Puts a slot on the first free place.
    fn take(&mut self, slot: Slot) -> Option<()> {
        let (free, _) = self.slots_from(slot.hash).find(|(_, there)| there.nth == 0)?;
        *self.slots.get_mut(free)? = slot;
        Some(())
    }

    /// All slots with their places, from that of this hash on.
    fn slots_from(&self, hash: u32) -> impl Iterator<Item = (usize, Slot)> {
        let last = self.slots.len().wrapping_sub(1);
        (0..self.slots.len()).filter_map(move |next| {
            let place = (hash as usize).wrapping_add(next) & last;
            Some((place, *self.slots.get(place)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_row_and_no_other_also_after_it_has_grown() {
        for room in [0, 1, 5_000] {
            let mut index = RowIndex::with_room(room);
            let mut rows = Vec::new();
            for row in 0..5_000 {
                let hash = index.hash(row);
                assert_eq!(index.find(&rows, hash, |there| *there == row), None);
                assert_eq!(index.add(&mut rows, hash, row), Some(row));
            }
            for row in 0..10_000 {
                let found = index.find(&rows, index.hash(row), |there| *there == row);
                assert_eq!(found, Some(row).filter(|row| *row < 5_000));
            }
        }
    }

    #[test]
    fn rows_of_one_hash_are_told_apart() {
        let mut index = RowIndex::default();
        let mut rows = Vec::new();
        index.fetch(&rows, &[7]);
        for name in ["Kari", "Ola", "Eve"] {
            index.add(&mut rows, 7, name);
        }
        assert_eq!(index.fetch(&rows, &[7, u32::MAX]), ["Kari"]);
        let found = ["Eve", "Kari", "Ola", "Lone"].map(|name| index.find(&rows, 7, |there| *there == name));
        assert_eq!(found, [Some(2), Some(0), Some(1), None]);
    }
}
