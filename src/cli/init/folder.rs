//! New files. None is overwritten.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

/// The group of the service's user, which reads the configuration.
const GROUP: &str = "nameplate";

/// A file to be written, readable by its owner and its group.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    pub(super) text: Text,
    /// Who may read it beside root.
    pub(super) reader: Reader,
}

/// The text of a file.
#[derive(Clone)]
pub(super) struct Text(SecretString);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Who may read a file beside root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The service's group, where this machine has it.
    Service,
    /// The owner and the group of the folder: Asterisk's.
    Folder,
}

/// Fails if one of the files is there already, and names all of them.
pub(super) fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
    let there = paths.into_iter().filter(|path| fs::symlink_metadata(path).is_ok());
    let there: Vec<_> = there.map(|path| path.display().to_string()).collect();
    anyhow::ensure!(
        there.is_empty(),
        "these files are there already: {}; nothing is written. Move them away, or give another --folder",
        there.join(", ")
    );
    Ok(())
}

/// Writes all files, with their folders; or none.
pub(super) fn write(files: &[&NewFile]) -> anyhow::Result<()> {
    let group = group(GROUP);
    for (place, file) in files.iter().enumerate() {
        let folder = file.path.parent().unwrap_or(Path::new("."));
        if let Err(error) = write_one(file, folder, group) {
            for written in files.iter().take(place) {
                let _ = fs::remove_file(&written.path);
            }
            return Err(error).with_context(|| format!("can't write {}", file.path.display()));
        }
    }
    Ok(())
}

/// Whether this machine has the group of the service's user.
pub(super) fn has_service_group() -> bool {
    group(GROUP).is_some()
}

fn write_one(file: &NewFile, folder: &Path, group: Option<u32>) -> std::io::Result<()> {
    if !folder.is_dir() {
        make_folder(folder, group)?;
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.path)?;
    let written = new.write_all(file.text.as_str().as_bytes());
    // Whatever the umask is: the group has to read it.
    let written = written.and_then(|()| new.set_permissions(Permissions::from_mode(0o640)));
    match file.reader {
        Reader::Service => give(&file.path, None, group),
        Reader::Folder => {
            let folder = fs::metadata(folder)?;
            give(&file.path, Some(folder.uid()), Some(folder.gid()));
        }
    }
    if written.is_err() {
        let _ = fs::remove_file(&file.path);
    }
    written
}

/// Makes a folder that its group may enter, and the folders above it that are missing.
fn make_folder(folder: &Path, group: Option<u32>) -> std::io::Result<()> {
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty() && !above.is_dir()) {
        make_folder(above, group)?;
    }
    DirBuilder::new().mode(0o700).create(folder)?;
    give(folder, None, group);
    fs::set_permissions(folder, Permissions::from_mode(0o750))
}

/// As far as this user has the right. Without it the file stays this user's own, and is closed to others.
fn give(path: &Path, owner: Option<u32>, group: Option<u32>) {
    let _ = chown(path, owner, group);
}

/// The id of a group of this machine.
fn group(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        assert_eq!((group("root"), group("no-such-group")), (Some(0), None));
    }

    #[test]
    fn the_group_may_read_all_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("above/etc/nameplate.toml");
        let file = NewFile { path: path.clone(), text: "text".to_owned().into(), reader: Reader::Service };
        write(&[&file]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o640);
        let etc = path.parent().unwrap();
        assert_eq!([etc, etc.parent().unwrap()].map(mode), [0o750; 2]);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_none_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| NewFile {
            path: folder.path().join(name),
            text: "text".to_owned().into(),
            reader: Reader::Service,
        };
        // A file stands where the second one needs a folder.
        fs::write(folder.path().join("file"), "").unwrap();
        let (first, second) = (file("first"), file("file/second"));
        assert!(write(&[&first, &second]).is_err());
        assert!(!first.path.exists());
        refuse_existing([first.path.as_path()]).unwrap();
        let there = refuse_existing([folder.path().join("file").as_path()]).unwrap_err().to_string();
        assert!(there.contains("/file; nothing is written"), "{there}");
    }
}
