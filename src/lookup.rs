//! Digits of a caller → [`Resolution`]: the name, and the reasons for it. ARI, FastAGI, HTTP and the commands all use this path.
//!
//! - `resolution`: the answer, also in JSON
//! - `matching`: the entry or the range that answers
//! - `naming`: the name of a person, a company, several companies or a range
//! - `explanation`: the reasons, for an administrator who looks for a mistake
//! - `waiting`: the answer for a call that waits for a search

mod explanation;
mod matching;
mod naming;
mod resolution;
mod waiting;

pub use explanation::{ChoiceKind, Explanation, Listing, Rendering};
pub use resolution::{Certainty, Decided, ReadingOutcome, Reason, Resolution, Status};

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use lru::LruCache;
use tokio::sync::watch;

use crate::directory::ranges::{Range, RangeMatch};
use crate::directory::suppressed::Suppressed;
use crate::directory::{Choice, Company, Directory};
use crate::name::{Doubtful, Style};
use crate::number::{self, Country, Fit, Number, Reading};
use crate::observe::metrics;
use crate::search::{Known, Searches, Searching};
use matching::{Match, beside_hidden, is_hidden, matching, range_of};
use naming::Naming;
use resolution::outcomes;
use waiting::Holds;

/// The longest caller number that is read, in bytes. E.164 has 15 digits; separators and prefixes add some.
pub const MAX_CALLER_BYTES: usize = 64;

/// The most answers that are kept: the callers of a busy call centre in one hour, in about 2 MB.
pub const KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// How one PBX writes the numbers of callers.
#[derive(Clone, Debug)]
pub struct Pbx {
    /// The key of the kept answers. PBXs with the same settings may share an id and their answers. Two settings never have
    /// the same id, not even before and after a reload of the configuration.
    pub id: u32,
    /// The country of the PBX, and the digits that the PBX puts in front.
    pub numbers: number::Settings,
}

impl Pbx {
    /// These settings with an id of their own.
    #[must_use]
    pub fn new(numbers: number::Settings) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), numbers }
    }
}

/// The id has no meaning of its own.
impl PartialEq for Pbx {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

/// Finds the names of callers in the current directory.
#[derive(Debug)]
pub struct Resolver {
    current: ArcSwap<Epoch>,
    metrics: metrics::Directory,
    /// True once there has been a directory.
    filled: watch::Sender<bool>,
}

/// A directory, the wording of its names and the numbers that must not be named, with the answers from all three. All are
/// replaced together, so no answer outlives one of them.
#[derive(Debug)]
struct Epoch {
    directory: Arc<Directory>,
    wording: Arc<Wording>,
    /// Numbers that must not be named, also if the directory still has them.
    suppressed: Suppressed,
    answers: Mutex<LruCache<Key, Arc<Resolution>>>,
}

/// What makes the answer beside the directory.
#[derive(Debug)]
struct Wording {
    style: Style,
    /// The style with room for the mark of a name in doubt.
    marked: Style,
    /// Searches in the CRM for callers that the directory does not know.
    searches: Searches,
}

/// The key of a kept answer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// [`Pbx::id`]
    pbx: u32,
    country: Country,
    /// The digits as received.
    caller: String,
}

impl Epoch {
    fn new(directory: Arc<Directory>, wording: Arc<Wording>, suppressed: Suppressed) -> Self {
        Self { directory, wording, suppressed, answers: Mutex::new(LruCache::new(KEPT)) }
    }

    fn answers(&self) -> MutexGuard<'_, LruCache<Key, Arc<Resolution>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wording {
    fn new(style: Style, searches: Searches) -> Self {
        Self { marked: style.with_room_for_mark(), style, searches }
    }
}

