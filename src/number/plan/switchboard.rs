//! Open numbering: a company adds digits to its number. The extensions of its PBX follow the stem, and the number of the
//! switchboard is the stem and a `0`.

use std::sync::OnceLock;

use super::numbering::numbering;
use super::pattern::Whole;
use super::region::checked;
use crate::number::Number;
use crate::number::digits::Digits;

/// Countries with open numbering, for fixed lines. Elsewhere numbers have a fixed length, and a number that ends in 0 has
/// strangers as neighbours: Norway, Sweden, Switzerland, North America.
///
/// - Germany: Bundesnetzagentur, Verfügung 25/2006 (structure of the numbers of local networks): extensions follow the stem
///   of a PBX. DIN 5008 writes `030 123456-0`.
/// - Austria: KEM-V 2009 § 3 no. 14, `Folgeziffern`: the subscriber adds digits up to the longest number that is allowed,
///   "an extension included" (RTR).
/// - Luxembourg: plan of 1999: extensions follow the main number.
const OPEN: [Open; 3] = [
    Open { country: "DE", code: 49, shortest: 5 },
    // 01 4000-0, Vienna's town hall.
    Open { country: "AT", code: 43, shortest: 5 },
    // 4796-1, Luxembourg's town hall.
    Open { country: "LU", code: 352, shortest: 4 },
];

/// One country with open numbering.
struct Open {
    country: &'static str,
    code: u16,
    /// The shortest stem, in digits, with its area code. A shorter stem would have half a town behind it.
    shortest: u32,
}

/// The stem of a switchboard's number: `+49 30 123456` of `+49 30 123456-0`.
///
/// None if the number does not end in 0, is not a fixed line (mobiles have one length), has too short a stem, or belongs to
/// a country without open numbering.
#[must_use]
pub fn stem(switchboard: Number) -> Option<Number> {
    let national = switchboard.national();
    if !national.is_multiple_of(10) {
        return None;
    }
    let (place, open) = (0_usize..).zip(&OPEN).find(|(_, open)| open.code == switchboard.country_code())?;
    let stem = national / 10;
    let long_enough = stem.checked_ilog10()? + 1 >= open.shortest;
    let fixed = long_enough && fixed_lines().get(place)?.matches(&Digits::of(national));
    fixed.then(|| Number::new(open.code, stem)).flatten()
}

/// The patterns of fixed lines in libphonenumber's metadata, one for each country of [`OPEN`].
fn fixed_lines() -> &'static [Whole] {
    static FIXED: OnceLock<Vec<Whole>> = OnceLock::new();
    FIXED.get_or_init(|| {
        let fixed = |open: &Open| {
            let region = numbering().region(open.country)?;
            checked(Whole::new(region.fixed_lines().into_iter()))
        };
        OPEN.iter().map(|open| fixed(open).unwrap_or_else(Whole::none)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Country;

    #[test]
    fn the_codes_are_those_of_the_countries() {
        for open in &OPEN {
            assert_eq!(open.country.parse::<Country>().unwrap().calling_code(), open.code);
        }
    }

    #[test]
    fn a_switchboard_has_a_stem_where_numbers_may_be_made_longer() {
        for (code, national, expected) in [
            // 030 227-0, the Bundestag: the shortest stem.
            (49, 302_270, Some(30_227)),
            (49, 301_234_560, Some(30_123_456)),
            // 01 4000-0, Vienna's town hall; 0316 872-0, that of Graz.
            (43, 140_000, Some(14_000)),
            (43, 3_168_720, Some(316_872)),
            (352, 47_960, Some(4_796)),
            // Ends in another digit.
            (49, 301_234_561, None),
            // Mobiles (libphonenumber's example numbers, the last digit a 0): 0151, 0664, 628.
            (49, 15_123_456_780, None),
            (43, 664_123_450, None),
            (352, 628_123_450, None),
            // Freephone.
            (49, 8_001_234_560, None),
            // Too short a stem.
            (49, 30_110, None),
            // Closed lengths: Norway, Switzerland, North America.
            (47, 22_334_450, None),
            (41, 446_681_800, None),
            (1, 2_015_550_120, None),
        ] {
            let stem = stem(Number::new(code, national).unwrap());
            assert_eq!(stem, expected.and_then(|stem| Number::new(code, stem)), "+{code}{national}");
        }
    }
}
