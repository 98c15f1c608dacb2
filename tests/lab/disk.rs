//! A disk that can be full.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::path::PathBuf;
use std::process::Command;

use super::nameplate::Folder;

/// A file system of its own for the `state` of a folder, with so much room and these options. Gone with the test. Root
/// may make one.
pub(crate) struct Mounted(pub PathBuf);

impl Mounted {
    /// Before the program has anything there.
    ///
    /// # Panics
    /// When it can't be mounted.
    pub(crate) fn new(folder: &Folder, options: &str) -> Self {
        let state = folder.path("state");
        std::fs::create_dir_all(&state).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&state).status();
        assert!(mounted.is_ok_and(|status| status.success()), "mount {}", state.display());
        Self(state)
    }

    /// Other options from now on.
    ///
    /// # Panics
    /// When it can't be mounted so.
    pub(crate) fn change(&self, options: &str) {
        let changed = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status();
        assert!(changed.is_ok_and(|status| status.success()), "remount,{options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
