//! The metrics of the service, for `/metrics`: one struct whose doc comments are the help texts.
//!
//! A metric is a count or a time that an administrator would set an alarm on, or would look at when calls ring without
//! names. A label has few values, all known at the start: the name of a PBX, the name of a source, an outcome. A number, a
//! name, a channel or an error's text is never in a label.
//!
//! On a call's way counting is an atomic addition: the counters of a PBX ([`Pbx`]) are looked up once, when the service
//! starts. Each handle also works without a registry (`default()`), for commands and tests.
//!
//! - `handles`: the counters of one PBX, one list, one source …
//! - `labels`: the labels and their values
//! - `histogram`: times, counted without a lock
//! - `age`: the seconds since an event

mod age;
mod handles;
mod histogram;
mod labels;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use age::Age;
pub use handles::{Directory, List, Pbx, Port, Search, Web};
pub use histogram::Histogram;
use labels::{
    CallLabels, ListLabels, OutcomeLabels, PbxLabels, RefreshLabels, RefusalLabels, SearchLabels,
    SectionLabels,
};
pub use labels::{Outcome, Refusal};

/// The prefix of every metric's name.
const PREFIX: &str = "nameplate";

/// Makes the struct and registers each field under its own name, with its doc comment as the help text.
macro_rules! metrics {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[doc = $help:literal])+ $field:ident: $kind:ty,)+ }) => {
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
                    let $field = <$kind>::default();
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
        /// Calls by PBX and by what they were answered; `unserved` were left to the dialplan without an answer.
        calls: Family<CallLabels, Counter>,
        /// From a call's event to its answer on the way to Asterisk.
        answer_seconds: Family<PbxLabels, Histogram>,
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
        /// Numbers in the directory.
        directory_numbers: Gauge,
        /// Since the directory was put in place; it is replaced only when a list has changed.
        directory_age_seconds: Age,
        /// Since a list was last known to be the source's: it was taken, or the source said that nothing has changed.
        list_age_seconds: Family<ListLabels, Age>,
        /// Refreshes by source, list and outcome; `held` lists look like a mass loss and are not taken.
        refreshes: Family<RefreshLabels, Counter>,
        /// Searches for callers whom no list knows, by source and outcome; `dropped` ones found the queue full, or the source at rest after a failure.
        searches: Family<SearchLabels, Counter>,
        /// Answers that were kept from an earlier call.
        kept_answers_hits: Counter,
        /// Answers that had to be found in the directory.
        kept_answers_misses: Counter,
        /// Answers that made room for newer ones.
        kept_answers_evictions: Counter,
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
        let call = |outcome: Outcome| {
            let labels = CallLabels { pbx: name.to_owned(), outcome: outcome.as_str() };
            self.calls.get_or_create_owned(&labels)
        };
        Pbx {
            calls: Outcome::ALL.map(call),
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
        let lookup = |outcome: Outcome| {
            self.web_lookups.get_or_create_owned(&OutcomeLabels { outcome: outcome.as_str() })
        };
        Web { lookups: Outcome::ALL.map(lookup), wrong_tokens: self.web_wrong_tokens.clone() }
    }

    /// The counters of one list of a source, by their names in the configuration.
    #[must_use]
    pub fn list(&self, source: &str, list: &str) -> List {
        let (source, list) = (source.to_owned(), list.to_owned());
        let refresh = |outcome| {
            let labels = RefreshLabels { source: source.clone(), list: list.clone(), outcome };
            self.refreshes.get_or_create_owned(&labels)
        };
        List {
            taken: refresh("taken"),
            unchanged: refresh("unchanged"),
            held: refresh("held"),
            failed: refresh("failed"),
            age: self
                .list_age_seconds
                .get_or_create_owned(&ListLabels { source: source.clone(), list: list.clone() }),
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
            nobody: search("nobody"),
            failed: search("failed"),
            dropped: search("dropped"),
        }
    }

    /// The counters of the resolver.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory {
            numbers: self.directory_numbers.clone(),
            age: self.directory_age_seconds.clone(),
            hits: self.kept_answers_hits.clone(),
            misses: self.kept_answers_misses.clone(),
            evictions: self.kept_answers_evictions.clone(),
        }
    }

    /// All metrics as `OpenMetrics` text, which Prometheus reads.
    pub fn write(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
