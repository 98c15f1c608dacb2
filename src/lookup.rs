//! Caller → [`Resolution`]: the name, and why. The one way from digits to a name, for every way in.
//!
//! - `resolution`: the answer, in JSON too
//! - `explanation`: how it came about, for somebody who looks for a mistake

mod explanation;
mod resolution;

pub use explanation::{Explanation, Known, Rendering, Verdict};
pub use resolution::{
    Certainty, CompanyParty, Decided, PersonParty, ReadingOutcome, Reason, Resolution, Status,
};

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use lru::LruCache;
use tokio::sync::watch;

use crate::directory::ranges::{Behind, Range};
use crate::directory::{Choice, Directory, Found};
use crate::name::{Doubtful, Parts, Style};
use crate::number::{self, Country, Fit, Reading, Rule};
use crate::observe::metrics;
use crate::search::Searches;

/// The longest caller number that is read, in bytes. E.164 has 15 digits; separators and prefixes add some.
pub const MAX_CALLER_BYTES: usize = 64;

/// How many answers are kept: a busy call centre's callers of an hour, in about 2 MB.
pub const KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// How one PBX writes callers' numbers, with an id by which answers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pbx {
    /// Different for different settings; PBXs with the same settings have the same, and share their answers.
    pub id: u16,
    /// The PBX's country, and the digits that it puts in front.
    pub numbers: number::Settings,
}

/// Answers who is calling, from the directory of the moment.
#[derive(Debug)]
pub struct Resolver {
    style: Style,
    /// The same with room for the mark of a name in doubt.
    marked: Style,
    current: ArcSwap<Epoch>,
    metrics: metrics::Directory,
    /// Who is searched for where the directory knows nobody.
    searches: Searches,
    /// Whether there has been a directory at all.
    filled: watch::Sender<bool>,
}

/// A directory and the answers given from it: swapped as one value, so that no answer outlives its directory.
#[derive(Debug)]
struct Epoch {
    directory: Directory,
    answers: Mutex<LruCache<Key, Arc<Resolution>>>,
}

/// The question of an answer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The PBX's number settings.
    pbx: u16,
    country: Country,
    /// The digits as they came.
    caller: String,
}

impl Epoch {
    fn new(directory: Directory) -> Self {
        Self { directory, answers: Mutex::new(LruCache::new(KEPT)) }
    }