impl Resolver {
    /// A resolver with an empty directory, which writes names in this style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self::counted(style, metrics::Directory::default())
    }

    /// As [`Resolver::new`], with the metrics of the service.
    #[must_use]
    pub fn counted(style: Style, metrics: metrics::Directory) -> Self {
        let wording = Arc::new(Wording::new(style, Searches::default()));
        let current = ArcSwap::from_pointee(Epoch::new(Arc::default(), wording, Suppressed::default()));
        Self { current, metrics, filled: watch::Sender::new(false) }
    }

    /// The resolver, with searches for callers that the directory does not know.
    #[must_use]
    pub fn searching(self, searches: Searches) -> Self {
        self.reword(self.current.load().wording.style.clone(), searches);
        self
    }

    /// Replaces the style of names and the searches. Calls in progress finish with those that they began with.
    pub fn reword(&self, style: Style, searches: Searches) {
        let wording = Arc::new(Wording::new(style, searches));
        // A new directory may be put in use at the same moment.
        self.current.rcu(|epoch| {
            Epoch::new(Arc::clone(&epoch.directory), Arc::clone(&wording), epoch.suppressed.clone())
        });
    }

    /// Replaces the numbers that must not be named. From now on no call gets such a name, and their kept searches are gone.
    pub fn suppress(&self, suppressed: &Suppressed) {
        self.current.rcu(|epoch| {
            Epoch::new(Arc::clone(&epoch.directory), Arc::clone(&epoch.wording), suppressed.clone())
        });
        self.current.load().wording.searches.forget(suppressed);
    }

    /// Replaces the directory. Calls in progress finish with the directory that they began with.
    pub fn swap(&self, directory: Directory) {
        let numbers = directory.len();
        let directory = Arc::new(directory);
        self.current.rcu(|epoch| {
            Epoch::new(Arc::clone(&directory), Arc::clone(&epoch.wording), epoch.suppressed.clone())
        });
        self.metrics.placed(numbers);
        self.filled.send_replace(true);
    }

    /// The directory of the moment.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.current.load().directory)
    }

    /// The numbers of the moment that must not be named.
    #[must_use]
    pub fn suppressed(&self) -> Suppressed {
        self.current.load().suppressed.clone()
    }

    /// Whether there has been a directory; it changes with each new directory.
    #[must_use]
    pub fn placed(&self) -> watch::Receiver<bool> {
        self.filled.subscribe()
    }

    /// Whether there has been a directory.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        *self.filled.borrow()
    }

    /// Waits for the first directory. Without a directory every caller is unknown, so no call should be accepted yet.
    pub async fn filled(&self) {
        // The sender is a field of `self`, so the wait can't fail.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// Whether a call keeps the provider's name, `existing` ([`Style::keeps`]).
    #[must_use]
    pub fn keeps(&self, existing: &str) -> bool {
        self.current.load().wording.style.keeps(existing)
    }

    /// The count of numbers in the directory.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.current.load().directory.len()
    }

    /// Looks up a number that nobody has, as a call does, and returns the count of numbers. For a watchdog: where lookups hang,
    /// this hangs. It is not counted, not kept and not searched for.
    #[must_use]
    pub fn probe(&self) -> usize {
        let epoch = self.current.load();
        drop(epoch.answers());
        let _ = Number::new(999, 1).map(|nobodys| epoch.directory.find(nobodys).is_some());
        epoch.directory.len()
    }

    /// The answer for `caller`, the number as the PBX has it. `country` is the country of the trunk, if it differs from the
    /// country of the PBX. No I/O; the only locks are those of the kept answers and of the kept searches.
    #[must_use]
    pub fn resolve(&self, pbx: &Pbx, country: Option<Country>, caller: &str) -> Arc<Resolution> {
        self.resolve_or_wait(pbx, country, caller).0
    }

    /// The answer of [`resolve`](Self::resolve) with its explanation: both from one directory, on the same path.
    #[must_use]
    pub fn explain(
        &self,
        pbx: &Pbx,
        country: Option<Country>,
        caller: &str,
    ) -> (Arc<Resolution>, Explanation) {
        let country = country.unwrap_or(pbx.numbers.country);
        let mut explanation = Explanation::default();
        let epoch = self.current.load();
        let (resolution, _) = epoch.resolve(pbx, country, caller, Searching::Ended, Some(&mut explanation));
        (Arc::new(resolution), explanation)
    }
}

