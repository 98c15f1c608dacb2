//! Number → row, by hash: three dependent memory accesses for any count of numbers. A binary search in 10 million numbers
//! needs 23.

use super::rows::RowRef;

/// The average count of keys in one bucket. The scan of a bucket stays within a cache line or two, and the table of bucket
/// starts costs one byte a number.
const BUCKET: usize = 4;

/// The numbers, grouped by the highest bits of their hash.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The start of each bucket in `keys`, and the end of the last one. Empty for an empty index.
    starts: Vec<u32>,
    /// Packed numbers, bucket after bucket.
    keys: Vec<u64>,
    /// The row of each key.
    rows: Vec<RowRef>,
    /// The shift that turns a hash into a bucket.
    shift: u32,
}

impl Index {
    /// Groups pairs of distinct keys. None if there are more than `u32` can count.
    pub(super) fn build(pairs: &[(u64, RowRef)]) -> Option<Self> {
        if pairs.is_empty() {
            return Some(Self::default());
        }
        u32::try_from(pairs.len()).ok()?;
        // At least two, so that the shift stays below 64.
        let buckets = (pairs.len() / BUCKET).max(2).next_power_of_two();
        let shift = u64::BITS - buckets.trailing_zeros();

        // A counting sort by bucket: the size of each bucket, then its start, then the keys.
        let mut starts = vec![0_u32; buckets + 1];
        for (key, _) in pairs {
            starts[bucket(*key, shift) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut keys = vec![0; pairs.len()];
        let mut rows = vec![RowRef::default(); pairs.len()];
        for (key, row) in pairs {
            let place = &mut next[bucket(*key, shift)];
            keys[*place as usize] = *key;
            rows[*place as usize] = *row;
            *place += 1;
        }
        Some(Self { starts, keys, rows, shift })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// All numbers with their rows, in no order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u64, RowRef)> {
        self.keys.iter().copied().zip(self.rows.iter().copied())
    }

    pub(super) fn find(&self, key: u64) -> Option<RowRef> {
        if self.keys.is_empty() {
            return None;
        }
        let bucket = bucket(key, self.shift);
        let (start, end) = (*self.starts.get(bucket)? as usize, *self.starts.get(bucket + 1)? as usize);
        let place = self.keys.get(start..end)?.iter().position(|known| *known == key)?;
        self.rows.get(start + place).copied()
    }
}

/// Numbers of one company differ only in their last digits, so the bits are mixed before the highest bits are taken (the
/// finalizer of `MurmurHash3`).
fn bucket(key: u64, shift: u32) -> usize {
    let mut hash = key;
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    usize::try_from(hash >> shift).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::rows::Kind;
    use super::*;

    #[test]
    fn finds_every_key_and_no_other() {
        for count in [0_u64, 1, 2, 3, 7, 100, 10_000] {
            let pairs: Vec<_> = (0..count)
                .map(|key| (key * 2, RowRef::new(Kind::Person, usize::try_from(key).unwrap()).unwrap()))
                .collect();
            let index = Index::build(&pairs).unwrap();
            assert_eq!(index.len(), pairs.len());
            for (key, row) in &pairs {
                assert_eq!(index.find(*key), Some(*row), "{key} of {count}");
                assert_eq!(index.find(key + 1), None, "{key} of {count}");
            }
            assert_eq!(index.find(u64::MAX), None);
        }
    }

    #[test]
    fn neighbouring_numbers_spread_over_the_buckets() {
        let pairs: Vec<_> =
            (0..40_000).map(|last| (47 << 54 | (22_330_000 + last), RowRef::default())).collect();
        let index = Index::build(&pairs).unwrap();
        let fullest = index.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(fullest < 24, "a bucket holds {fullest} keys");
    }
}
