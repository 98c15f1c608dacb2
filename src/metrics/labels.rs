//! What counts are told apart by.

use prometheus_client::encoding::EncodeLabelSet;

/// What a caller was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A name.
    Found,
    /// Nobody, or nobody for certain.
    NotFound,
    /// There was nothing to look for.
    Skipped,
    /// Left to the dialplan: arguments of another version, or too many calls at once.
    Unserved,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] = [Self::Found, Self::NotFound, Self::Skipped, Self::Unserved];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "notfound",
            Self::Skipped => "skipped",
            Self::Unserved => "unserved",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) pbx: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PbxLabels {
    pub(super) pbx: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SectionLabels {
    pub(super) section: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ListLabels {
    pub(super) source: String,
    pub(super) list: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RefreshLabels {
    pub(super) source: String,
    pub(super) list: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SearchLabels {
    pub(super) source: String,
    pub(super) outcome: &'static str,
}
