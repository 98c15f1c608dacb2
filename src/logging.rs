//! Logs go to stderr: readable on a terminal, JSON when asked.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::{mask, panics};

/// The variable that says how much is logged, in the syntax of `tracing`: `debug`, `nameplate::asterisk=trace`.
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
    let mut filter = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // What these log of their own would show passwords and callers' numbers, whatever level is asked for.
    for quiet in [
        "tungstenite=info",
        "tokio_tungstenite=info",
        "hyper=info",
        "hyper_util=info",
        "reqwest=info",
        "h2=info",
    ] {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(MOST_WAITING).finish(io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    // The result says only that logging was started already, as in tests.
    drop(match settings.format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    });
    panics::log();
    Logging { _writer: guard }
}
