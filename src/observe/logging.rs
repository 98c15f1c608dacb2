//! Logs go to stderr: readable on a terminal, JSON when asked.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::observe::{mask, panics};

/// The variable that says how much is logged, in the syntax of `tracing`: `debug`, `nameplate::asterisk=trace`. Other
/// crates' lines below `warn` are never logged.
pub const LEVEL_VARIABLE: &str = "NAMEPLATE_LOG";

/// Lines that may wait to be written: those of half a minute in which 500 calls a second come. Room for all of them, 32
/// bytes each, is taken at the start.
const MOST_WAITING: usize = 16_000;

/// The settings of `[log]`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How a line is written.
    pub format: Format,
    /// Whether numbers and names are masked.
    pub mask: bool,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging as long as it is kept; what is still to be written is written when it goes.
#[must_use]
pub struct Logging {
    _writer: WorkerGuard,
}

/// Starts logging for the whole process, panics included, with `level` where [`LEVEL_VARIABLE`] does not say
/// otherwise.
///
/// Lines are written by a thread of their own: a log that nobody reads must not hold a call. When 16,000
/// lines wait, further ones are dropped.
pub fn start(settings: Settings, level: &str) -> Logging {
    mask::set(settings.mask);
    let asked = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(MOST_WAITING).finish(io::stderr());
    let lines = layer().with_writer(writer).with_ansi(io::stderr().is_terminal()).with_target(false);
    let lines = match settings.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    // Both filters have to agree, so that nothing that is asked for lifts the second.
    let started =
        tracing_subscriber::registry().with(lines).with(asked).with(filter_fn(may_be_shown)).try_init();
    // The result says only that logging was started already, as in tests.
    drop(started);
    panics::log();
    Logging { _writer: guard }
}

/// Whether a line may be shown, whatever level is asked for. Other crates write passwords and callers' numbers into theirs,
/// as a websocket's library does with its handshake and its frames: of those only what has gone wrong.
fn may_be_shown(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::WARN || is_ours(line.target())
}

fn is_ours(target: &str) -> bool {
    target
        .strip_prefix(env!("CARGO_CRATE_NAME"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_modules_are_ours() {
        for ours in ["nameplate", "nameplate::asterisk::ari"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["", "log", "tungstenite::handshake", "nameplate_x", "nameplate:", "x::nameplate"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
