//! The answer with its reasons, for a person: the name in the first line, the reasons in the others.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::directory::merge::SharedNumbers;
use crate::entry::Entry;
use crate::lists::guard::HeldList;
use crate::lookup::{
    ChoiceKind, Decided, Explanation, Listing, ReadingOutcome, Reason, Rendering, Resolution,
};
use crate::number::{Fit, Number, Rule};

const NAME: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();
const QUIET: Style = Style::new().dimmed();

/// The details that are shown beside the answer.
pub(super) struct Details<'a> {
    pub explanation: &'a Explanation,
    /// The entries for the readings, each with the name of its list.
    pub entries: &'a [(String, Entry)],
    /// The lists that could not be fetched.
    pub missing: &'a [String],
    /// The lists that have arrived and are held back, by the names of the lists in use.
    pub held_back: &'a [(String, HeldList)],
    /// The setting for numbers that several have.
    pub shared: SharedNumbers,
}

/// Writes the answer, with the escape sequences of a terminal.
pub(super) fn write(resolution: &Resolution, details: &Details<'_>, out: &mut impl Write) -> io::Result<()> {
    first_line(resolution, details, out)?;
    writeln!(
        out,
        "  {QUIET}digits{QUIET:#}    {}, as in {}",
        printable(&resolution.input),
        resolution.country.as_str()
    )?;
    for (reading, known) in resolution.readings.iter().zip(&details.explanation.known) {
        write_reading(reading, known.as_ref(), resolution, details, out)?;
    }
    if let Some(decided) = resolution.decided {
        let (word, meaning) = (decided.certainty().as_str(), decided_in_words(decided));
        writeln!(out, "  {QUIET}certainty{QUIET:#} {word}: {meaning} ({})", decided.as_str())?;
    }
    if let Some(person) = &resolution.person {
        writeln!(out, "  {QUIET}person{QUIET:#}    {}{}", printable(&person.name), in_brackets(person.id))?;
    }
    if let Some(company) = &resolution.company {
        writeln!(out, "  {QUIET}company{QUIET:#}   {}{}", printable(&company.name), in_brackets(company.id))?;
    }
    if let Some(range) = &resolution.range {
        writeln!(out, "  {QUIET}range{QUIET:#}     {range}")?;
    }
    if resolution.shared {
        writeln!(out, "  {QUIET}shared{QUIET:#}    by several companies")?;
    }
    if let Some(source) = &resolution.source {
        writeln!(out, "  {QUIET}source{QUIET:#}    {source}")?;
    }
    if let Some(tag) = &resolution.tag {
        writeln!(out, "  {QUIET}tag{QUIET:#}       {tag}")?;
    }
    if let Some(rendering) = &details.explanation.rendering {
        write_rendering(rendering, out)?;
    }
    if !details.missing.is_empty() {
        let missing = details.missing.join(", ");
        writeln!(out, "  {WARNING}not asked{WARNING:#} {missing}: it failed, see above")?;
    }
    for (list, held) in details.held_back {
        let (count, changes) = (held.count, held.changes);
        writeln!(
            out,
            "  {WARNING}held back{WARNING:#} {list}: another list of {count} entries has come, and is not in use ({changes}); `nameplate sources` says why"
        )?;
    }
    Ok(())
}

fn first_line(resolution: &Resolution, details: &Details<'_>, out: &mut impl Write) -> io::Result<()> {
    match (&resolution.name, resolution.reason) {
        (Some(name), _) => writeln!(out, "{NAME}{}{NAME:#}", name.as_str()),
        (None, Some(reason)) => {
            writeln!(out, "{WARNING}(no name: {}){WARNING:#}", reason_in_words(reason, details.shared))
        }
        (None, None) if details.missing.is_empty() => {
            writeln!(out, "{WARNING}(no name: nobody has this number){WARNING:#}")
        }
        (None, None) => {
            let missing = details.missing.join(", ");
            writeln!(out, "{WARNING}(no name; {missing} could not be asked){WARNING:#}")
        }
    }
}

