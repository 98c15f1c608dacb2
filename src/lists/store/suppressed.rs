//! The files of a list without the numbers that must not be named.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::held::HeldRecord;
use super::removed::DAMAGED;
use crate::directory::list::List;
use crate::directory::list::file::{FileError, ListFile};
use crate::directory::suppressed::Suppressed;
use crate::lists::suppression::Cleared;

impl Store {
    /// The numbers that must not be named.
    #[must_use]
    pub fn suppressed(&self) -> Arc<Suppressed> {
        self.suppressed.load_full()
    }

    /// Replaces the numbers that must not be named, for all clones of this store. Files that are there stay as they are.
    pub fn suppress(&self, suppressed: Suppressed) {
        self.suppressed.store(Arc::new(suppressed));
    }

    /// Takes the records of numbers that must not be named out of all files of a list; for the writer.
    #[must_use]
    pub fn take_out_suppressed(&self, list: &str) -> Cleared {
        let mut cleared = Cleared { list: list.to_owned(), ..Cleared::default() };
        if !self.suppressed().is_empty()
            && let Err(error) = self.take_out(list, &mut cleared)
        {
            cleared.error = Some(error.to_string());
        }
        cleared
    }

    fn take_out(&self, list: &str, cleared: &mut Cleared) -> io::Result<()> {
        let suppressed = self.suppressed();
        cleared.damaged = self.remove_damaged(list)?;
        let unusable = self.peek(list).0.header();
        let unusable = self.unusable(list, &unusable);
        if let Some((count, file)) = rewrite(&self.path(list), &suppressed, false)? {
            cleared.records = count;
            self.write_unusable(list, file.header(), &unusable);
        }
        match rewrite(&self.copy(list), &suppressed, false) {
            Ok(copy) => cleared.records = cleared.records.max(copy.map_or(0, |(count, _)| count)),
            // The list itself is there: its next write makes a new copy.
            Err(_) if ListFile::open(&self.path(list)).is_ok() => fs::remove_file(self.copy(list))?,
            Err(error) => return Err(error),
        }
        if let Some((count, _)) = rewrite(&self.file(list, "missing"), &suppressed, false)? {
            cleared.others += count;
        }
        cleared.others += self.take_out_of_held(list, &suppressed)?;
        Ok(())
    }

    /// The description of a list that is held back has the count of its entries.
    fn take_out_of_held(&self, list: &str, suppressed: &Suppressed) -> io::Result<usize> {
        let Some((count, file)) = rewrite(&self.held_path(list), suppressed, true)? else { return Ok(0) };
        let text = fs::read(self.file(list, "guard")).unwrap_or_default();
        if let Ok(mut record) = serde_json::from_slice::<HeldRecord>(&text) {
            record.held.count = usize::try_from(file.header().count).unwrap_or(usize::MAX);
            self.write_guard(list, &record)?;
        }
        Ok(count)
    }

    /// Deletes damaged files that were set aside.
    fn remove_damaged(&self, list: &str) -> io::Result<usize> {
        let start = format!("{list}.{DAMAGED}");
        let Ok(folder) = fs::read_dir(&self.folder) else { return Ok(0) };
        let mut count = 0;
        for file in folder {
            let file = file?;
            if file.file_name().to_str().is_some_and(|name| name.starts_with(&start)) {
                fs::remove_file(file.path())?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Writes a file anew if it has such records; returns their count and the new file. Without its hash a list is fetched as a whole
/// the next time.
fn rewrite(path: &Path, suppressed: &Suppressed, keeps_hash: bool) -> io::Result<Option<(usize, ListFile)>> {
    let file = match ListFile::open(path) {
        Err(FileError::Missing(_)) => return Ok(None),
        file => file.map_err(io::Error::other)?,
    };
    let mut has_one = false;
    for record in file.records()? {
        has_one |= suppressed.has(record?.number());
    }
    if !has_one {
        return Ok(None);
    }
    let mut header = file.header().clone();
    if !keeps_hash {
        header.hash.clear();
    }
    let list: List = suppressed.take_out(file.entries()?.collect::<io::Result<_>>()?);
    let before = usize::try_from(file.header().count).unwrap_or(usize::MAX);
    let count = before.saturating_sub(list.len());
    Ok(Some((count, ListFile::write(path, header, &list)?)))
}
