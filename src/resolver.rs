//! Caller → [`Resolution`]: the name, and why. The one way from digits to a name, for every way in.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use lru::LruCache;
use serde::Serialize;
use tokio::sync::watch;

use crate::directory::{Choice, Directory, Found};
use crate::metrics;
use crate::name::{Name, Parts, Style};
use crate::number::{self, Country, Fit, Reading, Rule};
use crate::search::Searches;

/// The longest caller number that is read, in bytes. E.164 has 15 digits; separators and prefixes add some.
pub const MAX_CALLER_BYTES: usize = 64;

/// How many resolutions are kept: a busy call centre's callers of an hour, in about 2 MB.
const KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// How one PBX writes callers' numbers, with an id that tells its answers from another PBX's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pbx {
    /// Different for different settings.
    pub id: u16,
    /// The PBX's country, and the digits that it puts in front.
    pub numbers: number::Settings,
}

/// Answers who is calling, from the directory of the moment.
#[derive(Debug)]
pub struct Resolver {
    style: Style,
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
    /// By PBX, country and digits ([`key`]).
    answers: Mutex<LruCache<Box<[u8]>, Arc<Resolution>>>,
}

impl Epoch {
    fn new(directory: Directory) -> Self {
        Self { directory, answers: Mutex::new(LruCache::new(KEPT)) }
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
        Self { style, current, metrics, searches: Searches::default(), filled: watch::Sender::new(false) }
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
        let mut room = [0; KEY_BYTES];
        let key = key(&mut room, pbx.id, country, caller);
        if let Some(kept) = epoch.answers.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            self.metrics.hit();
            return Arc::clone(kept);
        }
        self.metrics.miss();
        let (resolution, lasts) = self.resolve_in(&epoch.directory, pbx, country, caller);
        let resolution = Arc::new(resolution);
        if !lasts {
            return resolution;
        }
        let mut answers = epoch.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = answers.push(key.into(), Arc::clone(&resolution));
        // The same key comes back where another call has kept its answer meanwhile.
        if replaced.is_some_and(|(old, _)| old.as_ref() != key) {
            self.metrics.evicted();
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
        let readings = number::readings(caller, country, &pbx.numbers.strip_prefixes);
        // A reading that can't be a number is none: `00…` in a country that dials abroad otherwise has one.
        let readings: Vec<Reading> =
            readings.into_iter().filter(|reading| reading.fit > Fit::Impossible).collect();
        if readings.is_empty() {
            return (Resolution::skipped(caller, country, Reason::NoNumber), true);
        }
        let mut resolution = Resolution::new(caller, country, Status::NotFound);
        let listed = readings
            .iter()
            .zip(0..)
            .find_map(|(reading, place)| Some((directory.find(reading.number)?, place)));
        let lasts = listed.is_some() || self.searches.is_empty();
        let searched = if lasts { None } else { self.searches.ask(&readings) };
        let found = listed.or_else(|| {
            let (directory, place) = searched.as_ref()?;
            Some((directory.find(readings.get(*place)?.number)?, *place))
        });
        resolution.readings = outcomes(&readings, found.as_ref().map(|(_, place)| *place));
        if let Some((found, place)) = found {
            // Where a number is one with and without a leading zero, the CRM's may be the other: it has lost its zeros.
            let certain = place == 0 && readings.get(place).is_some_and(|reading| !reading.zeros_matter);
            resolution.certainty = Some(if certain { Certainty::Exact } else { Certainty::Reading });
            resolution.number = resolution.readings.get(place).map(|reading| reading.number.clone());
            self.fill(&mut resolution, &found);
        }
        (resolution, lasts)
    }

    /// Writes who was found into the resolution.
    fn fill(&self, resolution: &mut Resolution, found: &Found<'_>) {
        resolution.source = Some(found.source.to_owned());
        let company_party = |company: crate::directory::Company<'_>| CompanyParty {
            id: (company.id != 0).then_some(company.id),
            name: company.name.to_owned(),
        };
        let name = match found.choice {
            Choice::Person { person, company } => {
                resolution.person = Some(PersonParty {
                    id: (person.id != 0).then_some(person.id),
                    name: person.name.to_owned(),
                    mrmrs: person.mrmrs.to_owned(),
                });
                resolution.company = company.map(company_party);
                let company = company.map_or("", |company| company.name);
                // A person whom the CRM knows by company only is shown as the company.
                if person.name.trim().is_empty() {
                    self.style.company(company)
                } else {
                    self.style.person(&Parts { person: person.name, company, mrmrs: person.mrmrs })
                }
            }
            Choice::Company(company) => {
                resolution.company = Some(company_party(company));
                self.style.company(company.name)
            }
            Choice::Shared(sharing) => {
                resolution.shared = true;
                self.style.shared(sharing.companies().map(|company| company.name))
            }
            Choice::Ambiguous => {
                resolution.reason = Some(Reason::Ambiguous);
                return;
            }
        };
        match name {
            Some(name) => (resolution.name, resolution.status) = (Some(name), Status::Found),
            None => resolution.reason = Some(Reason::NoName),
        }
    }
}

