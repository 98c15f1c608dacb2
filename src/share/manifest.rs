//! What the server has of a list: its version in plain, and the sealed [`Manifest`] of that version.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::held::HeldBack;
use super::seal::{Key, Unopened};
use super::version::Version;
use crate::source::UnusableRecords;

/// The format of a list in the server, as it is described here. [`super::format`] says which ones are read and written.
pub const FORMAT: u32 = 1;

/// A published list: everything about it but its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its version.
    pub version: Version,
    /// Identifies the request to the CRM ([`Settings::fingerprint`](crate::source::Settings::fingerprint)).
    pub fingerprint: u64,
    /// The count of its entries.
    pub entries: u64,
    /// The length of its file, in bytes.
    pub bytes: u64,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
    /// The names of its chunks, in their order: the SHA-256 of each as it is stored, in hexadecimal digits.
    pub chunks: Vec<String>,
    /// The name of the machine that has published it.
    pub by: String,
    /// The unusable records that came with it.
    pub unusable: UnusableRecords,
    /// Identifies the numbers that were left out because they must not be named ([`Suppressed::digest`]).
    ///
    /// [`Suppressed::digest`]: crate::directory::suppressed::Suppressed::digest
    pub left_out: u64,
}

/// What the server has of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version of the list.
    pub version: Version,
    /// When the holder last knew that it is the CRM's: milliseconds since 1970, by its clock.
    pub checked: u64,
    /// Its manifest.
    pub manifest: Result<Arc<Manifest>, Unusable>,
    /// The list that the holder holds back.
    pub held: Option<HeldBack>,
}

impl Entry {
    /// Why a replica that sends the request `fingerprint` does not take the list; none if it does.
    #[must_use]
    pub fn remark(&self, fingerprint: u64) -> Option<String> {
        match &self.manifest {
            Err(unusable) => Some(unusable.to_string()),
            Ok(manifest) if manifest.fingerprint != fingerprint => Some(format!(
                "{} has published another list under this name: its source has another address, user or selection, or its nameplate is of another version",
                manifest.by
            )),
            Ok(_) => None,
        }
    }
}

/// Why a list in the server can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Another key has sealed it, or it is damaged.
    #[error("what the server has of it can't be opened: another `key` has sealed it, or it is damaged")]
    Sealed,
    /// Another version of nameplate has published it.
    #[error("another version of nameplate has published it (format {0}, here {FORMAT})")]
    Format(u32),
}

impl Manifest {
    /// The manifest as it is stored.
    pub fn seal(&self, key: &Key, site: &str, list: &str) -> Result<Vec<u8>, Unopened> {
        let bytes = serde_json::to_vec(self).map_err(|_| Unopened)?;
        key.seal(&place(site, list, "manifest"), bytes)
    }

    /// Opens a manifest, which must be that of `version`.
    pub fn open(
        key: &Key,
        site: &str,
        list: &str,
        version: Version,
        sealed: Vec<u8>,
    ) -> Result<Self, Unusable> {
        let bytes = key.open(&place(site, list, "manifest"), sealed).map_err(|_| Unusable::Sealed)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|_| Unusable::Sealed)?;
        if manifest.version == version { Ok(manifest) } else { Err(Unusable::Sealed) }
    }
}

/// Where something sealed belongs: only there it can be opened.
pub(super) fn place(site: &str, list: &str, part: &str) -> String {
    format!("nameplate {FORMAT}/{site}/{list}/{part}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::version::ReplicaId;

    #[test]
    fn a_manifest_is_opened_as_that_of_its_site_list_and_version_only() {
        let key = Key::read(&crate::secret::Secret::Given("07".repeat(32).into())).unwrap();
        let version = Version { epoch: 3, holder: ReplicaId(7), sequence: 1 };
        let manifest =
            Manifest { version, chunks: vec!["ab".into()], by: "pbx1".into(), ..Manifest::default() };
        let sealed = manifest.seal(&key, "oslo", "crm").unwrap();
        let open = |site, list, version| Manifest::open(&key, site, list, version, sealed.clone());
        assert_eq!(open("oslo", "crm", version), Ok(manifest));
        let later = Version { sequence: 2, ..version };
        for wrong in
            [open("bergen", "crm", version), open("oslo", "crm-7", version), open("oslo", "crm", later)]
        {
            assert_eq!(wrong, Err(Unusable::Sealed));
        }
    }
}
