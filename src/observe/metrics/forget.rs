//! What is no longer in the configuration is no longer in the metrics: a PBX that is gone must not look like one that is not
//! connected.

use super::Metrics;
use super::labels::{
    CallLabels, CallOutcome, ListLabels, PbxLabels, RefreshLabels, Refusal, RefusalLabels, SearchLabels,
};

impl Metrics {
    /// `/metrics` no longer shows the PBX with this name: it is not in the configuration any more.
    pub fn forget_pbx(&self, name: &str) {
        let pbx = PbxLabels { pbx: name.to_owned() };
        for outcome in CallOutcome::ALL {
            self.calls.remove(&CallLabels { pbx: name.to_owned(), outcome: outcome.as_str() });
        }
        for reason in Refusal::ALL.map(Refusal::as_str) {
            self.asterisk_refused.remove(&RefusalLabels { pbx: name.to_owned(), reason });
        }
        self.answer_seconds.remove(&pbx);
        self.handoff_failures.remove(&pbx);
        self.asterisk_connected.remove(&pbx);
        self.asterisk_reconnects.remove(&pbx);
    }

    /// `/metrics` no longer shows this list of a source.
    pub fn forget_list(&self, source: &str, list: &str) {
        let (source, list) = (source.to_owned(), list.to_owned());
        for outcome in ["taken", "unchanged", "held", "failed"] {
            let labels = RefreshLabels { source: source.clone(), list: list.clone(), outcome };
            self.refreshes.remove(&labels);
        }
        let labels = ListLabels { source, list };
        self.list_success_timestamp_seconds.remove(&labels);
        self.list_refresh_seconds.remove(&labels);
        self.list_held.remove(&labels);
    }

    /// `/metrics` no longer shows the searches in this source.
    pub fn forget_search(&self, source: &str) {
        for outcome in ["found", "nobody", "failed", "dropped"] {
            self.searches.remove(&SearchLabels { source: source.to_owned(), outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Form;

    #[test]
    fn nothing_of_it_is_left() {
        let metrics = Metrics::new();
        let before = metrics.write(Form::Plain).unwrap();
        let pbx = metrics.pbx("gone");
        metrics.list("gone", "gone-1", std::time::Duration::from_mins(1)).taken();
        metrics.search("gone").found.inc();
        pbx.answered(CallOutcome::Found, std::time::Duration::from_millis(1));
        pbx.set_connected(true);
        assert!(metrics.write(Form::Plain).unwrap().contains("gone"));
        metrics.forget_pbx("gone");
        metrics.forget_list("gone", "gone-1");
        metrics.forget_search("gone");
        // A connection that is being closed counts in vain.
        pbx.set_connected(false);
        assert_eq!(metrics.write(Form::Plain).unwrap(), before);
    }
}
