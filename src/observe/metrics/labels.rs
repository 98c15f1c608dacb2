//! The labels of metrics.

use prometheus_client::encoding::EncodeLabelSet;

/// The answer to a call, or to a lookup over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// A name.
    Found,
    /// No name, or no certain one.
    NotFound,
    /// There was no number to look up.
    Skipped,
    /// The call went on in the dialplan without an answer: arguments of another version, too many calls at once.
    Unserved,
}

impl CallOutcome {
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

/// Why a PBX refuses the service, or the service the PBX, until an administrator changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Wrong user or password: 401.
    Unauthorized,
    /// The user is `read_only`, or our address is not allowed: 403.
    Forbidden,
    /// A module of ARI is not loaded.
    Module,
    /// Several handoffs have failed in a row.
    Handoffs,
    /// The configured password can't be read.
    Secret,
    /// The PBX's certificate is not trusted, or `ca_file` can't be read.
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
pub(super) struct BuildLabels {
    version: &'static str,
    /// The processor: `x86_64`, `aarch64`.
    arch: &'static str,
    os: &'static str,
}

impl BuildLabels {
    pub(super) fn of_this_build() -> Self {
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        Self { version: env!("CARGO_PKG_VERSION"), arch, os }
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
pub(super) struct SiteLabels {
    pub(super) site: String,
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
