//! Panics, which are mistakes of our own: how far one reaches, and that the log has where it was, not what it says.
//! That may be made of a caller's number, or of a record.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use futures_util::FutureExt;
use tracing::error;

use crate::observe::mask;

/// Work that has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a panic, which is a mistake in nameplate itself")]
pub struct Panicked;

/// Does `work`, whose panic is an error. For work that leaves nothing half done to those who use it after.
pub async fn contained<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

/// Does `work` on a thread that answers no calls.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
    // Nobody takes back work that we wait for, so that there is no other failure.
    tokio::task::spawn_blocking(work).await.map_err(|_| Panicked)
}

/// From now on each panic of the process is a line of the log, instead of whatever it says on standard error.
pub fn log() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(%place, "a panic, which is a mistake in nameplate itself: {}", said(panic));
    }));
}

/// What it says, where logs may show numbers and names.
fn said<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    if mask::is_on() { "`mask` hides what it says" } else { panic.payload_as_str().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;
    use crate::observe::logging::{self, Format};

    /// In a process of its own: what becomes of panics is one switch for all of it.
    #[test]
    fn the_log_has_where_a_panic_was_and_what_it_says_only_unmasked() {
        const MASK: &str = "NAMEPLATE_TEST_MASK";
        if let Ok(mask) = std::env::var(MASK) {
            let _logging =
                logging::start(logging::Settings { format: Format::Json, mask: mask == "on" }, "error");
            thread::spawn(|| panic!("no +4722334455 of Kari")).join().unwrap_err();
            return;
        }
        let name = "observe::panics::tests::the_log_has_where_a_panic_was_and_what_it_says_only_unmasked";
        for mask in ["on", "off"] {
            let mut test = Command::new(std::env::current_exe().unwrap());
            let output = test.args([name, "--exact", "--nocapture"]).env(MASK, mask).output().unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
            let line: serde_json::Value = serde_json::from_str(&log).expect(&log);
            assert!(line["place"].as_str().unwrap().starts_with("src/observe/panics.rs:"), "{log}");
            assert_eq!(log.contains("22334455") || log.contains("Kari"), mask == "off", "{log}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_that_does_not_repeat_it() {
        let awaited = contained(async { panic!("+4722334455") }).await.map(|(): ()| ());
        let beside = blocking(|| panic!("+4722334455")).await.map(|(): ()| ());
        for ended in [awaited, beside] {
            assert!(!format!("{:#} {0:?}", anyhow::Error::from(ended.unwrap_err())).contains("22334455"));
        }
        assert_eq!(contained(async { 7 }).await, Ok(7));
        assert_eq!(blocking(|| 7).await, Ok(7));
    }
}
