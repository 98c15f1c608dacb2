//! The Debian package, made of the program that all tests run. `make package` builds another one, on Debian 12.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test without its lab has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::nameplate::project;

/// A version that is older than the program's, and one that is newer.
pub(crate) const OLD: &str = "0.0.9";
pub(crate) const NEW: &str = "9.0.0";

/// The folder with the same program packed as two versions: [`name`]s both.
pub(crate) fn folder() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let _ = fs::remove_dir_all(&folder);
        let built = folder.join("release/nameplate");
        fs::create_dir_all(built.parent().unwrap()).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_nameplate"), &built).unwrap();
        for version in [OLD, NEW] {
            pack(&folder, version);
        }
        folder
    })
}

/// The package's file in [`folder`].
pub(crate) fn name(version: &str) -> String {
    format!("nameplate-{version}.deb")
}

fn pack(target: &Path, version: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    // gzip is quick; `make package` takes xz.
    cargo.args(["deb", "--no-build", "--no-strip", "--locked", "--compress-type=gz", "--compress-system"]);
    cargo.args(["--deb-version", version, "--output"]).arg(target.join(name(version)));
    cargo.current_dir(project()).env("CARGO_TARGET_DIR", target);
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\nWithout cargo-deb: `make deb` installs it.");
    assert!(!said.contains("warning"), "{said}");
}
