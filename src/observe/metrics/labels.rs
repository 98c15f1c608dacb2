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

/// Why a PBX refuses the service, or the service does without it, until somebody has mended something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user or the password: 401.
    Unauthorized,
    /// The user is `read_only`, or its address is not allowed: 403.
    Forbidden,
    /// A module of ARI's is not loaded.
    Module,
    /// Handoffs fail, one after the other.
    Handoffs,
    /// Our own password can't be read.
    Secret,
    /// The PBX's certificate is not to be trusted, or ours can't be read.
    Certificate,
}

impl Refusal {
    pub(super) const ALL: [Self; 6] =
        [Self::Unauthorized, Self::Forbidden, Self::Module, Self::Handoffs, Self::Secret, Self::Certificate];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Module => "module",
            Self::Handoffs => "handoffs",
            Self::Secret => "secret",
            Self::Certificate => "certificate",
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
pub(super) struct RefusalLabels {
    pub(super) pbx: String,
    pub(super) reason: &'static str,
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