    fn answers(&self) -> MutexGuard<'_, LruCache<Key, Arc<Resolution>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// A resolver that knows nobody yet, and writes names in this style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self::counted(style, metrics::Directory::default())
    }

    /// As [`Resolver::new`], with counters that somebody reads.
    #[must_use]
    pub fn counted(style: Style, metrics: metrics::Directory) -> Self {
        let current = ArcSwap::from_pointee(Epoch::new(Directory::default()));
        let marked = style.with_room_for_mark();
        Self {
            style,
            marked,
            current,
            metrics,
            searches: Searches::default(),
            filled: watch::Sender::new(false),
        }
    }

    /// The same, with searches for the callers whom the directory does not know.
    #[must_use]
    pub fn searching(self, searches: Searches) -> Self {
        Self { searches, ..self }
    }

    /// Puts a new directory in place of the old one. Calls in hand finish with the one they began with.
    pub fn swap(&self, directory: Directory) {
        let numbers = directory.len();
        self.current.store(Arc::new(Epoch::new(directory)));
        self.metrics.placed(numbers);
        self.filled.send_replace(true);
    }

    /// Whether there has been a directory at all.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        *self.filled.borrow()
    }

    /// Waits for the first directory. Before it nobody should be asked in: every caller would be a stranger.
    pub async fn filled(&self) {
        // The sender is ours, so that waiting can't fail.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// Whether a call keeps the name that it brings along, whatever is found ([`Style::keeps`]).
    #[must_use]
    pub fn keeps(&self, existing: &str) -> bool {
        self.style.keeps(existing)
    }

    /// How many numbers are known now.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.current.load().directory.len()
    }

    /// Who is calling? `caller` is the number as the PBX has it; `country` is the trunk's, where it is not
    /// the PBX's. Takes no I/O, and no lock but those of the kept answers and the
    /// kept searches.
    #[must_use]
    pub fn resolve(&self, pbx: &Pbx, country: Option<Country>, caller: &str) -> Arc<Resolution> {
        let country = country.unwrap_or(pbx.numbers.country);
        if caller.len() > MAX_CALLER_BYTES {
            return Arc::new(Resolution::skipped(caller, country, Reason::TooLong));
        }
        let epoch = self.current.load();
        let key = Key { pbx: pbx.id, country, caller: caller.to_owned() };
        if let Some(kept) = epoch.answers().get(&key) {
            return Arc::clone(kept);
        }
        let (resolution, lasts) = self.resolve_in(&epoch.directory, pbx, country, caller);
        let resolution = Arc::new(resolution);
        if lasts {
            epoch.answers().put(key, Arc::clone(&resolution));
        }
        resolution
    }

    /// Who it is, and whether that lasts as long as the directory: what a search finds, or has yet to find, does not.
    fn resolve_in(
        &self,
        directory: &Directory,
        pbx: &Pbx,
        country: Country,
        caller: &str,
    ) -> (Resolution, bool) {
        let readings = match pbx.numbers.read(caller, country) {
            Ok(readings) => readings,
            Err(skip) => return (Resolution::skipped(caller, country, skip.into()), true),
        };
        // A reading that can't be a number is none: `00…` in a country that dials abroad otherwise has one.
        let readings: Vec<Reading> =
            readings.into_iter().filter(|reading| reading.fit > Fit::Impossible).collect();
        if readings.is_empty() {
            return (Resolution::skipped(caller, country, Reason::NoNumber), true);
        }
        let mut resolution = Resolution::new(caller, country, Status::NotFound);
        let listed = known(directory, &readings);
        let lasts = listed.is_some() || self.searches.is_empty();
        let searched = if lasts { None } else { self.searches.ask(&readings) };
        let answer = listed.or_else(|| {
            let (directory, place) = searched.as_ref()?;
            let (found, place) = (directory.find(readings.get(*place)?.number)?, *place);
            Some(Answer { found, place, doubtful: false })
        });
        resolution.readings = outcomes(&readings, answer.as_ref().map(|answer| answer.place));
        if let Some((reading, answer)) = answer.and_then(|answer| Some((readings.get(answer.place)?, answer)))
        {
            resolution.decide(answer.decided(reading));
            resolution.number = Some(reading.number.to_string());
            self.fill(&mut resolution, &answer);
        } else if let Some((behind, reading)) = behind(directory, &readings) {
            self.guess(&mut resolution, &behind, reading);
        }
        (resolution, lasts)
    }

    /// Writes into the resolution in whose range the caller's number lies: a company, never a person.
    fn guess(&self, resolution: &mut Resolution, behind: &Behind<'_>, reading: &Reading) {
        resolution.decide(Decided::Range);
        resolution.number = Some(reading.e164().to_string());
        resolution.range = Some(behind.range.to_string());
        resolution.guessed = matches!(behind.range, Range::Stem(_));
        resolution.source = behind.source.map(str::to_owned);
        resolution.company = Some(behind.company.into());
        match self.style.guess(behind.company.name, behind.source.unwrap_or_default()) {
            Some(name) => (resolution.name, resolution.status) = (Some(name), Status::Found),
            None => resolution.reason = Some(Reason::NoName),
        }
    }

    /// Writes who was found into the resolution.
    fn fill(&self, resolution: &mut Resolution, answer: &Answer<'_>) {
        let Answer { found, doubtful, .. } = answer;
        resolution.doubtful = *doubtful && self.style.doubtful != Doubtful::Show;
        let style = if resolution.doubtful { &self.marked } else { &self.style };
        resolution.source = Some(found.source.to_owned());
        let name = match found.choice {
            Choice::Person { person, company } => {
                resolution.person = Some(PersonParty {
                    id: (person.id != 0).then_some(person.id),
                    name: person.name.to_owned(),
                    mrmrs: person.mrmrs.to_owned(),
                });
                resolution.company = company.map(CompanyParty::from);
                let company = company.map_or("", |company| company.name);
                style.person(&Parts {
                    person: person.name,
                    company,
                    mrmrs: person.mrmrs,
                    source: found.source,
                })
            }
            Choice::Company(company) => {
                resolution.company = Some(company.into());
                style.company(company.name, found.source)
            }
            Choice::Shared(sharing) => {
                resolution.shared = true;
                style.shared(sharing.companies().map(|company| company.name), found.source)
            }
            Choice::Ambiguous => {
                resolution.reason = Some(Reason::Ambiguous);
                return;
            }
        };
        match name {
            Some(_) if resolution.doubtful && style.doubtful == Doubtful::None => {
                resolution.reason = Some(Reason::Doubtful);
            }
            Some(name) if resolution.doubtful => {
                (resolution.name, resolution.status) = (Some(name.marked()), Status::Found);
            }
            Some(name) => (resolution.name, resolution.status) = (Some(name), Status::Found),
            None => resolution.reason = Some(Reason::NoName),
        }
    }
}

