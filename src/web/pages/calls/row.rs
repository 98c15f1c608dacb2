//! What a call looks like: a row of the list.

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;

use crate::calls::{Call, Outcome};
use crate::directory::suppressed::Suppressed;
use crate::directory::{Choice, Directory, Party};
use crate::lookup::{Certainty, Reason, Resolution};
use crate::number::{Country, Number};
use crate::web::Backend;
use crate::web::pages::language::Language;
use crate::web::pages::links::{Links, Named};
use crate::web::pages::texts::{self, Texts};

/// The most hidden names that are listed.
const MAX_HIDDEN: usize = 6;

/// What rows are made with.
pub(super) struct Context<'a> {
    directory: Arc<Directory>,
    suppressed: Suppressed,
    links: Links<'a>,
    country: Country,
    epoch: i64,
    texts: &'static Texts,
}

/// A call as the list shows it.
#[derive(Debug)]
pub(in crate::web::pages) struct Row {
    pub(in crate::web::pages) id: String,
    /// RFC 3339.
    pub(in crate::web::pages) time: String,
    /// The same for a reader without JavaScript: hours, minutes and seconds in UTC.
    pub(in crate::web::pages) clock: String,
    /// The person, or the company of a number that is a company's own, or why there is no name.
    pub(in crate::web::pages) caller: Named,
    /// Whether `caller` is a name.
    pub(in crate::web::pages) is_named: bool,
    /// Whether the name may be somebody else's.
    pub(in crate::web::pages) is_unsure: bool,
    pub(in crate::web::pages) company: Named,
    pub(in crate::web::pages) number: String,
    /// `+4722334455`: what leads to the explanation.
    pub(in crate::web::pages) plain: String,
    pub(in crate::web::pages) certainty: &'static str,
    /// Who else it may be: the phone could not show them.
    pub(in crate::web::pages) hidden: Vec<Named>,
    /// How many more there are.
    pub(in crate::web::pages) more: String,
    pub(in crate::web::pages) source: String,
    pub(in crate::web::pages) tag: String,
    pub(in crate::web::pages) pbx: String,
    pub(in crate::web::pages) called: String,
    pub(in crate::web::pages) outcome: &'static str,
    /// The lamp of the outcome: `good`, `warn`, `bad`, or "" for none.
    pub(in crate::web::pages) lamp: &'static str,
}

/// A row alone, for an event.
#[derive(Template)]
#[template(path = "call.html")]
struct Alone<'a> {
    row: &'a Row,
    texts: &'static Texts,
}

impl Row {
    /// The row as HTML; "" if it can't be written.
    pub(super) fn html(&self, texts: &'static Texts) -> String {
        Alone { row: self, texts }.render().unwrap_or_default()
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(backend: &'a Backend, language: &'static Language) -> Self {
        Self {
            directory: backend.resolver.directory(),
            suppressed: backend.resolver.suppressed(),
            links: Links(&backend.crms),
            country: backend.pbx.numbers.country,
            epoch: backend.calls.epoch(),
            texts: language.texts,
        }
    }

    pub(super) fn texts(&self) -> &'static Texts {
        self.texts
    }

    /// The row of a call.
    pub(super) fn row(&self, call: &Call) -> Row {
        let texts = &self.texts.calls;
        let resolution = call.resolution.as_deref();
        let (outcome, lamp) = self.outcome(call, resolution);
        let source = resolution.and_then(|resolution| resolution.source.as_deref()).unwrap_or_default();
        let of_company = resolution.and_then(|resolution| resolution.company.as_ref());
        let company = of_company.map(|company| self.links.company(source, company)).unwrap_or_default();
        let named = resolution.filter(|resolution| resolution.name.is_some());
        let person = named.and_then(|resolution| resolution.person.as_ref());
        let (caller, company) = match (named, person) {
            (_, Some(person)) if !person.name.trim().is_empty() => {
                (self.links.person(source, person), company)
            }
            // The number is the company's own.
            (Some(_), _) if !company.name.is_empty() => (company, Named::default()),
            (Some(resolution), _) => {
                let name = resolution.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
                (Named { name, link: None }, Named::default())
            }
            (None, _) => (Named { name: outcome.to_owned(), link: None }, company),
        };
        let mut hidden = resolution.map(|resolution| self.hidden(resolution)).unwrap_or_default();
        let more = hidden.len().saturating_sub(MAX_HIDDEN);
        hidden.truncate(MAX_HIDDEN);
        let (number, plain) = self.number(call, resolution);
        Row {
            id: format!("{}-{}", self.epoch, call.id),
            time: call.time.to_string(),
            clock: call.time.strftime("%H:%M:%S").to_string(),
            caller,
            is_named: named.is_some(),
            is_unsure: named.is_some_and(Resolution::is_unsure),
            company,
            number,
            plain,
            certainty: named.map_or("", |resolution| self.certainty(resolution)),
            hidden,
            more: if more > 0 { texts::fill(texts.more, &[&more.to_string()]) } else { String::new() },
            source: source.to_owned(),
            tag: resolution.and_then(|resolution| resolution.tag.clone()).unwrap_or_default(),
            pbx: call.pbx.to_string(),
            called: call.called.to_string(),
            outcome,
            lamp,
        }
    }