fn write_reading(
    reading: &ReadingOutcome,
    known: Option<&Listing>,
    resolution: &Resolution,
    details: &Details<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    // The country does not matter for a number with a plus.
    let country = match reading.rule {
        Rule::International => String::new(),
        _ => format!(", in {}", resolution.country.as_str()),
    };
    let outside = if reading.reading.outside_line { ", behind outside-line digits" } else { "" };
    let fit = match reading.reading.fit {
        Fit::Valid => "",
        Fit::Possible | Fit::Impossible => ", of a type that is not in use",
        Fit::Unplanned => ", of a length that the numbering plan does not know",
    };
    let rule = reading.rule.as_str();
    write!(out, "  {QUIET}read as{QUIET:#}   {} ({rule}{country}{outside}{fit})", reading.number)?;
    match known {
        Some(_) if reading.found => writeln!(out, "  {GOOD}← known{GOOD:#}")?,
        Some(Listing { less_likely: true, .. }) => {
            writeln!(out, "  {QUIET}← known too, as a less likely number of its record{QUIET:#}")?;
        }
        Some(_) => writeln!(out, "  {QUIET}← known too, but a likelier reading is{QUIET:#}")?,
        None => writeln!(out)?,
    }
    for (list, entry) in details.entries_for(reading.reading.number) {
        writeln!(out, "              {list}: {}", in_one_line(entry))?;
    }
    if let Some(known) = known {
        let meaning = choice_in_words(known.choice, details.shared);
        writeln!(out, "              → {} by {}: {meaning}", known.choice.as_str(), known.source)?;
    }
    Ok(())
}

fn write_rendering(rendering: &Rendering, out: &mut impl Write) -> io::Result<()> {
    let Rendering { key, template, full, bytes, max_bytes } = rendering;
    write!(out, "  {QUIET}template{QUIET:#}  {key} = \"{template}\": ")?;
    if bytes > max_bytes {
        writeln!(out, "{bytes} bytes, {WARNING}cut to {max_bytes}{WARNING:#}: {full}")
    } else {
        writeln!(out, "{bytes} of {max_bytes} bytes")
    }
}

/// `Kari Nordmann (id 654) of Fjord Sjømat AS (id 243)`
fn in_one_line(entry: &Entry) -> String {
    let party = |name: &str, id: u32| printable(name.trim()) + &in_brackets(id);
    let person = party(&entry.person, entry.person_id);
    let company = party(&entry.company, entry.company_id);
    let who = match (person.is_empty(), company.is_empty()) {
        (false, false) => format!("{person} of {company}"),
        (false, true) => format!("{person}, of no company"),
        (true, _) => format!("{company}, the company itself"),
    };
    if entry.likely { who } else { format!("{who}; the less likely number of its record") }
}

/// An id behind a name. Nothing for 0, which is no id.
fn in_brackets(id: u32) -> String {
    if id == 0 { String::new() } else { format!(" (id {id})") }
}

fn reason_in_words(reason: Reason, shared: SharedNumbers) -> &'static str {
    match reason {
        Reason::Ambiguous => ambiguous_in_words(shared),
        Reason::Doubtful => {
            "the digits can be read in two ways, each is somebody else's, and `doubtful = \"none\"` in [names] shows neither"
        }
        Reason::Suppressed => {
            "this number must not be named: `[[suppress]]` of the configuration, or `nameplate forget`"
        }
        Reason::NoName => "nothing in the name of the CRM is visible on a phone",
        Reason::NoNumber => {
            "this can't be a telephone number: no digits, more than 15, a country code that is not assigned, or a length that no number of the country has"
        }
        Reason::Anonymous => "the number is withheld: this is what stands in its place",
        Reason::Internal => {
            "this is an extension of the PBX: `internal` in [numbers], or at most six digits, and fewer than any number of the country"
        }
        Reason::ShortCode => "this is an emergency number or a short code: `short_codes` in [numbers]",
        Reason::TooLong => "this is longer than any telephone number",
    }
}

fn ambiguous_in_words(shared: SharedNumbers) -> &'static str {
    match shared {
        SharedNumbers::Both => "several people have this number, and no company in common",
        SharedNumbers::Company => {
            "several have this number, and `shared_numbers = \"company\"` in [names] shows only a company that all of them have in common"
        }
        SharedNumbers::None => {
            "several have this number, and `shared_numbers = \"none\"` in [names] shows none of them"
        }
    }
}

