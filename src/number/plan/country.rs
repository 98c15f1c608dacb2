//! The country whose rules apply to digits without a country.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use super::{
    numbering::{CallingCode, numbering},
    region::Region,
};

/// A country of the metadata, as its ISO 3166-1 alpha-2 code: `NO`, `SE`.
#[derive(Clone, Copy)]
pub struct Country(&'static Region);

impl Country {
    /// The calling code, 1 to 999: 47 for Norway. Several countries may share a calling code.
    #[must_use]
    pub fn calling_code(self) -> u16 {
        self.0.code
    }

    /// The two capital letters: "NO".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.id
    }

    /// The country of a plan.
    pub(in crate::number) fn of(region: &'static Region) -> Self {
        Self(region)
    }

    pub(in crate::number) fn region(self) -> &'static Region {
        self.0
    }
}

// Two regions with one id are one country.
impl PartialEq for Country {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Country {}

impl Hash for Country {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.id)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

/// A text that is not a country code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a country: two letters of ISO 3166 are wanted, such as NO, SE, DE or GB")]
pub struct UnknownCountry(String);

/// Reads `NO` or `no`. The first use loads the metadata, see [`load`].
impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        numbering().region(&text.to_ascii_uppercase()).map(Self).ok_or_else(|| {
            // The message repeats the text, so the text is cut.
            UnknownCountry(text.chars().take(32).collect())
        })
    }
}

/// Loads the metadata (tens of milliseconds, some megabytes, once) and the numbering plans of `countries`, so that the first
/// call does not wait. The plan of another country is compiled at its first number: about a millisecond, 10 ms for +1.
pub fn load(countries: &[Country]) {
    let numbering = numbering();
    for country in countries {
        let region = country.region();
        region.patterns();
        if let Some(code) = numbering.code(region.code) {
            code.compile();
        }
    }
}

/// Loads the numbering plans of all calling codes and countries, about 0.1 s and 1 MB, so that no caller waits for a plan.
/// For a thread that nothing waits for.
pub fn load_all() {
    numbering().codes().for_each(CallingCode::compile);
    for region in numbering().regions() {
        region.patterns();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_its_two_letters_in_either_case() {
        let norway: Country = "no".parse().unwrap();
        assert_eq!(norway, "NO".parse().unwrap());
        assert_ne!(norway, "SJ".parse().unwrap());
        assert_eq!(norway.to_string(), "NO");
        assert_eq!(norway.calling_code(), 47);
        load(&[norway]);
    }

    #[test]
    fn every_plan_can_be_compiled() {
        // A pattern that cannot be compiled fails a debug assertion.
        load_all();
        for region in numbering().regions() {
            assert!(region.is_compiled(), "{} (+{}) makes its first caller wait", region.id, region.code);
        }
        let countries: Vec<Country> = (b'A'..=b'Z')
            .flat_map(|a| (b'A'..=b'Z').map(move |b| [a, b]))
            .filter_map(|id| str::from_utf8(&id).unwrap().parse().ok())
            .collect();
        assert_eq!(countries.len(), 245);
        load(&countries);
    }

    #[test]
    fn an_unknown_country_is_named_in_the_error() {
        for text in ["", "XX", "001", "NOR", "Norway", "47", "ÆØ"] {
            let error = text.parse::<Country>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("ISO 3166"), "{error}");
        }
    }
}
