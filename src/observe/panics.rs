//! Panics, which are bugs of Nameplate: how far a panic reaches, and what the log has of it. The log has the place in the
//! source, but not the message, because the message may contain a caller's number or a record.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use futures_util::FutureExt;
use tracing::error;

use crate::observe::mask;

/// Work that has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a panic, which is a mistake in nameplate itself")]
pub struct Panicked;

/// Does `work`, and turns a panic into an error. Only for work that leaves no shared data half changed.
pub async fn contained<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

/// The same for work that does not wait.
pub fn contained_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Does `work` on a thread for blocking work, where no call waits for it.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
    // A panic is the only failure: the work is never aborted.
    tokio::task::spawn_blocking(work).await.map_err(|_| Panicked)
}

/// From now on each panic of the process is a line of the log, in place of its message on stderr.
pub fn log() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(%place, "a panic, which is a mistake in nameplate itself: {}", message(panic));
    }));
}

/// The panic's message, if the log is not masked.
fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    if mask::is_on() { "`mask` hides what it says" } else { panic.payload_as_str().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;
    use crate::observe::logging::{self, Format, LogLevel};

    /// In a process of its own: the panic hook is one for the whole process.
    #[test]
    fn the_log_has_the_place_of_a_panic_and_its_message_only_unmasked() {
        const MASK: &str = "NAMEPLATE_TEST_MASK";
        if let Ok(mask) = std::env::var(MASK) {
            let level = LogLevel::Error;
            let settings = logging::Settings { format: Format::Json, level, mask: mask == "on" };
            let _logging = logging::start(settings, level);
            thread::spawn(|| panic!("no +4722334455 of Kari")).join().unwrap_err();
            return;
        }
        let name = "observe::panics::tests::the_log_has_the_place_of_a_panic_and_its_message_only_unmasked";
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
    async fn a_panic_is_an_error_without_its_message() {
        let awaited = contained(async { panic!("+4722334455") }).await.map(|(): ()| ());
        let beside = blocking(|| panic!("+4722334455")).await.map(|(): ()| ());
        for ended in [awaited, beside] {
            assert!(!format!("{:#} {0:?}", anyhow::Error::from(ended.unwrap_err())).contains("22334455"));
        }
        assert_eq!(contained(async { 7 }).await, Ok(7));
        assert_eq!(blocking(|| 7).await, Ok(7));
    }
}
