//! The text of the metrics, in the two forms that Prometheus and its relatives read.
//!
//! `prometheus-client` writes `OpenMetrics`. The older form, which every reader knows, differs from what it writes in two points
//! alone, so it is made from the same text. A second library would count everything a second time.

use std::collections::HashSet;

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' own text format, version 0.0.4.
    Plain,
}

/// Makes the older form of an `OpenMetrics` text: there `# HELP` and `# TYPE` have the whole name of a counter, with `_total`, and no
/// line marks the end.
pub(super) fn plain(text: &str) -> String {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: HashSet<_> = types.filter_map(|line| line.strip_suffix(" counter")).collect();
    let mut plain = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(about), Some(name), Some(rest)) if counters.contains(name) => {
                plain.extend(["# ", about, " ", name, "_total ", rest, "\n"]);
            }
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
}