/// Who answers to a caller.
struct Answer<'d> {
    found: Found<'d>,
    /// Which of the readings it is.
    place: usize,
    /// Whether another reading is somebody else's.
    doubtful: bool,
}

impl Answer<'_> {
    fn decided(&self, reading: &Reading) -> Decided {
        match self {
            Self { doubtful: true, .. } => Decided::SomebodyElse,
            Self { found: Found { likely: false, .. }, .. } => Decided::OtherNumber,
            _ if reading.rule == Rule::SurplusZero => Decided::SurplusZero,
            Self { place: 0, .. } => Decided::Likeliest,
            _ => Decided::OtherReading,
        }
    }
}

/// Who answers to the likeliest reading that somebody has; before those whose own number it is not for certain.
fn known<'d>(directory: &'d Directory, readings: &[Reading]) -> Option<Answer<'d>> {
    let find = |(reading, place): (&Reading, usize)| Some((directory.find(reading.number)?, place));
    let mut best: Option<(Found<'d>, usize)> = None;
    for (found, place) in readings.iter().zip(0..).filter_map(find) {
        if found.likely || best.is_none() {
            best = Some((found, place));
        }
        if found.likely {
            break;
        }
    }
    let (found, place) = best?;
    // A zero is taken off for callers who are nobody otherwise: that makes nobody doubtful.
    let is_other = |(reading, at): &(&Reading, usize)| *at != place && reading.rule != Rule::SurplusZero;
    let mut others = readings.iter().zip(0..).filter(is_other).filter_map(find);
    let doubtful = others.any(|(other, _)| !other.choice.looks_same(&found.choice));
    Some(Answer { found, place, doubtful })
}

/// In whose range the caller's number lies, by the most likely reading that lies in one. A number of which only the length is
/// possible is in nobody's, and where the digits are a number in use as they came, none is supposed that lies in a range:
/// a mobile without its trunk zero may be a valid number behind the PBX's area code too.
fn behind<'d, 'r>(directory: &'d Directory, readings: &'r [Reading]) -> Option<(Behind<'d>, &'r Reading)> {
    let valid = readings.iter().filter(|reading| reading.fit == Fit::Valid);
    let as_it_came = valid.clone().any(|reading| !reading.rule.is_supposed());
    valid
        .filter(|reading| !(as_it_came && reading.rule.is_supposed()))
        .filter_map(|reading| Some((directory.behind(reading.number)?, reading)))
        .next()
}

fn outcomes(readings: &[Reading], found: Option<usize>) -> Vec<ReadingOutcome> {
    let outcome = |(reading, place): (&Reading, usize)| ReadingOutcome {
        number: reading.e164().to_string(),
        rule: reading.rule,
        found: Some(place) == found,
        reading: *reading,
    };
    readings.iter().zip(0..).map(outcome).collect()
}

#[cfg(test)]
mod tests;
