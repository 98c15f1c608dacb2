//! The state of a list, for `nameplate sources` and the web pages.

use serde::{Deserialize, Serialize};

use super::guard::HeldList;
use super::refresh::{ListSource, Refresher};
use super::snapshot::Snapshot;
use crate::share::replica::ShareStatus;
use crate::source::UnusableRecords;
use crate::source::superoffice::tenant::Tenant;

/// The state of one list. Times are seconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// The list's name.
    pub list: String,
    /// The source's name.
    pub source: String,
    /// The count of entries in use.
    pub count: usize,
    /// The source's hash of the list in use.
    pub hash: String,
    /// Whether the list is on disk, and so in use after a restart.
    pub on_disk: bool,
    /// When the list in use was fetched.
    pub taken: Option<u64>,
    /// The last refresh without a failure.
    pub last_success: Option<u64>,
    /// The next refresh.
    pub next: Option<u64>,
    /// The failure of the last refresh; none if it did not fail.
    pub last_error: Option<String>,
    /// The list that is held back.
    pub held: Option<HeldList>,
    /// Unusable records of the last list that arrived.
    pub unusable: UnusableRecords,
    /// The id of the list held back that an administrator saw last.
    #[serde(skip)]
    pub shown: Option<u64>,
    /// The state of the source's tenant, if the source is one.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// What the replicas have of it, if it is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareStatus>,
}

/// So many seconds in the unit that fits: `90 s`, `3 min`, `5 h`, `12 d`.
#[must_use]
pub fn time_span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `412,000`
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl ListStatus {
    /// The list that is held back, and the machine that holds it back; none if it is this one.
    #[must_use]
    pub fn held_back(&self) -> Option<(&HeldList, Option<&str>)> {
        let elsewhere = self.share.as_ref().and_then(|share| share.held.as_ref());
        let elsewhere = elsewhere.map(|back| (&back.held, Some(back.by.as_str())));
        elsewhere.or_else(|| self.held.as_ref().map(|held| (held, None)))
    }

    /// The state, to be shown. The list that is held back now counts as shown; `elsewhere` is the id of one that another replica holds
    /// back.
    pub fn show(&mut self, elsewhere: Option<u64>) -> Self {
        self.shown = elsewhere.or(self.held.as_ref().map(|held| held.id)).or(self.shown);
        self.clone()
    }

    /// Updates the list in use and the list that is held back.
    pub fn note<S: ListSource>(&mut self, refresher: &Refresher<S>) {
        let snapshot = refresher.snapshot();
        let header = snapshot.header();
        self.count = snapshot.len();
        self.hash = header.hash;
        self.taken = Some(header.taken).filter(|taken| *taken > 0);
        self.on_disk = matches!(snapshot, Snapshot::OnDisk(_));
        let was_held = self.held.is_some();
        self.held = refresher.held().cloned();
        if !was_held && let Some(held) = &self.held {
            // The log shows the first list that is held back. A list that replaces it is shown on request only.
            self.shown = Some(held.id);
        }
        self.unusable = refresher.unusable().clone();
    }
}
