//! `[ranges]`: the numbers behind a company's number.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::error::Place;
use crate::directory::ranges::{KnownRange, KnownRanges, Settings};
use crate::number::Country;

/// The table as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ranges {
    guess: bool,
    /// Range → company.
    known: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
}

impl Ranges {
    /// The settings, for numbers that are of `country` where they have no plus.
    pub(super) fn settings(self, place: Place<'_>, country: Country) -> Result<Settings, ConfigError> {
        let Some(known) = self.known else {
            return Ok(Settings { guess: self.guess, known: KnownRanges::default() });
        };
        let at = known.span().start;
        let mut ranges = Vec::new();
        for (range, holder) in known.into_inner() {
            let at = holder.span().start;
            let range = holder
                .into_inner()
                .parse()
                .and_then(|holder| KnownRange::new(&range, holder, country))
                .map_err(|error| place.at(at, &format!("[ranges] known: {error}")))?;
            ranges.push(range);
        }
        let known = KnownRanges::try_new(ranges)
            .map_err(|error| place.at(at, &format!("[ranges] known: {error}")))?;
        Ok(Settings { guess: self.guess, known })
    }
}
