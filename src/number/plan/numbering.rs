//! All numbering plans, by country and by calling code.
//!
//! Calling codes and lengths are read at once. Patterns are compiled at the first number of a country, and shared by all
//! threads.

use std::sync::OnceLock;

use phonenumber::metadata::{DATABASE, Metadata};

use super::{
    pattern::Whole,
    region::{Length, Region, checked, types},
};

/// Calling codes have one to three digits (ITU-T E.164 §6.2.1).
pub(in crate::number) const CODE_MAX: u16 = 999;

/// All numbering plans, loaded at first use and kept.
pub(in crate::number) struct Numbering {
    /// Sorted by `id`. Services such as +800 are among them, all with id "001".
    regions: &'static [Region],
    /// By calling code.
    codes: Vec<Option<CallingCode>>,
}

/// One calling code: of a country, of several countries, or of a service such as +800.
pub(in crate::number) struct CallingCode {
    pub code: u16,
    /// The country whose rules apply to the calling code: the United States for +1.
    pub main: &'static Region,
    /// All countries with this calling code, `main` included.
    members: Vec<&'static Metadata>,
    types: OnceLock<Whole>,
}

/// All numbering plans; the first use loads them.
pub(in crate::number) fn numbering() -> &'static Numbering {
    static NUMBERING: OnceLock<Numbering> = OnceLock::new();
    NUMBERING.get_or_init(Numbering::load)
}

impl Numbering {
    fn load() -> Self {
        // By calling code: services share an id.
        let members = |code: u16| DATABASE.by_code(&code).unwrap_or_default();
        let mut regions: Vec<Region> = (0..=CODE_MAX).flat_map(members).map(Region::new).collect();
        regions.sort_unstable_by_key(|region| (region.id, region.code));
        // There is one `Numbering`, and it is never freed.
        let regions: &'static [Region] = regions.leak();
        let codes = (0..=CODE_MAX)
            .map(|code| {
                let members = members(code);
                // The metadata crate puts the main country first.
                let first = members.first()?;
                let main = regions.iter().find(|r| r.id == first.id() && r.code == code)?;
                Some(CallingCode { code, main, members, types: OnceLock::new() })
            })
            .collect();
        Self { regions, codes }
    }

    /// The country with this ISO 3166 code, two capital letters.
    pub(in crate::number) fn region(&self, id: &str) -> Option<&'static Region> {
        if id.len() != 2 {
            return None;
        }
        let at = self.regions.binary_search_by_key(&id, |r| r.id).ok()?;
        self.regions.get(at)
    }

    /// All countries and services.
    pub(in crate::number) fn regions(&self) -> &'static [Region] {
        self.regions
    }

    /// An assigned calling code.
    pub(in crate::number) fn code(&self, code: u16) -> Option<&CallingCode> {
        self.codes.get(usize::from(code))?.as_ref()
    }

    /// Every assigned calling code.
    pub(in crate::number) fn codes(&self) -> impl Iterator<Item = &CallingCode> {
        self.codes.iter().flatten()
    }

    /// Takes the calling code off international digits. No calling code is the beginning of another, so at most one length
    /// fits.
    pub(in crate::number) fn split<'n, 'd>(
        &'n self,
        digits: &'d [u8],
    ) -> Option<(&'n CallingCode, &'d [u8])> {
        let mut code = 0;
        for (at, digit) in digits.iter().take(3).enumerate() {
            code = code * 10 + u16::from(digit - b'0');
            if code == 0 {
                return None;
            }
            if let Some(found) = self.code(code) {
                return digits.get(at + 1..).map(|rest| (found, rest));
            }
        }
        None
    }
}

impl CallingCode {
    /// Compiles the patterns of the calling code.
    pub(in crate::number) fn compile(&self) {
        self.main.patterns();
        self.types();
    }

    /// Whether the national number is of a type in use in one of the countries: a mobile, a fixed line and so on.
    pub(in crate::number) fn is_valid(&self, national: &[u8]) -> bool {
        self.main.length(national) == Length::Possible && self.types().matches(national)
    }

    /// Whether a leading zero can belong to a national number.
    pub(in crate::number) fn keeps_zeros(&self) -> bool {
        self.types().can_begin_with(b"0")
    }

    /// All types of all countries with this calling code, as one pattern.
    fn types(&self) -> &Whole {
        self.types.get_or_init(|| {
            let types = self.members.iter().flat_map(|m| types(m));
            checked(Whole::new(types.map(|d| d.national_number().as_str()))).unwrap_or_else(Whole::none)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_plans_of_their_own_although_they_share_an_id() {
        for code in [800, 808, 870, 883, 979] {
            let found = numbering().code(code).unwrap();
            assert_eq!((found.code, found.main.code, found.main.id), (code, code, "001"));
        }
    }

    #[test]
    fn shared_codes_have_the_country_whose_rules_hold_for_all() {
        for (code, id) in [(1, "US"), (7, "RU"), (39, "IT"), (44, "GB"), (47, "NO"), (61, "AU")] {
            assert_eq!(numbering().code(code).unwrap().main.id, id);
        }
        // Numbers of the others are valid too: Jamaica, Vatican City.
        assert!(numbering().code(1).unwrap().is_valid(b"8765230123"));
        assert!(numbering().code(39).unwrap().is_valid(b"0669812345"));
    }

    #[test]
    fn a_calling_code_is_taken_off_whatever_its_length() {
        for (digits, code, rest) in [
            ("12015550123", 1, "2015550123"),
            ("4722334455", 47, "22334455"),
            ("35312345678", 353, "12345678"),
        ] {
            let (found, national) = numbering().split(digits.as_bytes()).unwrap();
            assert_eq!((found.code, national), (code, rest.as_bytes()));
        }
        for digits in ["", "2", "047", "2101234567", "999123456"] {
            assert!(numbering().split(digits.as_bytes()).is_none(), "{digits}");
        }
    }

    #[test]
    fn zeros_are_kept_where_numbers_begin_with_them() {
        let keeps = |code| numbering().code(code).unwrap().keeps_zeros();
        assert!([39, 225, 241, 378].into_iter().all(keeps));
        assert!(![1, 44, 45, 46, 49].into_iter().any(keeps));
    }
}
