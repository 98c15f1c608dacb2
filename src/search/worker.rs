//! The worker of one source: takes who is wanted from its queue, asks, and keeps what it has found.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{KEPT_FOR, Kept, Known, Wanted, lock};
use crate::backoff::Backoff;
use crate::directory::Directory;
use crate::directory::list::List;
use crate::directory::merge::{Listed, Rules, SharedNumbers, merge_by};
use crate::entry::Entry;
use crate::number::{Number, Reading};
use crate::observe::{mask, metrics, panics};
use crate::source::Source;
use crate::source::superoffice::error::FetchError;

/// The first rest after a failure; it doubles up to the source's own schedule.
const FIRST_REST: Duration = Duration::from_secs(2);

/// What can be searched.
pub(super) trait Searched {
    /// Everybody whom a search for these digits shows. Some may have other numbers.
    fn search(&self, digits: &str) -> impl Future<Output = anyhow::Result<Vec<Entry>>> + Send;
}

impl Searched for Arc<Source> {
    async fn search(&self, digits: &str) -> anyhow::Result<Vec<Entry>> {
        Source::search(self, digits).await
    }
}

/// Searches one source, one caller after the other.
pub(super) struct Worker<Q> {
    name: String,
    source: Q,
    wanted: mpsc::Receiver<Wanted>,
    kept: Kept,
    counted: metrics::Search,
    longest_rest: Duration,
    /// How who was found is judged; without ranges, which are the directory's.
    rules: Rules,
    backoff: Backoff,
    /// After a failure nothing is asked for a while: calls would otherwise set the pace.
    rests_until: Option<Instant>,
    /// The failure that has been reported last.
    reported: Option<String>,
}

impl<Q: Searched> Worker<Q> {
    /// Takes who is `wanted`, and puts who was found where it is `kept`.
    pub(super) fn new(
        name: &str,
        source: Q,
        wanted: mpsc::Receiver<Wanted>,
        kept: Kept,
        counted: metrics::Search,
        longest_rest: Duration,
    ) -> Self {
        Self {
            name: name.to_owned(),
            source,
            wanted,
            kept,
            counted,
            longest_rest,
            rules: Rules::default(),
            backoff: Backoff::new(FIRST_REST, longest_rest),
            rests_until: None,
            reported: None,
        }
    }

    /// The same, with this shown for a number that several have.
    pub(super) fn judging(self, shared: SharedNumbers) -> Self {
        Self { rules: Rules { shared, ..Rules::default() }, ..self }
    }

    pub(super) async fn run(mut self) {
        while let Some(wanted) = self.wanted.recv().await {
            if self.rests_until.is_some_and(|until| until > Instant::now()) {
                self.counted.dropped.inc();
                self.forget(&wanted);
                continue;
            }
            // Whoever calls brings this about, and must not be able to end the service by it.
            let found = panics::contained(self.find(&wanted)).await;
            match found.unwrap_or_else(|panicked| Err(panicked.into())) {
                Ok(found) => {
                    self.keep(found);
                    self.recovered();
                }
                Err(error) => {
                    self.forget(&wanted);
                    self.failed(&error);
                }
            }
        }
    }

    /// What is known of each reading, up to the first one that somebody answers to.
    async fn find(&self, readings: &[Reading]) -> anyhow::Result<Vec<(Number, Option<Directory>)>> {
        let mut shown: Vec<Entry> = Vec::new();
        let mut asked: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for reading in readings {
            for digits in spellings(reading) {
                if !asked.contains(&digits) {
                    shown.extend(self.source.search(&digits).await?);
                    asked.push(digits);
                }
            }
            // A search for digits shows everybody who has them anywhere in a number.
            let list: List = shown.iter().filter(|entry| entry.number == reading.number).cloned().collect();
            if list.is_empty() {
                found.push((reading.number, None));
                continue;
            }
            let entries = Box::new(list.entries());
            let listed = vec![Listed { source: 0, group: 0, entries }];
            let directory = merge_by(&self.rules, std::slice::from_ref(&self.name), listed)?;
            found.push((reading.number, Some(directory)));
            break;
        }
        Ok(found)
    }

    fn keep(&self, found: Vec<(Number, Option<Directory>)>) {
        let until = Instant::now() + KEPT_FOR;
        let somebody = found.iter().any(|(_, directory)| directory.is_some());
        if let Some((number, _)) = found.first() {
            debug!(source = %self.name, caller = %mask::Number(&number.to_string()), somebody, "searched");
        }
        if somebody {
            self.counted.found.inc();
        } else {
            self.counted.nobody.inc();
        }
        let mut kept = lock(&self.kept);
        for (number, directory) in found {
            let known = match directory {
                Some(directory) => Known::Somebody { directory: Arc::new(directory), until },
                None => Known::Nobody { until },
            };
            kept.put(number, known);
        }
    }

    /// As if it had not been asked for.
    fn forget(&self, wanted: &[Reading]) {
        if let Some(reading) = wanted.first() {
            lock(&self.kept).pop(&reading.number);
        }
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.rests_until = None;
        if self.reported.take().is_some() {
            info!(source = %self.name, "searches are answered again");
        }
    }

    /// Rests, and says what went wrong, once: the same failure at each call would bury the others.
    fn failed(&mut self, error: &anyhow::Error) {
        self.counted.failed.inc();
        let cause = error.downcast_ref::<FetchError>();
        let rest = match cause {
            // Trying a refused password again soon locks the account in many a domain.
            Some(FetchError::Refused { .. } | FetchError::Login { .. }) => self.longest_rest,
            cause => cause.and_then(FetchError::retry_after).unwrap_or_default().min(KEPT_FOR),
        };
        let rest = self.backoff.next_wait().max(rest);
        self.rests_until = Some(Instant::now() + rest);
        // How long it wants to be left alone is another text each time.
        let said = match cause {
            Some(FetchError::LeftAlone(_)) => "it asked to be left alone".to_owned(),
            _ => format!("{error:#}"),
        };
        if self.reported.as_ref() == Some(&said) {
            debug!(source = %self.name, ?rest, "again: a search failed: {said}");
        } else {
            warn!(source = %self.name, ?rest, "a search failed, its caller stays without a name: {said}");
        }
        self.reported = Some(said);
    }
}

/// The digits that a number may be found by: the national ones, then those with the calling code. Both are
/// searched for, because two people behind one number may have it stored in two ways.
pub(super) fn spellings(reading: &Reading) -> [String; 2] {
    let e164 = reading.e164().to_string();
    let international = e164.trim_start_matches('+').to_owned();
    let code = reading.number.country_code().to_string();
    let national = international.strip_prefix(&code).unwrap_or_default().to_owned();
    [national, international]
}
