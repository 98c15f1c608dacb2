//! The formats of what is published. A version of nameplate reads its own format and the one before, and writes the one before until all
//! living replicas know its own.

use std::ops::RangeInclusive;

use super::manifest::FORMAT;

/// The formats that this version reads and writes: there is only one yet.
pub const FORMATS: RangeInclusive<u32> = FORMAT..=FORMAT;

/// The format to write: the lowest of the highest ones that the living replicas name, as far as it is among `formats`.
#[must_use]
pub fn to_write(formats: &RangeInclusive<u32>, highest: impl IntoIterator<Item = u32>) -> u32 {
    let known_by_all = highest.into_iter().min().unwrap_or(*formats.start());
    known_by_all.clamp(*formats.start(), *formats.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_previous_format_is_written_until_all_know_the_latest() {
        // Made-up formats of a later version.
        let formats = 2..=3;
        assert_eq!(to_write(&formats, [3, 2, 3]), 2);
        assert_eq!(to_write(&formats, [3, 3]), 3);
        // A replica of a still later version reads ours, too.
        assert_eq!(to_write(&formats, [4, 3]), 3);
        // What this version can't write, it does not write.
        assert_eq!(to_write(&formats, [1, 3]), 2);
        // Nobody is known yet, not even this replica.
        assert_eq!(to_write(&formats, []), 2);
    }

    #[test]
    fn there_is_one_format() {
        assert_eq!((to_write(&FORMATS, [7]), to_write(&FORMATS, [0])), (1, 1));
    }
}
