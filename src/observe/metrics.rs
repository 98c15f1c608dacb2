//! The metrics of the service, for `/metrics`: one struct whose doc comments are the help texts.
//!
//! A metric is a count or a time that an administrator would set an alarm on, or would look at when calls ring without
//! names. A label has few values, all known at the start: the name of a PBX, the name of a source, an outcome. A number, a
//! name, a channel or an error's text is never in a label.
//!
//! On a call's way counting is an atomic addition: the counters of a PBX ([`Pbx`]) are looked up once, when the service
//! starts. Each handle also works without a registry (`default()`), for commands and tests.
//!
//! - [`Metrics`]: all of them
//! - [`Pbx`], [`List`] …: the counters of one PBX, one list, one source; `list`: those of a list
//! - `share`: those of the replicas
//! - `answer_times`: the answer times of all PBXs together, for a page
//! - `labels`: the labels and their values
//! - `forget`: what is no longer in the configuration
//! - `text`: the two forms of the text

mod answer_times;
mod forget;
mod labels;
mod list;
mod share;
mod text;

use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use answer_times::AnswerTimes;
use labels::{
    BuildLabels, CallLabels, ListLabels, OutcomeLabels, PbxLabels, RefreshLabels, RefusalLabels,
    SearchLabels, SectionLabels, SiteLabels,
};
pub use labels::{CallOutcome, Refusal};
pub use list::List;
pub use share::Share;
pub use text::Form;

/// The prefix of every metric's name.
const PREFIX: &str = "nameplate";

/// Upper bounds of answer times, in seconds: from what a lookup takes to where the dialplan has long given up (0.5 s).
const BOUNDS: [f64; 16] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0,
];

/// A time in seconds: since 1970, UTC, or how long something takes; 0 before it was set.
type Seconds = Gauge<f64, AtomicU64>;

fn set_now(timestamp: &Seconds) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    timestamp.set(now.as_secs_f64());
}