fn decided_in_words(decided: Decided) -> &'static str {
    match decided {
        Decided::Likeliest => "the likeliest reading is known",
        Decided::OtherReading => "a less likely reading is known, and the likelier ones are nobody's",
        Decided::SurplusZero => "the number is known without a zero in front, which is surplus",
        Decided::OtherNumber => {
            "the record has two interpretations, or has lost a zero: this is its less likely number, and no other record has it"
        }
        Decided::SomebodyElse => {
            "another reading of the digits is somebody else's; `doubtful` in [names] decides about the name"
        }
        Decided::Range => "nobody has the number itself: it lies in a company's range, which is a guess",
    }
}

fn choice_in_words(choice: ChoiceKind, shared: SharedNumbers) -> &'static str {
    match choice {
        ChoiceKind::Person => "one person, alone or beside the own company; those who look the same are one",
        ChoiceKind::Company => "the company itself, or several persons of it",
        ChoiceKind::Shared => "several companies",
        ChoiceKind::Ambiguous => ambiguous_in_words(shared),
    }
}

/// Texts of a caller or of the CRM must not act on the terminal. Control characters, and characters that reorder text, are
/// written as their codes. Everything else is shown as it is.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Unicode Standard Annex #9 §2, and the line separators, which are not control characters.
        let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The explanation of a resolution, in JSON.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    readings: Vec<JsonReading<'a>>,
    /// None for the likeliest reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
    rendering: Option<&'a Rendering>,
    not_asked: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_back: Vec<JsonHeldBack<'a>>,
}

/// A list that has arrived and is held back.
#[derive(Serialize)]
struct JsonHeldBack<'a> {
    list: &'a str,
    #[serde(flatten)]
    held: &'a HeldList,
}

#[derive(Serialize)]
struct JsonReading<'a> {
    number: &'a str,
    valid: bool,
    outside_line: bool,
    known: Option<&'a Listing>,
    entries: Vec<JsonEntry<'a>>,
}

#[derive(Serialize)]
struct JsonEntry<'a> {
    list: &'a str,
    person: JsonParty<'a>,
    company: JsonParty<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    less_likely: bool,
}

/// A person or a company of an entry. Unlike [`Person`](crate::directory::Person) it has no form of address.
#[derive(Serialize)]
struct JsonParty<'a> {
    id: Option<u32>,
    name: &'a str,
}

impl<'a> Details<'a> {
    /// The entries for one number, with their lists.
    fn entries_for(&self, number: Number) -> impl Iterator<Item = (&'a str, &'a Entry)> + use<'a> {
        let ours = self.entries.iter().filter(move |(_, entry)| entry.number == number);
        ours.map(|(list, entry)| (list.as_str(), entry))
    }

    pub(super) fn json(&self, resolution: &'a Resolution) -> Json<'a> {
        let party = |id: u32, name: &'a str| JsonParty { id: (id != 0).then_some(id), name };
        let entry = |(list, entry): (&'a str, &'a Entry)| JsonEntry {
            list,
            person: party(entry.person_id, &entry.person),
            company: party(entry.company_id, &entry.company),
            less_likely: !entry.likely,
        };
        let readings =
            resolution.readings.iter().zip(&self.explanation.known).map(|(read, known)| JsonReading {
                number: &read.number,
                valid: read.reading.fit == Fit::Valid,
                outside_line: read.reading.outside_line,
                known: known.as_ref(),
                entries: self.entries_for(read.reading.number).map(entry).collect(),
            });
        Json {
            readings: readings.collect(),
            decided: resolution.decided.filter(|decided| *decided != Decided::Likeliest),
            rendering: self.explanation.rendering.as_ref(),
            not_asked: self.missing,
            held_back: self.held_back.iter().map(|(list, held)| JsonHeldBack { list, held }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn only_what_would_act_on_the_terminal_is_escaped() {
        for kept in ["22334455;ext=12", "\"Kari\" <sip:1@[::1]>", "$ {x} \\ | ` Ærø 佐藤 👨\u{200d}👩"]
        {
            assert_eq!(printable(kept), kept);
        }
        assert_eq!(printable("a\u{1b}[31mb\r\nc\0\u{9b}"), "a\\u{1b}[31mb\\r\\nc\\u{0}\\u{9b}");
        assert_eq!(printable("\u{202e}gpj\u{2069}\u{200f}"), "\\u{202e}gpj\\u{2069}\\u{200f}");
    }
}
