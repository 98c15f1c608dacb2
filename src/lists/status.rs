//! What is known of each list, for `nameplate sources` and the pages.

use serde::{Deserialize, Serialize};

use super::guard::Held;
use super::refresh::{Keeper, Question};
use super::store::Kept;
use crate::source::UnusableRecords;
use crate::source::superoffice::site::Tenant;

/// What is known of one list. Times are seconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// The list's name: the source's, and the selection's id.
    pub list: String,
    /// The source's name.
    pub source: String,
    /// How many entries are in use.
    pub count: usize,
    /// The source's mark of the set in use.
    pub hash: String,
    /// Whether it is on disk, and will be there after a restart.
    pub on_disk: bool,
    /// When the set in use came.
    pub taken: Option<u64>,
    /// When the source answered last.
    pub last_success: Option<u64>,
    /// When it is asked next.
    pub next: Option<u64>,
    /// Why the last question failed; none when it did not.
    pub last_error: Option<String>,
    /// A list that came and is held back.
    pub held: Option<Held>,
    /// Records of the last set that can't be used.
    pub unusable: UnusableRecords,
    /// Which list that was held back has been shown last.
    #[serde(skip)]
    pub shown: Option<u64>,
    /// What is known of the tenant that the source is.
    #[serde(default)]
    pub tenant: Option<Tenant>,
}

impl ListStatus {
    /// What is to be shown. It is known from now on which list held back that was.
    pub fn show(&mut self) -> Self {
        self.shown = self.held.as_ref().map(|held| held.id).or(self.shown);
        self.clone()
    }

    /// Writes down what the list in use is, and what is held back.
    pub fn note<Q: Question>(&mut self, keeper: &Keeper<Q>) {
        let kept = keeper.kept();
        let header = kept.header();
        self.count = kept.len();
        self.hash = header.hash;
        self.taken = Some(header.taken).filter(|taken| *taken > 0);
        self.on_disk = matches!(kept, Kept::OnDisk(_));
        let was_held = self.held.is_some();
        self.held = keeper.held().cloned();
        if !was_held && let Some(held) = &self.held {
            // The log says so. Another one that takes its place is seen by nobody who does not look for it.
            self.shown = Some(held.id);
        }
        self.unusable = keeper.unusable().clone();
    }
}
