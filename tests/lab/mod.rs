//! The lab: everything real that a promise is proved on, and the one stand-in.
//!
//! - [`asterisk`]: a real Asterisk, private, on loopback
//! - [`sip`]: a caller and an operator's phone, for precise checks
//! - [`baresip`]: a real softphone
//! - [`superoffice`]: the stand-in of SuperOffice's server
//! - [`people`]: who is in it
//! - [`nameplate`]: the program under test
//! - [`web`]: a client of its web server
//! - [`call`]: all of it wired together

pub mod asterisk;
pub mod baresip;
pub mod call;
pub mod nameplate;
pub mod people;
pub mod sip;
pub mod superoffice;
pub mod web;

use std::path::PathBuf;
use std::process::Command;

/// Where the softphone is installed: the root with Asterisk 22, or the machine itself.
pub fn softphone_root() -> Option<PathBuf> {
    let script = nameplate::project().join("tests/lab/setup.sh");
    let output = Command::new(script).arg("22").output().expect("setup.sh");
    let root = String::from_utf8_lossy(&output.stdout).lines().last().map(PathBuf::from);
    root.filter(|root| root.join("usr/bin/baresip").exists() && root.parent().is_some())
}