fn outcomes(readings: &[Reading], found: Option<usize>) -> Vec<ReadingOutcome> {
    let outcome = |(reading, place): (&Reading, usize)| ReadingOutcome {
        number: reading.e164().to_string(),
        rule: reading.rule,
        found: Some(place) == found,
    };
    readings.iter().zip(0..).map(outcome).collect()
}

/// Two bytes of PBX, two of country, then the caller's digits as they came.
const KEY_BYTES: usize = 4 + MAX_CALLER_BYTES;

/// `caller` is at most [`MAX_CALLER_BYTES`] long.
fn key<'a>(room: &'a mut [u8; KEY_BYTES], pbx: u16, country: Country, caller: &str) -> &'a [u8] {
    let end = 4 + caller.len();
    room[..2].copy_from_slice(&pbx.to_be_bytes());
    room[2..4].copy_from_slice(country.as_str().as_bytes());
    room[4..end].copy_from_slice(caller.as_bytes());
    &room[..end]
}

/// Whether a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a name.
    Found,
    /// The number is known to nobody, or to several so that no name can be right.
    NotFound,
    /// There was nothing to look for.
    Skipped,
}

impl From<Status> for metrics::Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Found => Self::Found,
            Status::NotFound => Self::NotFound,
            Status::Skipped => Self::Skipped,
        }
    }
}

/// Why there is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Several persons answer to the number, and no company is common to them.
    Ambiguous,
    /// Of the name in the CRM nothing is left that a phone can show.
    NoName,
    /// The caller sent no number: empty, or a word such as "anonymous".
    NoNumber,
    /// The caller's number is longer than [`MAX_CALLER_BYTES`].
    TooLong,
}

/// How sure it is that the name is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The most likely reading of the digits is known.
    Exact,
    /// A less likely reading of the digits is known, or one that differs from another number in lost zeros only.
    Reading,
}

/// Who is calling, and how that was found out: the same everywhere, in JSON too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The caller's number as it came.
    pub input: String,
    /// The country in which it was read, ISO 3166.
    #[serde(serialize_with = "as_text")]
    pub country: Country,
    /// Whether there is a name.
    pub status: Status,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the phone shows.
    #[serde(serialize_with = "name_as_text")]
    pub name: Option<Name>,
    /// How sure it is.
    pub certainty: Option<Certainty>,
    /// The number that is known, E.164 with `+`.
    pub number: Option<String>,
    /// The person.
    pub person: Option<PersonParty>,
    /// The company: the person's, or the number's own.
    pub company: Option<CompanyParty>,
    /// The source that knows the number.
    pub source: Option<String>,
    /// Whether several companies share the number.
    pub shared: bool,
    /// How the digits were read, most likely first.
    pub readings: Vec<ReadingOutcome>,
}

/// A person in a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonParty {
    /// Id in the CRM.
    pub id: Option<u32>,
    /// Full name as the CRM has it.
    pub name: String,
    /// Form of address.
    pub mrmrs: String,
}

/// A company in a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompanyParty {
    /// Id in the CRM.
    pub id: Option<u32>,
    /// Name as the CRM has it.
    pub name: String,
}

/// One reading of the caller's digits, and whether it was the one that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingOutcome {
    /// E.164 with `+`.
    pub number: String,
    /// What makes it readable so.
    #[serde(serialize_with = "rule_as_text")]
    pub rule: Rule,
    /// Whether the directory knows it. Readings behind the first known one are not asked for.
    pub found: bool,
}

impl Resolution {
    fn new(input: &str, country: Country, status: Status) -> Self {
        Self {
            input: input.to_owned(),
            country,
            status,
            reason: None,
            name: None,
            certainty: None,
            number: None,
            person: None,
            company: None,
            source: None,
            shared: false,
            readings: Vec::new(),
        }
    }

    fn skipped(input: &str, country: Country, reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::new(input, country, Status::Skipped) }
    }
}

// Serde passes fields by reference.
fn as_text<S: serde::Serializer>(country: &Country, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(country.as_str())
}

fn rule_as_text<S: serde::Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.as_str())
}

