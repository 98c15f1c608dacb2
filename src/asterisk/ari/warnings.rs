//! What is wrong with the PBX's dialplan is said once for a connection: the same line at every call would
//! bury the others.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::warn;

/// A dialplan names a handful of countries. More of them come from a variable that holds something else.
const MOST_COUNTRIES: usize = 100;

/// The warnings of one connection.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// The PBX, as logs name it.
    pbx: String,
    poison: Once,
    place: Once,
    arguments: Once,
    rush: Once,
    /// Unknown countries that were named already.
    countries: Mutex<HashSet<String>>,
}

/// Whether a warning was given.
#[derive(Debug, Default)]
struct Once(AtomicBool);

impl Once {
    fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Warnings {
    pub(super) fn new(pbx: &str) -> Self {
        Self { pbx: pbx.to_owned(), ..Self::default() }
    }

    /// A direct call on a version where that costs it its `DB()`.
    pub(super) fn poison(&self) {
        if self.poison.is_first() {
            warn!(
                pbx = %self.pbx,
                "a bare Stasis() on this version of Asterisk: once a variable is set through ARI, the rest of the \
                 call's dialplan can't use DB(), SHELL() and others. Gosub(nameplate,lookup,1) has no such effect"
            );
        }
    }

    /// The context lacks the extension or label that a handoff goes to.
    pub(super) fn place(&self) {
        if self.place.is_first() {
            warn!(pbx = %self.pbx, "the dialplan context has no place for the name, so calls go on without: copy asterisk-conf/extensions_nameplate.conf again");
        }
    }

    /// `Stasis()` has arguments that this version does not know.
    pub(super) fn arguments(&self) {
        if self.arguments.is_first() {
            warn!(pbx = %self.pbx, "the dialplan's Stasis() has arguments of another version: copy asterisk-conf again");
        }
    }

    /// More calls in hand than are served.
    pub(super) fn rush(&self, most: usize) {
        if self.rush.is_first() {
            warn!(pbx = %self.pbx, "{most} calls are in hand already: further ones go on without a name");
        }
    }

    /// A trunk's country that is none. Each is named once.
    pub(super) fn country(&self, country: &str) {
        let mut countries = self.countries.lock().unwrap_or_else(PoisonError::into_inner);
        if countries.len() < MOST_COUNTRIES && countries.insert(country.to_owned()) {
            warn!(
                pbx = %self.pbx,
                country = country.escape_default().to_string(),
                "the dialplan names an unknown country; the PBX's own is taken"
            );
        }
    }
}