    /// The number as people write it, and plain.
    fn number(&self, call: &Call, resolution: Option<&Resolution>) -> (String, String) {
        let readings = resolution.map(|resolution| resolution.readings.as_slice()).unwrap_or_default();
        let read = readings.iter().find(|reading| reading.found).or(readings.first());
        match read {
            Some(read) => (read.reading.number.written(self.country), read.number.clone()),
            None => (call.number.to_string(), String::new()),
        }
    }

    fn certainty(&self, resolution: &Resolution) -> &'static str {
        let texts = &self.texts.calls;
        match resolution.certainty {
            _ if resolution.doubtful => texts.doubtful,
            Some(Certainty::Exact) => texts.exact,
            Some(Certainty::Reading) => texts.reading,
            Some(Certainty::Range) => texts.range,
            None => "",
        }
    }

    /// What became of the call in words, and its lamp.
    fn outcome(&self, call: &Call, resolution: Option<&Resolution>) -> (&'static str, &'static str) {
        let texts = &self.texts.calls;
        match call.outcome {
            Outcome::Found if call.keeps_name => (texts.kept, "good"),
            Outcome::Found => (texts.found, "good"),
            Outcome::NotFound => match resolution.and_then(|resolution| resolution.reason) {
                Some(Reason::Ambiguous) => (texts.ambiguous, ""),
                Some(Reason::Doubtful) => (texts.two_readings, ""),
                Some(Reason::NoName) => (texts.no_name, ""),
                _ => (texts.not_found, ""),
            },
            Outcome::Skipped => (texts.skipped, ""),
            Outcome::Withheld => (texts.withheld, ""),
            Outcome::Suppressed => (texts.suppressed, ""),
            Outcome::HungUp => (texts.hung_up, ""),
            Outcome::Late => (texts.late, "warn"),
            Outcome::Unavailable => (texts.unavailable, "bad"),
            Outcome::Refused => (texts.refused, "bad"),
        }
    }

    /// Who has the number, too, or has another reading of the digits.
    fn hidden(&self, resolution: &Resolution) -> Vec<Named> {
        hidden(&self.directory, &self.suppressed, resolution, |party| self.named(&party))
    }

    fn named(&self, party: &Party<'_>) -> Named {
        let company = party.company.map(|company| self.links.company(party.source, &company));
        match party.person {
            Some(person) => {
                let mut named = self.links.person(party.source, &person);
                if let Some(company) = company.filter(|company| !company.name.is_empty()) {
                    named.name = format!("{} ({})", named.name, company.name);
                }
                named
            }
            None => company.unwrap_or_default(),
        }
    }
}

/// The parties that an answer does not show: those behind its number, and those of other readings of the digits.
pub(in crate::web::pages) fn hidden(
    directory: &Directory,
    suppressed: &Suppressed,
    resolution: &Resolution,
    named: impl Fn(Party<'_>) -> Named,
) -> Vec<Named> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |party: Party<'_>| {
        let named = named(party);
        if !named.name.is_empty() && seen.insert(named.clone()) {
            all.push(named);
        }
    };
    for reading in &resolution.readings {
        let number: Number = reading.reading.number;
        if suppressed.has(number) {
            continue;
        }
        if reading.found {
            directory.hidden(number).for_each(&mut add);
        } else if resolution.doubtful || resolution.reason == Some(Reason::Doubtful) {
            let Some(found) = directory.find(number) else { continue };
            match found.choice {
                Choice::Person { person, company } => {
                    add(Party { person: Some(person), company, source: found.source });
                }
                Choice::Company(company) => {
                    add(Party { person: None, company: Some(company), source: found.source });
                }
                Choice::Shared(sharing) => sharing.companies().for_each(|company| {
                    add(Party { person: None, company: Some(company), source: found.source });
                }),
                Choice::Ambiguous => directory.hidden(number).for_each(&mut add),
            }
        }
    }
    all
}