impl Epoch {
    /// The answer, and how long it holds.
    fn resolve(
        &self,
        pbx: &Pbx,
        country: Country,
        caller: &str,
        searching: Searching,
        mut explanation: Option<&mut Explanation>,
    ) -> (Resolution, Holds) {
        if caller.len() > MAX_CALLER_BYTES {
            return (Resolution::skipped(caller, country, Reason::TooLong), Holds::Now);
        }
        let readings = match pbx.numbers.read(caller, country) {
            Ok(readings) => readings,
            Err(skip) => {
                return (Resolution::skipped(caller, country, skip.into()), Holds::WithDirectory);
            }
        };
        // `00…` in a country with another international prefix has one impossible reading.
        let readings: Vec<Reading> =
            readings.into_iter().filter(|reading| reading.fit > Fit::Impossible).collect();
        if readings.is_empty() {
            return (Resolution::skipped(caller, country, Reason::NoNumber), Holds::WithDirectory);
        }
        let (directory, searches) = (&*self.directory, &self.wording.searches);
        let mut resolution = Resolution::new(caller, country, Status::NotFound);
        let mut listed = matching(directory, &readings);
        if is_hidden(&self.suppressed, &readings) {
            listed = beside_hidden(&self.suppressed, listed, &readings);
            if listed.is_none() {
                resolution.readings = outcomes(&readings, None);
                resolution.reason = Some(Reason::Suppressed);
                if let Some(explanation) = explanation {
                    explanation.known = vec![None; readings.len()];
                }
                return (resolution, Holds::WithDirectory);
            }
        }
        let keep = listed.is_some() || searches.is_empty();
        let Known { found: searched, wait } =
            if keep { Known::default() } else { searches.ask(&readings, searching) };
        let holds = match () {
            () if keep => Holds::WithDirectory,
            () if searched.is_some() => Holds::Now,
            () => Holds::UntilSearched(wait),
        };
        let matched = listed.or_else(|| {
            let (directory, place) = searched.as_ref()?;
            let (found, place) = (directory.find(readings.get(*place)?.number)?, *place);
            Some(Match { found, place, doubtful: false })
        });
        resolution.readings = outcomes(&readings, matched.as_ref().map(|matched| matched.place));
        if let Some(explanation) = &mut explanation {
            let of_match = |at| matched.as_ref().filter(|matched| matched.place == at).map(|m| m.found);
            let known = |(reading, at): (&Reading, usize)| {
                of_match(at).or_else(|| directory.find(reading.number)).as_ref().map(Listing::from)
            };
            explanation.known = readings.iter().zip(0..).map(known).collect();
        }
        if let Some((reading, matched)) =
            matched.and_then(|matched| Some((readings.get(matched.place)?, matched)))
        {
            resolution.decide(matched.decided(reading));
            resolution.number = Some(reading.number.to_string());
            self.wording.fill(&mut resolution, &matched, explanation);
        } else if let Some((range, reading)) = range_of(directory, &readings) {
            self.wording.guess(&mut resolution, &range, reading, explanation);
        }
        (resolution, holds)
    }
}

impl Wording {
    /// Writes the company of a range into the resolution.
    fn guess(
        &self,
        resolution: &mut Resolution,
        matched: &RangeMatch<'_>,
        reading: &Reading,
        explanation: Option<&mut Explanation>,
    ) {
        resolution.decide(Decided::Range);
        resolution.number = Some(reading.number.to_string());
        resolution.range = Some(matched.range.to_string());
        resolution.guessed = matches!(matched.range, Range::Stem(_));
        resolution.source = matched.source.map(str::to_owned);
        resolution.company = Some(matched.company.into_owned());
        self.write_name(resolution, matched.tag, &Naming::of_range(matched), explanation);
    }

    /// Writes the person or the companies that the directory has for the number into the resolution.
    fn fill(&self, resolution: &mut Resolution, matched: &Match<'_>, explanation: Option<&mut Explanation>) {
        let Match { found, doubtful, .. } = matched;
        resolution.doubtful = *doubtful && self.style.doubtful != Doubtful::Show;
        resolution.source = Some(found.source.to_owned());
        match found.choice {
            Choice::Person { person, company } => {
                resolution.person = Some(person.into_owned());
                resolution.company = company.map(Company::into_owned);
            }
            Choice::Company(company) => resolution.company = Some(company.into_owned()),
            Choice::Shared(_) => resolution.shared = true,
            Choice::Ambiguous => resolution.reason = Some(Reason::Ambiguous),
        }
        if let Some(naming) = Naming::of(found) {
            self.write_name(resolution, found.tag, &naming, explanation);
        }
    }

    /// Writes the name and the tag into the resolution, or the reason why there is no name.
    fn write_name(
        &self,
        resolution: &mut Resolution,
        tag: &str,
        naming: &Naming<'_>,
        explanation: Option<&mut Explanation>,
    ) {
        let doubtful = resolution.doubtful;
        let tag = Some(tag).filter(|tag| !tag.is_empty() && !resolution.is_unsure());
        let room = tag.map(|tag| resolution.room_beside(tag)).filter(|room| *room < self.style.max_bytes);
        let shorter = room.map(|max_bytes| Style { max_bytes, ..self.style.clone() });
        let plain = shorter.as_ref().unwrap_or(&self.style);
        let style = if doubtful { &self.marked } else { plain };
        match naming.name(style) {
            Some(_) if doubtful && style.doubtful == Doubtful::None => {
                resolution.reason = Some(Reason::Doubtful);
            }
            Some(name) => {
                resolution.name = Some(if doubtful { name.marked() } else { name });
                resolution.status = Status::Found;
                resolution.tag = tag.map(str::to_owned);
            }
            None => resolution.reason = Some(Reason::NoName),
        }
        if let Some(explanation) = explanation {
            let rendering = naming.rendering(plain);
            explanation.rendering = Some(if doubtful { rendering.marked() } else { rendering });
        }
    }
}

#[cfg(test)]
mod tests;
