//! Why a number has its name, or none: what `nameplate lookup` explains, in words.

use crate::call::{self, Caller};
use crate::lookup::{ChoiceKind, Decided, Explanation, Listing, ReadingOutcome, Reason, Resolution};
use crate::number::{Fit, Rule};
use crate::web::Backend;
use crate::web::pages::calls;
use crate::web::pages::language::Language;
use crate::web::pages::links::{Links, Named};
use crate::web::pages::texts::{self, Explained as Words};

/// Why a number has its name.
#[derive(Debug)]
pub(super) struct Explained {
    /// The name that a phone shows, or why there is none.
    pub(super) title: String,
    pub(super) is_named: bool,
    pub(super) lines: Vec<Line>,
}

/// A line of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: &'static str,
    pub(super) parts: Vec<Named>,
}

impl Explained {
    /// The explanation of a question that is a number; none for words.
    pub(super) fn of(backend: &Backend, question: &str, language: &'static Language) -> Option<Self> {
        let is_number = |c: char| c.is_ascii_digit() || "+ \u{a0}()-–./".contains(c);
        if !question.chars().all(is_number) {
            return None;
        }
        let caller = Caller { number: question.trim(), ..Caller::default() };
        let (answer, explanation) = call::explain(&backend.resolver, &backend.pbx, caller);
        let resolution = &*answer.resolution;
        // Somebody is still typing.
        let is_whole = resolution.readings.iter().any(|outcome| outcome.reading.fit == Fit::Valid);
        (is_whole || resolution.name.is_some())
            .then(|| Self::new(backend, resolution, &explanation, language))
    }

    fn new(
        backend: &Backend,
        resolution: &Resolution,
        explanation: &Explanation,
        language: &'static Language,
    ) -> Self {
        let words = &language.texts.explained;
        let title = match (&resolution.name, resolution.reason) {
            (Some(name), _) => name.as_str().to_owned(),
            (None, Some(reason)) => reason_in_words(reason, words).to_owned(),
            (None, None) => words.nobody.to_owned(),
        };
        let mut lines = Vec::new();
        let mut add = |label, parts: Vec<Named>| {
            if !parts.is_empty() {
                lines.push(Line { label, parts });
            }
        };
        let text = |name: String| vec![Named { name, link: None }];
        let country = resolution.country.as_str();
        add(words.digits, text(texts::fill(words.as_in, &[&resolution.input, country])));
        for (outcome, known) in resolution.readings.iter().zip(&explanation.known) {
            add(words.read_as, text(reading_in_words(backend, outcome, known.as_ref(), words)));
        }
        if resolution.reason != Some(Reason::Suppressed) {
            if let Some(decided) = resolution.decided {
                add(words.certainty, text(decided_in_words(decided, words).to_owned()));
            }
            let (links, source) = (Links(&backend.crms), resolution.source.as_deref().unwrap_or_default());
            let id = |named: Named, id: u32| {
                let name = if id == 0 { named.name } else { format!("{} (id {id})", named.name) };
                vec![Named { name, ..named }]
            };
            if let Some(person) = &resolution.person {
                add(words.person, id(links.person(source, person), person.id));
            }
            if let Some(company) = &resolution.company {
                add(words.company, id(links.company(source, company), company.id));
            }
            if let Some(range) = &resolution.range {
                add(words.range, text(range.clone()));
            }
            if !source.is_empty() {
                add(words.source, text(source.to_owned()));
            }
            if let Some(tag) = &resolution.tag {
                add(words.tag, text(tag.clone()));
            }
            if let Some(rendering) = &explanation.rendering {
                let (bytes, most) = (rendering.bytes.to_string(), rendering.max_bytes.to_string());
                let cut = if rendering.bytes > rendering.max_bytes { words.cut } else { words.fits };
                let form = format!("{} = \"{}\"", rendering.key, rendering.template);
                add(words.template, text(texts::fill(cut, &[&form, &bytes, &most])));
            }
            let directory = backend.resolver.directory();
            let hidden = calls::hidden(&directory, &backend.resolver.suppressed(), resolution, |party| {
                let person = party.person.map(|person| links.person(party.source, &person));
                let company = party.company.map(|company| links.company(party.source, &company));
                person.or(company).unwrap_or_default()
            });
            add(words.hidden, hidden);
        }
        Self { title, is_named: resolution.name.is_some(), lines }
    }
}

/// `22 33 44 55: a national number, known`
fn reading_in_words(
    backend: &Backend,
    outcome: &ReadingOutcome,
    known: Option<&Listing>,
    words: &Words,
) -> String {
    let reading = &outcome.reading;
    let rule = match reading.rule {
        Rule::International => words.international,
        Rule::InternationalPrefix => words.international_prefix,
        Rule::National => words.national,
        Rule::NationalTrunk => words.national_trunk,
        Rule::WithoutPlus => words.without_plus,
        Rule::AreaCode => words.area_code,
        Rule::SurplusZero => words.surplus_zero,
    };
    let mut parts = vec![rule];
    if reading.outside_line {
        parts.push(words.outside_line);
    }
    match reading.fit {
        Fit::Valid => {}
        Fit::Possible | Fit::Impossible => parts.push(words.not_in_use),
        Fit::Unplanned => parts.push(words.unplanned),
    }
    match known {
        None => {}
        Some(_) if outcome.found => parts.push(words.known),
        Some(known) if known.less_likely => parts.push(words.known_less_likely),
        Some(_) => parts.push(words.known_too),
    }
    match known.map(|known| known.choice) {
        None | Some(ChoiceKind::Person) => {}
        Some(ChoiceKind::Company) => parts.push(words.of_company),
        Some(ChoiceKind::Shared) => parts.push(words.of_several),
        Some(ChoiceKind::Ambiguous) => parts.push(words.ambiguous),
    }
    format!("{}: {}", reading.number.written(backend.pbx.numbers.country), parts.join(", "))
}

fn decided_in_words(decided: Decided, words: &Words) -> &'static str {
    match decided {
        Decided::Likeliest => words.likeliest,
        Decided::OtherReading => words.other_reading,
        Decided::SurplusZero => words.without_zero,
        Decided::OtherNumber => words.other_number,
        Decided::SomebodyElse => words.somebody_else,
        Decided::Range => words.in_range,
    }
}

fn reason_in_words(reason: Reason, words: &Words) -> &'static str {
    match reason {
        Reason::Ambiguous => words.ambiguous,
        Reason::Doubtful => words.two_readings,
        Reason::Suppressed => words.suppressed,
        Reason::NoName => words.no_name,
        Reason::NoNumber => words.no_number,
        Reason::Anonymous => words.anonymous,
        Reason::Internal => words.internal,
        Reason::ShortCode => words.short_code,
        Reason::TooLong => words.too_long,
    }
}
