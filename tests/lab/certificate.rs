//! Certificates for a PBX's HTTP server, made by openssl for one test.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// A server's certificate with its key, for `127.0.0.1`; as PEM.
pub(crate) struct Certificate {
    /// The certificate, and behind it the key: what `tlscertfile` of `http.conf` takes.
    pub with_key: String,
    /// What a client has to trust.
    pub authority: String,
}

impl Certificate {
    /// As administrators make them, and as they are found on most PBXs: signed by itself, and marked as an authority's,
    /// as `openssl req -x509` does. Valid for so many days: with 0 it has expired.
    pub(crate) fn self_signed(days: u32) -> Self {
        Self::by_itself(days, "TRUE")
    }

    /// Signed by itself, and not marked as an authority's.
    pub(crate) fn of_no_authority(days: u32) -> Self {
        Self::by_itself(days, "FALSE")
    }

    fn by_itself(days: u32, is_authority: &str) -> Self {
        let folder = Folder::new();
        folder
            .request(&format!("subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:{is_authority}\n"));
        folder.openssl(&format!(
            "x509 -req -in request -signkey server.key -days {days} -extfile extensions -out server.pem"
        ));
        until_over(days);
        let certificate = folder.read("server.pem");
        Self { with_key: certificate.clone() + &folder.read("server.key"), authority: certificate }
    }

    /// The name of the host that a signed certificate is for, besides `127.0.0.1`.
    pub(crate) const HOST: &str = "crm.lab";

    /// Signed by an authority, and valid for so many days: with 0 it has expired.
    pub(crate) fn signed(days: u32) -> Self {
        let folder = Folder::new();
        folder.openssl(&format!(
            "req -x509 {KEY} -keyout authority.key -out authority.pem -days 30 -subj /CN=lab"
        ));
        let host = Self::HOST;
        folder.request(&format!("subjectAltName=IP:127.0.0.1,DNS:{host}\nbasicConstraints=CA:FALSE\n"));
        folder.openssl(&format!(
            "x509 -req -in request -CA authority.pem -CAkey authority.key -CAcreateserial -days {days} -extfile extensions -out server.pem"
        ));
        until_over(days);
        Self {
            with_key: folder.read("server.pem") + &folder.read("server.key"),
            authority: folder.read("authority.pem"),
        }
    }
}

/// A certificate is valid for the whole second in which it ends.
fn until_over(days: u32) {
    if days == 0 {
        sleep(Duration::from_millis(1_100));
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A server's key, and the request for its certificate with these extensions.
    fn request(&self, extensions: &str) {
        fs::write(self.0.path().join("extensions"), extensions).expect("a file");
        self.openssl(&format!("req {KEY} -keyout server.key -out request -subj /CN=pbx"));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("what openssl has made")
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.0.path()).stdin(Stdio::null());
        let output = command.output().expect("openssl, which setup.sh installs");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