fn name_as_text<S: serde::Serializer>(name: &Option<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(Name::as_str).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::list::List;
    use crate::directory::merge::{Listed, merge};
    use crate::entry::Entry;
    use crate::number::Number;

    fn directory(entries: Vec<Entry>) -> Directory {
        let list: List = entries.into_iter().collect();
        merge(&["crm".into()], vec![Listed { source: 0, group: 0, entries: Box::new(list.entries()) }])
            .unwrap()
    }

    fn kari(national: u64) -> Entry {
        Entry {
            number: Number::new(47, national).unwrap(),
            person_id: 654,
            person: "Kari Nordmann".into(),
            mrmrs: "Mrs".into(),
            company_id: 243,
            company: "Fjord Sjømat AS".into(),
        }
    }

    fn norway(id: u16) -> Pbx {
        let country = "NO".parse().unwrap();
        Pbx { id, numbers: number::Settings { country, strip_prefixes: Vec::new() } }
    }

    #[test]
    fn a_known_caller_in_the_words_of_the_contract() {
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(vec![kari(22_334_455)]));
        let json = serde_json::to_value(resolver.resolve(&norway(0), None, "22334455").as_ref()).unwrap();
        assert_eq!(json["input"], "22334455");
        assert_eq!(json["country"], "NO");
        assert_eq!(json["status"], "found");
        assert_eq!(json["name"], "Kari Nordmann (Fjord Sjømat AS)");
        assert_eq!(json["certainty"], "exact");
        assert_eq!(json["number"], "+4722334455");
        assert_eq!(json["person"], serde_json::json!({"id": 654, "name": "Kari Nordmann", "mrmrs": "Mrs"}));
        assert_eq!(json["company"], serde_json::json!({"id": 243, "name": "Fjord Sjømat AS"}));
        assert_eq!(json["source"], "crm");
        assert_eq!(json["shared"], false);
        assert_eq!(json["readings"][0]["number"], "+4722334455");
        assert_eq!(json["readings"][0]["found"], true);
        assert_eq!(json.get("reason"), None);
    }

    #[test]
    fn strangers_words_and_floods() {
        let resolver = Resolver::new(Style::default());
        let status = |caller: &str| {
            let resolution = resolver.resolve(&norway(0), None, caller);
            (resolution.status, resolution.reason)
        };
        assert_eq!(status("22334455"), (Status::NotFound, None));
        assert_eq!(status(""), (Status::Skipped, Some(Reason::NoNumber)));
        assert_eq!(status("anonymous"), (Status::Skipped, Some(Reason::NoNumber)));
        assert_eq!(status(&"1".repeat(65)), (Status::Skipped, Some(Reason::TooLong)));
    }

    #[test]
    fn an_answer_does_not_outlive_its_directory() {
        let resolver = Resolver::new(Style::default());
        let ask = || resolver.resolve(&norway(0), None, "22334455").status;
        assert_eq!(ask(), Status::NotFound);
        resolver.swap(directory(vec![kari(22_334_455)]));
        assert_eq!(ask(), Status::Found);
        resolver.swap(Directory::default());
        assert_eq!(ask(), Status::NotFound);
    }

    #[test]
    fn the_same_digits_from_two_countries_are_two_questions() {
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(vec![kari(22_334_455)]));
        let sweden = Some("SE".parse().unwrap());
        assert_eq!(resolver.resolve(&norway(0), None, "22334455").status, Status::Found);
        assert_eq!(resolver.resolve(&norway(0), sweden, "22334455").status, Status::NotFound);
        assert_eq!(resolver.resolve(&norway(0), sweden, "004722334455").status, Status::Found);
    }

    #[test]
    fn kept_answers_are_counted() {
        let metrics = metrics::Metrics::new();
        let resolver = Resolver::counted(Style::default(), metrics.directory());
        resolver.swap(directory(vec![kari(22_334_455)]));
        let counted = |name: &str| {
            let text = metrics.write().unwrap();
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(usize::MAX)
        };
        assert_eq!(counted("nameplate_directory_numbers"), 1);
        for caller in (0..KEPT.get()).chain([0]) {
            drop(resolver.resolve(&norway(0), None, &caller.to_string()));
        }
        assert_eq!(counted("nameplate_kept_answers_misses_total"), KEPT.get());
        assert_eq!(counted("nameplate_kept_answers_hits_total"), 1);
        assert_eq!(counted("nameplate_kept_answers_evictions_total"), 0);
        drop(resolver.resolve(&norway(0), None, "22334455"));
        assert_eq!(counted("nameplate_kept_answers_evictions_total"), 1);
    }

    #[test]
    fn a_zero_that_the_crm_may_have_lost_makes_it_less_certain() {
        let resolver = Resolver::new(Style::default());
        let italian = Entry { number: Number::new(39, 331_123_456).unwrap(), ..kari(1) };
        resolver.swap(directory(vec![italian, kari(22_334_455)]));
        let certainty = |caller| resolver.resolve(&norway(0), None, caller).certainty;
        // Both +39 331 123456 and +39 0331 123456 are numbers.
        assert_eq!(certainty("+390331123456"), Some(Certainty::Reading));
        assert_eq!(certainty("+39331123456"), Some(Certainty::Reading));
        assert_eq!(certainty("+4722334455"), Some(Certainty::Exact));
    }

    #[test]
    fn asking_twice_gives_the_very_same_answer() {
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(vec![kari(22_334_455)]));
        let first = resolver.resolve(&norway(0), None, "22334455");
        assert!(Arc::ptr_eq(&first, &resolver.resolve(&norway(0), None, "22334455")));
        assert!(!Arc::ptr_eq(&first, &resolver.resolve(&norway(1), None, "22334455")));
    }
}
