//! The numbering plan of one country: the lengths of its numbers, its prefixes and its patterns.

use std::sync::OnceLock;

use phonenumber::metadata::{Descriptor, Metadata};

use super::format::Formats;
use super::pattern::{BadPattern, Prefix, Whole};
use crate::number::digits::Digits;

/// One country's plan.
pub(in crate::number) struct Region {
    /// ISO 3166-1 alpha-2.
    pub id: &'static str,
    /// Calling code.
    pub code: u16,
    lengths: Lengths,
    /// The fewest and the most digits of usual numbers: the examples of fixed lines and mobiles in the metadata.
    usual: (usize, usize),
    metadata: &'static Metadata,
    patterns: OnceLock<Patterns>,
    /// Only for pages.
    formats: OnceLock<Formats>,
}

/// A country's patterns, compiled.
pub(in crate::number) struct Patterns {
    /// Any national number; wider than the types in use.
    pub general: Whole,
    /// The digits in front of the calling code of another country.
    pub international_prefix: Option<Prefix>,
    /// The digits in front of a national number.
    national_prefix: Option<Prefix>,
    /// The replacement of a national prefix.
    transform: Option<Transform>,
}

/// Digits, then the content of a group: `9$1` in Argentina.
struct Transform {
    insert: &'static [u8],
    /// 0 for the first group.
    group: usize,
}

/// The lengths of national numbers: one bit for each count of digits.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    full: u32,
    /// Numbers without area code, dialled within a town.
    local: u32,
}

/// The meaning of the length of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::number) enum Length {
    /// Some numbers of the country have this length.
    Possible,
    /// Only numbers without area code, dialled within a town, have this length.
    Local,
    /// Shorter than all numbers.
    TooShort,
    /// Longer than all numbers.
    TooLong,
    /// Between the shortest and the longest, but not in use.
    Unused,
}

impl Region {
    pub(in crate::number) fn new(metadata: &'static Metadata) -> Self {
        Self {
            id: metadata.id(),
            code: metadata.country_code(),
            lengths: Lengths::of(metadata),
            usual: usual(metadata),
            metadata,
            patterns: OnceLock::new(),
            formats: OnceLock::new(),
        }
    }

    /// How numbers of the country are written. Compiled at the first use.
    pub(in crate::number) fn formats(&self) -> &Formats {
        self.formats.get_or_init(|| Formats::of(self.metadata))
    }

    pub(in crate::number) fn patterns(&self) -> &Patterns {
        self.patterns.get_or_init(|| Patterns::of(self.metadata))
    }

    /// Whether the patterns are compiled.
    #[cfg(test)]
    pub(in crate::number) fn is_compiled(&self) -> bool {
        self.patterns.get().is_some()
    }

    /// The patterns of fixed lines.
    pub(in crate::number) fn fixed_lines(&self) -> Option<&'static str> {
        self.metadata.descriptors().fixed_line().map(|lines| lines.national_number().as_str())
    }

    /// The meaning of the length of a national number.
    pub(in crate::number) fn length(&self, national: &[u8]) -> Length {
        self.lengths.judge(national.len())
    }

    /// Whether a national number has a usual length: German numbers have 4 to 15 digits, most have 8 to 11.
    pub(in crate::number) fn is_usual(&self, national: &[u8]) -> bool {
        (self.usual.0..=self.usual.1).contains(&national.len())
    }

    /// Whether the country has a national prefix.
    pub(in crate::number) fn has_national_prefix(&self) -> bool {
        self.patterns().national_prefix.is_some()
    }

    /// The fewest digits of a number of the country, also of a number that lacks its area code of `area_code` digits.
    pub(in crate::number) fn shortest(&self, area_code: usize) -> usize {
        let Lengths { full, local } = self.lengths;
        let with_area_code = u32::try_from(area_code).ok().and_then(|digits| full.checked_shr(digits));
        // An area code alone is not a number.
        let subscriber = with_area_code.unwrap_or(0) & !1;
        (full | local | subscriber).trailing_zeros() as usize
    }

    /// Takes the national prefix off, or replaces it. `None` without a prefix, or if only the number with the prefix matches
    /// the general pattern.
    pub(in crate::number) fn without_prefix(&self, digits: &[u8]) -> Option<Digits> {
        let patterns = self.patterns();
        let found = patterns.national_prefix.as_ref()?.find(digits)?;
        let rest = digits.get(found.end..)?;
        let rewritten = patterns
            .transform
            .as_ref()
            .and_then(|rule| Some([rule.insert, (*found.groups.get(rule.group)?)?]));
        let result = match rewritten {
            // The digits behind the match stay: in Argentina 0 11 15 2345 6789 is 9 11 2345 6789.
            Some([insert, group]) => {
                Digits::joined([insert, group]).and_then(|start| Digits::joined([&start, rest]))?
            }
            None => Digits::joined([rest, &[]])?,
        };
        let lost = patterns.general.matches(digits) && !patterns.general.matches(&result);
        (!lost).then_some(result)
    }
}

