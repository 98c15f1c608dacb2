//! The owner of files: files below `state_dir` belong to the owner of their folder, also if root writes them. So the service can
//! read the lists of a `nameplate refresh` that root ran while the service was stopped.
//!
//! A file's mode is 0600, a folder's 0700. If an administrator has opened the folder to its group, and to no others, the group gets
//! the same access to the files.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::fs::OFlags;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Access of a group, and of others, in a mode.
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// Creates an empty file for writing; an old one is replaced, and so is a link. It belongs to the owner of its folder.
pub fn create(path: &Path) -> io::Result<File> {
    // Another user's file could not be opened.
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    give_file(&file, path, 0o600);
    Ok(file)
}

/// Opens a file for writing, or creates it. It belongs to the owner of its folder. A link is refused, and so is what is no file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    // A pipe that nobody reads is an error, and no wait.
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    give_file(&file, path, 0o600);
    Ok(file)
}

/// Creates a folder if there is none. It belongs to the owner of its parent folder. Root refuses a link that another user has made.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        give_folder(path, 0o700);
    } else if is_root() {
        let there = fs::symlink_metadata(path)?;
        if there.is_symlink() && there.uid() != 0 {
            let owner = User(there.uid());
            return Err(io::Error::other(format!("{} is a link that {owner} has made", path.display())));
        }
        give_folder(path, 0);
    }
    Ok(())
}

/// A link to a folder stays as it is.
fn give_folder(path: &Path, mode: u32) {
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    if let Ok(folder) = OpenOptions::new().read(true).custom_flags(flags).open(path) {
        give_file(&folder, path, mode);
    }
}

/// Gives an open file or folder to the owner of its folder, and access to the group, as far as this user has the right. Without the
/// right it stays this user's. `mode` is the mode of its creation, 0 for no change.
fn give_file(file: &File, path: &Path, mode: u32) {
    let Ok(now) = file.metadata() else { return };
    let set_mode = |mode| file.set_permissions(fs::Permissions::from_mode(mode));
    give_what(path, &now, mode, |user, group| fchown(file, user, group), set_mode);
}

/// The same for a new socket, which can't be opened.
pub fn give_socket(path: &Path) {
    let Ok(now) = fs::symlink_metadata(path) else { return };
    give_what(path, &now, 0, |user, group| lchown(path, user, group), |_| Ok(()));
}

fn give_what(
    path: &Path,
    now: &Metadata,
    mode: u32,
    change_owner: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>,
    set_mode: impl FnOnce(u32) -> io::Result<()>,
) {
    let Some(folder) = folder_of(path) else { return };
    if is_root() && (now.uid(), now.gid()) != (folder.uid(), folder.gid()) {
        let _ = change_owner(Some(folder.uid()), Some(folder.gid()));
    }
    if mode != 0 && is_shared(&folder) {
        let is_groups = now.gid() == folder.gid() || change_owner(None, Some(folder.gid())).is_ok();
        if is_groups {
            let _ = set_mode(mode | folder.mode() & GROUP & (mode >> 3));
        }
    }
}

/// Whether a folder is open to its group and closed to others.
fn is_shared(folder: &Metadata) -> bool {
    folder.mode() & OTHERS == 0 && folder.mode() & GROUP != 0
}

fn folder_of(path: &Path) -> Option<Metadata> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder).ok()
}

fn is_root() -> bool {
    geteuid().is_root()
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User(pub u32);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(&name),
            None => write!(f, "user {}", self.0),
        }
    }
}

impl User {
    /// The name that `/etc/passwd` has; none for a user from elsewhere.
    #[must_use]
    pub fn name(self) -> Option<String> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(self.0)).then(|| name.to_owned())
        })
    }
}

/// A folder's owner and group, if this process is root's and the folder another user's.
#[must_use]
pub fn other_owner(folder: &Path) -> Option<(User, u32)> {
    let folder = fs::metadata(folder).ok()?;
    (is_root() && folder.uid() != 0).then(|| (User(folder.uid()), folder.gid()))
}

/// Does `work` on a thread with this user's rights and groups; for root. `group` is for a user without groups.
///
/// # Errors
/// If root has no right to become this user.
pub fn as_user<T: Send>(user: User, group: u32, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let groups = groups(user).unwrap_or_else(|| vec![group]);
    let first = Gid::from_raw(*groups.first().unwrap_or(&group));
    let groups: Vec<_> = groups.into_iter().map(Gid::from_raw).collect();
    let id = Uid::from_raw(user.0);
    let become_and_work = || {
        set_thread_groups(&groups)?;
        set_thread_res_gid(first, first, first)?;
        set_thread_res_uid(id, id, id)?;
        io::Result::Ok(work())
    };
    thread::scope(|scope| scope.spawn(become_and_work).join())
        .unwrap_or_else(|_| Err(io::Error::other("the work has panicked")))
}