/// Makes the struct and registers each field under its own name, with its doc comment as the help text.
macro_rules! metrics {
    (@start) => { Default::default() };
    (@start $start:expr) => { $start };
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[doc = $help:literal])+ $field:ident: $kind:ty $(= $start:expr)?,)+ }) => {
        $(#[$outer])*
        pub struct $name {
            $($(#[doc = $help])+ $field: $kind,)+
            /// All of the above, for [`Self::write`].
            registry: Registry,
        }

        impl $name {
            /// All metrics at zero.
            #[must_use]
            pub fn new() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                $(
                    let $field: $kind = metrics!(@start $($start)?);
                    // The registry ends each help text with a full stop of its own.
                    let help = concat!($($help),+).trim().trim_end_matches('.');
                    registry.register(stringify!($field), help, $field.clone());
                )+
                Self { $($field,)+ registry }
            }
        }
    };
}

metrics! {
    /// All metrics of the service.
    #[derive(Debug)]
    pub struct Metrics {
        /// The running build, with the value 1: its version, and the processor and system that it is made for.
        build_info: Family<BuildLabels, Gauge>,
        /// Calls by PBX and by what they were answered; `unserved` were left to the dialplan without an answer.
        calls: Family<CallLabels, Counter>,
        /// From a call's event to its answer on the way to Asterisk.
        answer_seconds: Family<PbxLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BOUNDS)),
        /// Answers that a PBX did not take: the call went on without its name.
        handoff_failures: Family<PbxLabels, Counter>,
        /// Whether a PBX is connected, 1 or 0.
        asterisk_connected: Family<PbxLabels, Gauge>,
        /// Whether a PBX refuses the service, 1 or 0, by reason; the log says what to do.
        asterisk_refused: Family<RefusalLabels, Gauge>,
        /// Connections to a PBX after its first one.
        asterisk_reconnects: Family<PbxLabels, Counter>,
        /// Calls over FastAGI that wanted a script which is not ours: their dialplan looks for another server at this port.
        agi_foreign_scripts: Counter,
        /// Whether the port of a section of the configuration is listened on, 1 or 0.
        listening: Family<SectionLabels, Gauge>,
        /// Attempts to listen that failed; there is another one every few seconds.
        listen_failures: Family<SectionLabels, Counter>,
        /// Lookups over HTTP by what they were answered.
        web_lookups: Family<OutcomeLabels, Counter>,
        /// Requests over HTTP that were refused because they showed a wrong token.
        web_wrong_tokens: Counter,
        /// Logins on the web pages that were refused because the name, the password or the token was wrong.
        web_wrong_logins: Counter,
        /// Numbers in the directory.
        directory_numbers: Gauge,
        /// When the directory was put in place, in seconds since 1970; it is replaced only when a list has changed.
        directory_placed_timestamp_seconds: Seconds,
        /// When a list was last known to be the source's, in seconds since 1970: it was taken, or the source said that nothing has changed; 0 for never.
        list_success_timestamp_seconds: Family<ListLabels, Seconds>,
        /// How often a list is asked for, in seconds: `refresh` of its source. A slow source is asked four times as rarely.
        list_refresh_seconds: Family<ListLabels, Seconds>,
        /// Whether a list that looks like a mass loss is held back, 1 or 0; the known one stays in use.
        list_held: Family<ListLabels, Gauge>,
        /// Refreshes by source, list and outcome; `held` lists look like a mass loss and are not taken.
        refreshes: Family<RefreshLabels, Counter>,
        /// Whether the server through which the replicas of a site share lists answers, 1 or 0; without it each asks by itself.
        share_up: Family<SiteLabels, Gauge>,
        /// Whether this replica asks the CRM for all replicas of its site, 1 or 0.
        share_holder: Family<SiteLabels, Gauge>,
        /// Searches for callers whom no list knows, by source and outcome; `dropped` ones found the queue full, or the source at rest after a failure.
        searches: Family<SearchLabels, Counter>,
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// The counters of the PBX with this name in the configuration. `/metrics` shows them from now on, as zeros.
    #[must_use]
    pub fn pbx(&self, name: &str) -> Pbx {
        let pbx = PbxLabels { pbx: name.to_owned() };
        let refused = |refusal: Refusal| {
            let labels = RefusalLabels { pbx: name.to_owned(), reason: refusal.as_str() };
            self.asterisk_refused.get_or_create_owned(&labels)
        };
        let call = |outcome: CallOutcome| {
            let labels = CallLabels { pbx: name.to_owned(), outcome: outcome.as_str() };
            self.calls.get_or_create_owned(&labels)
        };
        Pbx {
            calls: CallOutcome::ALL.map(call),
            answer_seconds: self.answer_seconds.get_or_create_owned(&pbx),
            handoff_failures: self.handoff_failures.get_or_create_owned(&pbx),
            connected: self.asterisk_connected.get_or_create_owned(&pbx),
            refused: Refusal::ALL.map(refused),
            reconnects: self.asterisk_reconnects.get_or_create_owned(&pbx),
            foreign_scripts: self.agi_foreign_scripts.clone(),
        }
    }

    /// The counters of a section that listens: `agi` or `web`.
    #[must_use]
    pub fn port(&self, section: &'static str) -> Port {
        let labels = SectionLabels { section };
        Port {
            listening: self.listening.get_or_create_owned(&labels),
            failures: self.listen_failures.get_or_create_owned(&labels),
        }
    }

    /// The counters of the web server.
    #[must_use]
    pub fn web(&self) -> Web {
        let lookup = |outcome: CallOutcome| {
            self.web_lookups.get_or_create_owned(&OutcomeLabels { outcome: outcome.as_str() })
        };
        Web {
            lookups: CallOutcome::ALL.map(lookup),
            wrong_tokens: self.web_wrong_tokens.clone(),
            wrong_logins: self.web_wrong_logins.clone(),
        }
    }

    /// The counters of one list of a source, by their names in the configuration. The list is asked for every `refresh`.
    #[must_use]
    pub fn list(&self, source: &str, list: &str, refresh: Duration) -> List {
        let (source, list) = (source.to_owned(), list.to_owned());
        let labels = ListLabels { source: source.clone(), list: list.clone() };
        let refresh_seconds = self.list_refresh_seconds.get_or_create_owned(&labels);
        refresh_seconds.set(refresh.as_secs_f64());
        let outcome = |outcome| {
            let labels = RefreshLabels { source: source.clone(), list: list.clone(), outcome };
            self.refreshes.get_or_create_owned(&labels)
        };
        List {
            taken: outcome("taken"),
            unchanged: outcome("unchanged"),
            held: outcome("held"),
            failed: outcome("failed"),
            succeeded: self.list_success_timestamp_seconds.get_or_create_owned(&labels),
            refresh_seconds,
            is_held: self.list_held.get_or_create_owned(&labels),
        }
    }

    /// The counters of the searches in a source, by its name in the configuration.
    #[must_use]
    pub fn search(&self, source: &str) -> Search {
        let search = |outcome| {
            let labels = SearchLabels { source: source.to_owned(), outcome };
            self.searches.get_or_create_owned(&labels)
        };
        Search {
            found: search("found"),
            not_found: search("nobody"),
            failed: search("failed"),
            dropped: search("dropped"),
        }
    }

    /// The state of this replica among those of its site.
    #[must_use]
    pub fn share(&self, site: &str) -> Share {
        let labels = SiteLabels { site: site.to_owned() };
        Share {
            up: self.share_up.get_or_create_owned(&labels),
            holder: self.share_holder.get_or_create_owned(&labels),
        }
    }

    /// The counters of the resolver.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory {
            numbers: self.directory_numbers.clone(),
            placed: self.directory_placed_timestamp_seconds.clone(),
        }
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// If a metric can't be written, which is a mistake in it.
    pub fn write(&self, form: Form) -> Result<String, std::fmt::Error> {
        self.build_info.get_or_create(&BuildLabels::of_this_build()).set(1);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(if form == Form::Plain { text::plain(&text) } else { text })
    }
}

