//! `[numbers]`, and the `numbers` of one PBX, which has the rest from it.

use super::file::{Numbers, OwnNumbers};
use super::value::{Parsed, ShortCode};
use crate::number::{Extensions, Settings};

impl Numbers {
    pub(super) fn settings(self) -> Settings {
        let defaults = Settings::new(self.country.0);
        Settings {
            strip_prefixes: self.strip_prefixes.0,
            area_code: self.area_code.map(|area_code| area_code.0.0),
            internal: extensions(self.internal),
            short_codes: self.short_codes.map_or(defaults.short_codes, short_codes),
            ..defaults
        }
    }
}

impl OwnNumbers {
    /// What is absent is taken from `common`; of another country only what is not tied to the first.
    pub(super) fn settings(self, common: &Settings) -> Settings {
        let common = common.clone();
        let country = self.country.map_or(common.country, |country| country.0);
        let area_code = common.area_code.filter(|_| country == common.country);
        Settings {
            country,
            strip_prefixes: self.strip_prefixes.map_or(common.strip_prefixes, |prefixes| prefixes.0),
            area_code: self.area_code.map(|area_code| area_code.0.0).or(area_code),
            internal: self.internal.map_or(common.internal, extensions),
            short_codes: self.short_codes.map_or(common.short_codes, short_codes),
        }
    }
}

fn extensions(given: Vec<Parsed<Extensions>>) -> Vec<Extensions> {
    given.into_iter().map(|extensions| extensions.0).collect()
}

fn short_codes(given: Vec<Parsed<ShortCode>>) -> Vec<String> {
    given.into_iter().map(|code| code.0.0).collect()
}