impl Patterns {
    fn of(metadata: &'static Metadata) -> Self {
        let prefix = |pattern: &str| checked(Prefix::new(pattern));
        let general = metadata.descriptors().general().national_number();
        Self {
            general: checked(Whole::new([general.as_str()].into_iter())).unwrap_or_else(Whole::none),
            international_prefix: metadata.international_prefix().and_then(|p| prefix(p.as_str())),
            // Some plans have only the prefix to write. It is also the prefix to look for.
            national_prefix: metadata
                .national_prefix_for_parsing()
                .map_or(metadata.national_prefix(), |pattern| Some(pattern.as_str()))
                .and_then(prefix),
            transform: metadata.national_prefix_transform_rule().and_then(Transform::read),
        }
    }
}

impl Transform {
    fn read(rule: &'static str) -> Option<Self> {
        let (insert, group) = rule.split_once('$')?;
        Some(Self { insert: insert.as_bytes(), group: group.parse::<usize>().ok()?.checked_sub(1)? })
    }
}

impl Lengths {
    /// The metadata has no lengths in the general description, so the lengths of all types are taken.
    fn of(metadata: &Metadata) -> Self {
        let bits = |lengths: &[u16]| {
            lengths
                .iter()
                .filter_map(|&length| 1_u32.checked_shl(u32::from(length)))
                .fold(0, std::ops::BitOr::bitor)
        };
        let mut all = Self::default();
        for kind in types(metadata) {
            all.full |= bits(kind.possible_length());
            all.local |= bits(kind.possible_local_length());
        }
        all.local &= !all.full;
        all
    }

    fn judge(self, length: usize) -> Length {
        let bit = u32::try_from(length).ok().and_then(|length| 1_u32.checked_shl(length)).unwrap_or(0);
        if self.full & bit != 0 {
            Length::Possible
        } else if self.local & bit != 0 {
            Length::Local
        } else if bit == 0 || bit > self.full {
            Length::TooLong
        } else if self.full & (bit - 1) == 0 {
            Length::TooShort
        } else {
            Length::Unused
        }
    }
}

/// Count of digits of the shortest and of the longest example of fixed lines and mobiles. Without examples, any count.
fn usual(metadata: &Metadata) -> (usize, usize) {
    let types = metadata.descriptors();
    let lengths = [types.fixed_line(), types.mobile()].into_iter().flatten();
    let lengths = lengths.filter_map(|kind| kind.example().map(str::len));
    lengths.clone().min().zip(lengths.max()).unwrap_or((0, usize::MAX))
}

