//! Numbers that a company may make longer: open numbering, where the digits of a PBX's extensions follow the stem
//! that the company was given, and its switchboard answers to the stem and a `0`.

use std::sync::OnceLock;

use super::numbering::numbering;
use super::pattern::Whole;
use super::region::checked;
use crate::number::Number;
use crate::number::digits::Digits;

/// Countries whose plans let a company append digits to its stem, on fixed lines. Elsewhere a number that ends in 0
/// is one of a closed length, and its neighbours are strangers: Norway, Sweden, Switzerland, North America.
///
/// - Germany: Bundesnetzagentur, Verfügung 25/2006 (structure of the numbers of local networks): the stem of a PBX
///   is followed by its extensions; DIN 5008 writes `030 123456-0`
/// - Austria: KEM-V 2009 § 3 no. 14, `Folgeziffern`: the subscriber makes the number longer, up to the longest
///   that is allowed, "an extension included" (RTR)
/// - Luxembourg: plan of 1999: extensions are appended to the main number
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
    /// Digits of the shortest stem, area code included. A shorter one would be that of half a town.
    shortest: u32,
}

/// The stem of a switchboard's number: `+49 30 123456` of `+49 30 123456-0`.
///
/// None where the number does not end in 0, is no fixed line (mobiles have one length, whatever they end in), has
/// too short a stem, or belongs to a country whose numbers are not made longer.
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

/// The fixed lines of each country of [`OPEN`], as patterns of libphonenumber's metadata.
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
