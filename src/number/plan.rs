//! Numbering plans of all countries and calling codes.
//!
//! - `country`: the country whose rules apply to digits without a country
//! - `numbering`: all plans, by country and by calling code
//! - `region`: the plan of one country
//! - `format`: how numbers of a country are written
//! - `pattern`: the patterns of the plans, compiled
//! - `switchboard`: switchboards whose extensions follow the number
//!
//! The plans are libphonenumber's metadata in the release that the crate `phonenumber` carries, 9.0.33. Only its data is used.

pub(super) mod country;
mod format;
pub(super) mod numbering;
mod pattern;
pub(super) mod region;
pub(super) mod switchboard;