/// The types of valid numbers, as in libphonenumber: without numbers that cannot be called from abroad, and without
/// emergency numbers and short codes.
pub(in crate::number) fn types(metadata: &Metadata) -> impl Iterator<Item = &Descriptor> {
    let types = metadata.descriptors();
    [
        types.fixed_line(),
        types.mobile(),
        types.toll_free(),
        types.premium_rate(),
        types.shared_cost(),
        types.personal_number(),
        types.voip(),
        types.pager(),
        types.uan(),
        types.voicemail(),
    ]
    .into_iter()
    .flatten()
}

/// A pattern that cannot be compiled is left out: a number that is not recognised is better than a lost call. A test shows
/// that all patterns of the metadata can be compiled.
pub(in crate::number) fn checked<T>(pattern: Result<T, BadPattern>) -> Option<T> {
    debug_assert!(pattern.is_ok(), "{:?}", pattern.err());
    pattern.ok()
}

#[cfg(test)]
mod tests {
    use super::super::numbering::numbering;
    use super::*;

    fn region(id: &str) -> &'static Region {
        numbering().region(id).unwrap()
    }

    fn without_prefix(id: &str, digits: &str) -> Option<String> {
        let rest = region(id).without_prefix(digits.as_bytes())?;
        Some(String::from_utf8(rest.to_vec()).unwrap())
    }

    #[test]
    fn lengths_are_those_of_all_types() {
        let length = |id: &str, digits: &str| region(id).length(digits.as_bytes());
        assert_eq!(length("NO", "02800"), Length::Possible);
        assert_eq!(length("NO", "22334455"), Length::Possible);
        assert_eq!(length("NO", "223344"), Length::Unused);
        assert_eq!(length("NO", "1234"), Length::TooShort);
        assert_eq!(length("NO", "4722334455"), Length::TooLong);
        assert_eq!(length("US", "5550123"), Length::Local);
        assert_eq!(length("NO", &"1".repeat(64)), Length::TooLong);
    }

    #[test]
    fn usual_lengths_are_those_of_the_examples() {
        // Germany 30123456 and 15123456789, Norway 21234567 and 40612345; services have no fixed lines.
        let usual = |id: &str, digits: usize| region(id).is_usual(&[b'1'; 20][..digits]);
        assert!(usual("DE", 8) && usual("DE", 11) && !usual("DE", 7) && !usual("DE", 12));
        assert!(usual("NO", 8) && !usual("NO", 5) && !usual("NO", 12));
        assert!(numbering().code(800).unwrap().main.is_usual(b"12345678"));
    }

    #[test]
    fn the_shortest_number_may_lack_its_area_code() {
        assert_eq!(region("NO").shortest(0), 5);
        assert_eq!(region("FR").shortest(0), 9);
        assert_eq!(region("US").shortest(0), 7);
        assert_eq!(region("DK").shortest(2), 6);
        assert_eq!(region("DE").shortest(2), 2);
        assert_eq!(region("NO").shortest(99), 5);
    }

    #[test]
    fn a_national_prefix_is_taken_off() {
        assert_eq!(without_prefix("DE", "0301234567").as_deref(), Some("301234567"));
        assert_eq!(without_prefix("HU", "06301234567").as_deref(), Some("301234567"));
        assert_eq!(without_prefix("NO", "22334455"), None);
        // Italy's zero is part of the number.
        assert_eq!(without_prefix("IT", "0212348326"), None);
    }

    #[test]
    fn a_national_prefix_is_replaced_where_the_country_says_so() {
        let mobile = without_prefix("AR", "0111523456789");
        assert_eq!(mobile.as_deref(), Some("91123456789"));
        // A carrier's code (21) goes with the prefix.
        let carrier = without_prefix("BR", "0211123456789");
        assert_eq!(carrier.as_deref(), Some("1123456789"));
        // Seven digits lack the island's area code.
        assert_eq!(without_prefix("AG", "4601234").as_deref(), Some("2684601234"));
        assert_eq!(without_prefix("SM", "886377").as_deref(), Some("0549886377"));
    }
}
