//! The numbers of `nameplate forget`: `state_dir/suppressed`, one number a line as `+47 22334455`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::directory::list::file::beside;
use crate::number::Number;
use crate::owner;

/// The numbers in the file.
#[derive(Debug)]
pub struct Forgotten {
    path: PathBuf,
    numbers: BTreeSet<Number>,
}

impl Forgotten {
    /// Reads the file of `state_dir`. No file means no number.
    ///
    /// # Errors
    /// If the file can't be read, or a line is not a number: a name that must not be shown is worse than none.
    pub fn read(state_dir: &Path) -> anyhow::Result<Self> {
        let path = state_dir.join("suppressed");
        let text = match fs::read_to_string(&path) {
            // Where `state_dir` is a file, `lookup` writes nothing, and nothing was forgotten.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                String::new()
            }
            text => text.with_context(|| format!("can't read {}", path.display()))?,
        };
        let number = |(line, text): (usize, &str)| {
            parse(text).with_context(|| {
                format!(
                    "{}:{line}: a line is not a number like +47 22334455: mend or delete it",
                    path.display()
                )
            })
        };
        let numbers = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(number);
        let numbers = numbers.collect::<anyhow::Result<_>>()?;
        Ok(Self { path, numbers })
    }

    /// The numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        self.numbers.iter().copied()
    }

    /// Adds a number, or with `undo` takes it out. Whether that changed anything.
    ///
    /// # Errors
    /// If the file can't be written. Then nothing has changed.
    pub fn change(&mut self, number: Number, undo: bool) -> anyhow::Result<bool> {
        self.change_all(&[(number, undo)])
    }

    /// The same for several numbers, each with its `undo`.
    ///
    /// # Errors
    /// If the file can't be written. Then nothing has changed.
    pub fn change_all(&mut self, changes: &[(Number, bool)]) -> anyhow::Result<bool> {
        let mut numbers = self.numbers.clone();
        for (number, undo) in changes {
            if *undo {
                numbers.remove(number)
            } else {
                numbers.insert(*number)
            };
        }
        let is_changed = numbers != self.numbers;
        if is_changed {
            self.write(&numbers).with_context(|| format!("can't write {}", self.path.display()))?;
            self.numbers = numbers;
        }
        Ok(is_changed)
    }

    fn write(&self, numbers: &BTreeSet<Number>) -> io::Result<()> {
        let text: String = numbers.iter().map(|number| written(*number) + "\n").collect();
        let beside = beside(&self.path);
        let mut file = owner::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        // The sync of the folder makes the rename permanent.
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// The number with a blank behind its calling code, so that it can be read again without any numbering plan.
#[must_use]
pub fn written(number: Number) -> String {
    let text = number.to_string();
    let (code, national) = text.split_at(1 + number.country_code().to_string().len());
    format!("{code} {national}")
}

/// Reads what [`written`] has written.
#[must_use]
pub fn parse(text: &str) -> Option<Number> {
    let (code, national) = text.trim().strip_prefix('+')?.split_once(' ')?;
    let digits = national.trim_start_matches('0');
    let zeros = u8::try_from(national.len() - digits.len()).ok()?;
    Number::with_zeros(code.parse().ok()?, zeros, digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn numbers_are_kept_and_taken_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Forgotten::read(folder.path());
        let all = [
            Number::new(47, 22_334_455).unwrap(),
            Number::with_zeros(39, 1, 331_123_456).unwrap(),
            Number::new(1, 9_085_550_123).unwrap(),
        ];
        for number in all {
            assert_eq!(parse(&written(number)), Some(number));
            assert!(read().unwrap().change(number, false).unwrap());
            assert!(!read().unwrap().change(number, false).unwrap());
        }
        let path = folder.path().join("suppressed");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "+1 9085550123\n+39 0331123456\n+47 22334455\n");
        assert!(read().unwrap().change(all[0], true).unwrap());
        assert!(!read().unwrap().change(all[0], true).unwrap());
        assert_eq!(read().unwrap().numbers().collect::<Vec<_>>(), [all[2], all[1]]);
        fs::write(&path, "+47 22334455\n\n+4722334456\n").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains("suppressed:3: ") && error.contains("+47 22334455"), "{error}");
    }
}