/// The groups of a user, the primary group first.
fn groups(user: User) -> Option<Vec<u32>> {
    let output = Command::new("id").args(["-G", &user.0.to_string()]).output().ok()?;
    let groups = String::from_utf8(output.stdout).ok()?;
    let groups: Vec<_> = groups.split_ascii_whitespace().filter_map(|group| group.parse().ok()).collect();
    (!groups.is_empty()).then_some(groups)
}

/// The command's user is not the folder's owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{folder} belongs to {owner}, and {user} runs this command: run it as {owner} (`sudo -u {owner} nameplate …`), or as root"
)]
pub struct WrongUser {
    folder: String,
    owner: User,
    user: User,
}

/// Checks that the owner of `folder` can read this user's files in it. Root gives its files to the owner.
///
/// # Errors
/// If the owner can't.
pub fn check(folder: &Path) -> Result<(), WrongUser> {
    let (Ok(there), user) = (fs::metadata(folder), geteuid()) else { return Ok(()) };
    let may =
        user.is_root() || user.as_raw() == there.uid() || is_shared(&there) && there.mode() & 0o020 != 0;
    if may {
        return Ok(());
    }
    Err(WrongUser {
        folder: folder.display().to_string(),
        owner: User(there.uid()),
        user: User(user.as_raw()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_group_has_access_where_the_folder_gives_it_and_is_closed_to_others() {
        for (folder_mode, expected) in
            [(0o700, 0o600), (0o755, 0o600), (0o750, 0o640), (0o770, 0o660), (0o777, 0o600)]
        {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(folder_mode)).unwrap();
            let path = folder.path().join("file");
            create(&path).unwrap();
            assert_eq!(mode(&path), expected, "{folder_mode:o}");
            let inner = folder.path().join("lists");
            create_folder(&inner).unwrap();
            let shared = if expected == 0o600 { 0 } else { folder_mode & GROUP };
            assert_eq!(mode(&inner), 0o700 | shared, "{folder_mode:o}");
            assert_eq!(check(folder.path()), Ok(()));
        }
    }

    #[test]
    fn roots_files_belong_to_the_folders_owner() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(4711), Some(4712)).unwrap();
        let owner = |path: &Path| fs::metadata(path).map(|there| (there.uid(), there.gid())).unwrap();
        let inner = folder.path().join("lists");
        create_folder(&inner).unwrap();
        create(&inner.join("a.list")).unwrap();
        open(&folder.path().join("lock")).unwrap();
        // What root has left there before is given back as well.
        fs::write(inner.join("b.list"), "old").unwrap();
        create(&inner.join("b.list")).unwrap();
        for path in ["lists", "lists/a.list", "lists/b.list", "lock"] {
            assert_eq!(owner(&folder.path().join(path)), (4711, 4712), "{path}");
        }
        assert_eq!(other_owner(folder.path()), Some((User(4711), 4712)));
        assert_eq!(User(4711).to_string(), "user 4711");
        assert_eq!(User(0).to_string(), "root");
    }

    #[test]
    fn a_link_that_the_services_user_has_made_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, outside) = (folder.path().join("state"), folder.path().join("outside"));
        fs::create_dir(&ours).unwrap();
        fs::write(&outside, "as it was").unwrap();
        if is_root() {
            chown(&ours, Some(4711), Some(4712)).unwrap();
        }
        let before = fs::metadata(&outside).unwrap();
        for (name, target) in [("there", &outside), ("not there", &folder.path().join("none"))] {
            let link = ours.join(name);
            symlink(target, &link).unwrap();
            assert!(open(&link).is_err(), "{name}");
            create(&link).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{name}");
        }
        let after = fs::metadata(&outside).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "as it was");
        assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
        assert!(!folder.path().join("none").exists());

        let inner = ours.join("lists");
        symlink(folder.path(), &inner).unwrap();
        // Root's own link is to another disk.
        create_folder(&inner).unwrap();
        if is_root() {
            lchown(&inner, Some(4711), Some(4712)).unwrap();
            assert!(create_folder(&inner).unwrap_err().to_string().contains("link"));
        }
        assert_ne!(fs::metadata(folder.path()).unwrap().uid(), 4711);
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("lock");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(open(&pipe).is_err());
    }

    #[test]
    fn what_is_tried_as_another_user_is_that_users() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root's");
        create(&path).unwrap();
        let tried = as_user(User(4711), 4712, || (geteuid().as_raw(), fs::read(&path).is_ok())).unwrap();
        assert_eq!(tried, (4711, false));
        assert!(is_root() && fs::read(&path).is_ok());
    }
}
