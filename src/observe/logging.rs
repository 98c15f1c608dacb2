//! Logs go to stderr: readable on a terminal, JSON when asked.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::observe::{mask, panics};

/// The environment variable with the log level, instead of the configuration's. In the syntax of `tracing`: `debug`, `nameplate::asterisk=trace`. Lines of
/// other crates below `warn` are never logged.
pub const LEVEL_VARIABLE: &str = "NAMEPLATE_LOG";

/// Lines that may wait to be written: half a minute of 500 calls a second. The buffer, 32 bytes a line, is allocated at the
/// start.
const MAX_WAITING: usize = 16_000;
/// The time after a write in which further lines gather.
const REST: Duration = Duration::from_millis(5);

/// The filter by level; none before logging is started. It can be replaced while the process runs.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The settings of `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How a line is written.
    pub format: Format,
    /// The least important lines that the service logs.
    pub level: LogLevel,
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

/// How much is logged: lines of this level and of those that are more important.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What has failed, and keeps calls from having names.
    Error,
    /// What asks for action.
    Warn,
    /// A line for each call, too.
    #[default]
    Info,
    /// What helps to find a mistake.
    Debug,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Logging works as long as this value lives. Dropping it writes the lines that still wait.
#[must_use]
pub struct Logging {
    _writer: WorkerGuard,
}

/// Starts logging for the whole process, panics included. `level` counts unless [`LEVEL_VARIABLE`] is set: a command logs less than the
/// service does.
///
/// A separate thread writes the lines: a call must not wait for a pipe that nobody reads. It writes the first line at once, and then
/// those of each 5 ms together: a thread that is woken for each line costs more than the lines. When 16,000 lines wait, further
/// lines are dropped.
pub fn start(settings: Settings, level: LogLevel) -> Logging {
    mask::set(settings.mask);
    let level = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level.as_str()));
    let (level, handle) = reload::Layer::new(level);
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_WAITING)
        .finish(Gathered(BufWriter::new(io::stderr())));
    let lines = layer().with_writer(writer).with_ansi(io::stderr().is_terminal()).with_target(false);
    let lines = match settings.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    // A line has to pass both filters: no level that is asked for switches off the second one.
    let started =
        tracing_subscriber::registry().with(level).with(lines).with(filter_fn(may_be_shown)).try_init();
    // An error means only that logging was started before, as in tests.
    if started.is_ok() {
        let _ = LEVEL.set(handle);
    }
    panics::log();
    Logging { _writer: guard }
}

/// Writes lines together: the thread that writes them flushes when no further line waits, and then this rests.
struct Gathered<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.flush();
        thread::sleep(REST);
        flushed
    }
}

/// Applies a changed level and mask while the process runs. The format stays as it was at the start. Returns false if the level
/// stays, because [`LEVEL_VARIABLE`] is set.
pub fn change(settings: Settings) -> bool {
    mask::set(settings.mask);
    if EnvFilter::try_from_env(LEVEL_VARIABLE).is_ok() {
        return false;
    }
    // Without a handle this process logs nothing: only tests do so.
    LEVEL.get().is_none_or(|level| level.reload(EnvFilter::new(settings.level.as_str())).is_ok())
}

/// Whether a line may be shown at any level. Other crates log passwords and callers' numbers (the websocket library logs its
/// handshake and its frames), so of their lines only warnings and errors are shown.
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
    fn only_modules_of_this_crate_are_ours() {
        for ours in ["nameplate", "nameplate::asterisk::ari"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["", "log", "tungstenite::handshake", "nameplate_x", "nameplate:", "x::nameplate"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
