//! Lists that are no longer in the configuration. Their files hold personal data, and an administrator may take a list out for a
//! day only: they are removed after [`KEPT_FOR`], or by `nameplate sources --purge`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use tracing::{info, warn};

use super::Store;
use crate::owner;

/// The time in which the files of such a list stay, in seconds: 30 days.
pub const KEPT_FOR: u64 = 30 * DAY;
const DAY: u64 = 24 * 3600;

/// The endings of a list's files, after its name and a dot.
const KINDS: [&str; 7] = ["list", "list.copy", "unusable", "held", "guard", "missing", "removed"];
/// The ending of damaged files that were renamed.
pub(super) const DAMAGED: &str = "list.damaged-";
/// The endings of half-written files, after a kill. The second is an older version's, for a copy.
const HALF: [&str; 2] = [".new", ".list.new"];

/// A list that is no longer in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub list: String,
    /// When a service noticed that; none if no service has yet.
    pub since: Option<u64>,
    files: Vec<PathBuf>,
}

impl Removed {
    /// The days until its files are removed.
    #[must_use]
    pub fn days_left(&self, now: u64) -> u64 {
        let age = now.saturating_sub(self.since.unwrap_or(now));
        KEPT_FOR.saturating_sub(age).div_ceil(DAY)
    }

    fn remove(&self) -> io::Result<()> {
        self.files.iter().try_for_each(fs::remove_file)
    }
}

impl Store {
    /// The lists on disk that are not in the configuration, by name.
    pub fn removed(&self, configured: &BTreeSet<String>) -> io::Result<Vec<Removed>> {
        let folder = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        let mut lists: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in folder {
            let file = file?;
            let name = file.file_name();
            if let Some(list) = name.to_str().and_then(list_of)
                && !configured.contains(list)
            {
                lists.entry(list.to_owned()).or_default().push(file.path());
            }
        }
        let removed = |(list, files): (String, Vec<PathBuf>)| {
            let since = fs::read_to_string(self.mark(&list)).ok().and_then(|since| since.trim().parse().ok());
            Removed { list, since, files }
        };
        Ok(lists.into_iter().map(removed).collect())
    }

    fn mark(&self, list: &str) -> PathBuf {
        self.file(list, "removed")
    }

    /// Removes the files of lists whose time is over, and marks new ones; for the writer.
    pub fn clear(&self, configured: &BTreeSet<String>, now: u64) {
        for list in configured {
            let _ = fs::remove_file(self.mark(list));
        }
        let removed = self.removed(configured).unwrap_or_else(|error| {
            warn!("can't look for lists that were removed: {error}");
            Vec::new()
        });
        for removed in removed {
            let list = &removed.list;
            let done = match removed.since {
                None => owner::create(&self.mark(list))
                    .and_then(|mut file| writeln!(file, "{now}"))
                    .map(|()| info!(%list, "the list is no longer in the configuration: its files are removed in {} days; `nameplate sources --purge` does it now", KEPT_FOR / DAY)),
                Some(since) if now.saturating_sub(since) >= KEPT_FOR => removed
                    .remove()
                    .map(|()| info!(%list, "the files of the list are removed: it was taken out of the configuration {} days ago", KEPT_FOR / DAY)),
                Some(_) => Ok(()),
            };
            if let Err(error) = done {
                warn!(%list, "the files of a list that is no longer in the configuration: {error}");
            }
        }
    }

    /// Removes the files of all lists that are not in the configuration. Returns their names.
    pub fn purge(&self, configured: &BTreeSet<String>) -> io::Result<Vec<String>> {
        let removed = self.removed(configured)?;
        removed.iter().try_for_each(Removed::remove)?;
        Ok(removed.into_iter().map(|removed| removed.list).collect())
    }
}

/// The name of the list that the file belongs to; none for a file of another program.
fn list_of(name: &str) -> Option<&str> {
    let (list, kind) = name.split_once('.')?;
    let is_whole = |kind: &str| KINDS.contains(&kind) || kind.starts_with(DAMAGED);
    let is_half =
        || HALF.iter().any(|half| kind.strip_suffix(half).is_some_and(|kind| KINDS.contains(&kind)));
    (!list.is_empty() && (is_whole(kind) || is_half())).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::list::file::Header;

    fn names(removed: &[Removed]) -> Vec<&str> {
        removed.iter().map(|removed| removed.list.as_str()).collect()
    }

    #[test]
    fn files_of_removed_lists_go_after_30_days_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        for list in ["crm-1", "crm-2", "vip"] {
            store.write(list, Header::default(), &[].into_iter().collect()).unwrap();
        }
        let lists = folder.path().join("lists");
        for own in ["crm-2.list.damaged-7", "crm-2.held.new", "crm-2.list.list.new", "crm-2.guard"] {
            fs::write(lists.join(own), "").unwrap();
        }
        for foreign in ["README", "crm-2.list.bak", ".list", "notes.txt", "crm-2.json"] {
            fs::write(lists.join(foreign), "").unwrap();
        }
        let some = BTreeSet::from(["crm-1".to_owned(), "vip".to_owned()]);
        assert_eq!(store.removed(&some).unwrap()[0].since, None);
        store.clear(&some, 1_000_000);
        let removed = store.removed(&some).unwrap();
        assert_eq!((names(&removed), removed[0].since), (vec!["crm-2"], Some(1_000_000)));
        assert_eq!((removed[0].days_left(1_000_000), removed[0].days_left(1_000_000 + DAY + 1)), (30, 29));
        // Back in the configuration for a while: its time begins anew.
        let all = some.iter().cloned().chain(["crm-2".to_owned()]).collect();
        store.clear(&all, 1_000_000 + DAY);
        store.clear(&some, 1_000_000 + 2 * DAY);
        store.clear(&some, 1_000_000 + DAY + KEPT_FOR);
        assert!(lists.join("crm-2.list").is_file());
        store.clear(&some, 1_000_000 + 2 * DAY + KEPT_FOR);
        assert_eq!(store.removed(&some).unwrap(), []);
        for foreign in
            ["README", "crm-2.list.bak", ".list", "notes.txt", "crm-2.json", "crm-1.list", "vip.list.copy"]
        {
            assert!(lists.join(foreign).is_file(), "{foreign}");
        }
        assert_eq!(store.purge(&BTreeSet::from(["vip".to_owned()])).unwrap(), ["crm-1"]);
        assert!(!lists.join("crm-1.list").exists() && lists.join("vip.list").is_file());
    }
}