/// The counters of one PBX.
#[derive(Clone, Debug)]
pub struct Pbx {
    /// By [`CallOutcome`].
    calls: [Counter; 4],
    answer_seconds: Histogram,
    handoff_failures: Counter,
    connected: Gauge,
    /// By [`Refusal`].
    refused: [Gauge; 6],
    reconnects: Counter,
    foreign_scripts: Counter,
}

impl Default for Pbx {
    fn default() -> Self {
        Metrics::new().pbx("")
    }
}

impl Pbx {
    /// A call has its answer, `took` after its event.
    pub fn answered(&self, outcome: CallOutcome, took: Duration) {
        self.calls[outcome as usize].inc();
        self.answer_seconds.observe(took.as_secs_f64());
    }

    /// A call goes on in the dialplan without an answer.
    pub fn unserved(&self) {
        self.calls[CallOutcome::Unserved as usize].inc();
    }

    /// The PBX has not taken an answer.
    pub fn handoff_failed(&self) {
        self.handoff_failures.inc();
    }

    /// Sets whether the PBX is connected.
    pub fn set_connected(&self, connected: bool) {
        self.connected.set(connected.into());
    }

    /// Sets why the PBX refuses the service; none where it does not.
    pub fn set_refused(&self, why: Option<Refusal>) {
        for (refusal, gauge) in Refusal::ALL.into_iter().zip(&self.refused) {
            gauge.set((why == Some(refusal)).into());
        }
    }

    /// A call has asked for the script of another FastAGI server.
    pub fn foreign_script(&self) {
        self.foreign_scripts.inc();
    }

    /// The PBX is connected again.
    pub fn reconnected(&self) {
        self.reconnects.inc();
    }
}

/// The counters of one port.
#[derive(Clone, Debug, Default)]
pub struct Port {
    listening: Gauge,
    failures: Counter,
}

impl Port {
    /// The service listens on it.
    pub fn taken(&self) {
        self.listening.set(1);
    }

    /// An attempt to listen has failed.
    pub fn failed(&self) {
        self.listening.set(0);
        self.failures.inc();
    }
}

/// The counters of the web server.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// By [`CallOutcome`].
    lookups: [Counter; 4],
    wrong_tokens: Counter,
    wrong_logins: Counter,
}

impl Web {
    /// A lookup has its answer.
    pub fn answered(&self, outcome: CallOutcome) {
        self.lookups[outcome as usize].inc();
    }

    /// A wrong token was shown.
    pub fn wrong_token(&self) {
        self.wrong_tokens.inc();
    }

    /// A login was wrong.
    pub fn wrong_login(&self) {
        self.wrong_logins.inc();
    }
}

/// The counters of the searches in one source.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The source has a record with the number.
    pub found: Counter,
    /// No record has the number.
    pub not_found: Counter,
    /// The search has failed.
    pub failed: Counter,
    /// The search was not started.
    pub dropped: Counter,
}

/// The counters of the resolver.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    numbers: Gauge,
    placed: Seconds,
}

impl Directory {
    /// A new directory is in use, with so many numbers.
    pub fn placed(&self, numbers: usize) {
        self.numbers.set(i64::try_from(numbers).unwrap_or(i64::MAX));
        set_now(&self.placed);
    }
}

#[cfg(test)]
mod tests;
