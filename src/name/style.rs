//! How names are written: the settings of `[names]`, and what each kind of answer looks like by them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::template::Part;
use super::{DOUBTFUL, MAX_BYTES, Name, Parts, Template, clamp, clean, cleaned, ellipsis, existing};

/// The settings of `[names]`, and the `prefix` of each source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// For a person.
    pub person: Template,
    /// For a company, and for several persons of one company.
    pub company: Template,
    /// For several companies that share a number; `{company}` stands for all of them: `Acme / Globex`.
    pub shared: Template,
    /// For a company that is only likely. It shows another text than `company` does: [`Style::marks_guesses`].
    pub guess: Template,
    /// The longest name, in bytes of UTF-8: 1 to [`MAX_BYTES`].
    pub max_bytes: usize,
    /// Transliterate to ASCII, for phones that know no other letters.
    pub ascii: bool,
    /// Whether a call that brings a name along keeps it.
    pub keep_existing: bool,
    /// What else is no name that a call brings along.
    pub placeholders: Placeholders,
    /// What becomes of a name where the caller's digits are also those of somebody else.
    pub doubtful: Doubtful,
    /// What stands in front of each name of a source, by the source's name.
    pub prefixes: BTreeMap<String, Prefix>,
}

/// What becomes of a name where the caller's digits can be read in two ways and each is somebody else's: `[names] doubtful`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubtful {
    /// It is marked: `~Kari Nordmann (Fjord AS)`.
    #[default]
    Mark,
    /// It is shown as any other.
    Show,
    /// It is not shown.
    None,
}

/// What a provider sends in place of a name, beside what is known of that: a town, or a word of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders(Vec<String>);

impl Placeholders {
    /// These texts, of which case, accents, blanks and signs play no part.
    ///
    /// # Errors
    ///
    /// The first text that has no letter: every name without one is none anyway.
    pub fn new(texts: &[String]) -> Result<Self, &str> {
        match texts
            .iter()
            .find(|text| !existing::placeholder_key(text).bytes().any(|byte| byte.is_ascii_alphabetic()))
        {
            Some(wrong) => Err(wrong),
            None => Ok(Self(texts.iter().map(|text| existing::placeholder_key(text)).collect())),
        }
    }
}

/// What stands in front of each name of a source: `VIP `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The longest prefix, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 16;

    /// The prefix of this text, of which one blank is kept at the end; none where the text is not clean, shows
    /// nothing, or is longer than [`Prefix::MAX_BYTES`].
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let shown = clean::clean(text);
        if shown != text.trim() || !clean::has_shape(&shown) {
            return None;
        }
        let blank = if text.ends_with(' ') { " " } else { "" };
        Some(Self(shown + blank)).filter(|prefix| prefix.0.len() <= Self::MAX_BYTES)
    }

    /// As it is shown.
    #[must_use]
    pub fn shown(&self, ascii: bool) -> String {
        if !ascii {
            return self.0.clone();
        }
        let mut shown = cleaned(&self.0, ascii);
        if self.0.ends_with(' ') {
            shown.push(' ');
        }
        shown
    }
}

impl Default for Style {
    fn default() -> Self {
        Self {
            person: Template::default_person(),
            company: Template::default_company(),
            shared: Template::default_company(),
            guess: Template::default_guess(),
            max_bytes: MAX_BYTES,
            ascii: false,
            keep_existing: false,
            placeholders: Placeholders::default(),
            doubtful: Doubtful::default(),
            prefixes: BTreeMap::new(),
        }
    }
}

impl Style {
    /// A person's name; one whom the CRM knows by company only is shown as the company. Where it is too long the
    /// company is cut before the person, and goes with its brackets where hardly anything of it would be left.
    #[must_use]
    pub fn person(&self, parts: &Parts<'_>) -> Option<Name> {
        if !self.has_person(parts.person) {
            return self.company(parts.company, parts.source);
        }
        self.certain(&self.person, parts)
    }

    /// Whether a person's name shows anything; else the company is shown.
    #[must_use]
    pub fn has_person(&self, person: &str) -> bool {
        !self.part(person).is_empty()
    }

    /// A company's name; `source` is that of the source that knows it.
    #[must_use]
    pub fn company(&self, company: &str, source: &str) -> Option<Name> {
        self.certain(&self.company, &Parts { company, source, ..Parts::default() })
    }

    /// The name of a number that several companies share: `Acme / Globex`. None where not even two of them can be
    /// shown: one alone would be taken for certain.
    #[must_use]
    pub fn shared<'a>(&self, companies: impl IntoIterator<Item = &'a str>, source: &str) -> Option<Name> {
        let companies: Vec<_> = companies.into_iter().map(|company| self.part(company)).collect();
        if companies.iter().any(String::is_empty) {
            return None;
        }
        let whole = companies.join(" / ");
        let parts = Parts { company: &whole, source, ..Parts::default() };
        let room = self.room(source)?;
        let text = self.text(&self.shared, &parts);
        let left = left(&text, &self.shared, Part::Company, whole.len(), room)?;
        let joined = clamp::join(&companies, left, ellipsis(self.ascii))?;
        self.finish(self.text(&self.shared, &Parts { company: &joined, ..parts }), source)
    }

    /// The name of a company that is only likely: `~Acme`. None where there is no room for the company with all
    /// that marks it: without its mark it would be taken for certain.
    #[must_use]
    pub fn guess(&self, company: &str, source: &str) -> Option<Name> {
        let company = self.part(company);
        if company.is_empty() {
            return None;
        }
        let parts = Parts { company: &company, source, ..Parts::default() };
        self.finish(self.fit(&self.guess, &parts, self.room(source)?)?, source)
    }

    /// Whether a guess can be told from a company that is known. An ellipsis is no mark: a long name ends in one too.
    /// Nor is the source: a range whose company the configuration alone names has none.
    #[must_use]
    pub fn marks_guesses(&self) -> bool {
        let shown = |template, source| {
            let text = self.text(template, &Parts { company: "Fjord", source, ..Parts::default() });
            text.trim_end_matches([' ', '.', '…']).to_owned()
        };
        ["crm", ""].into_iter().all(|source| shown(&self.guess, source) != shown(&self.company, source))
    }

    /// The same with room for the mark of a doubtful name ([`Name::marked`]).
    #[must_use]
    pub fn with_room_for_mark(&self) -> Self {
        Self { max_bytes: self.max_bytes.saturating_sub(DOUBTFUL.len()), ..self.clone() }
    }

    /// Whether a call keeps the name that it brings along, `existing`, whatever is found: where that is wanted, and
    /// the name is one, and no number and no placeholder such as "anonymous".
    #[must_use]
    pub fn keeps(&self, existing: &str) -> bool {
        self.keep_existing && existing::is_name(existing, &self.placeholders.0)
    }

    /// A name that may be cut; none where the template names nobody. Where the template's words and the form of address
    /// leave no room for whom it names, they go.
    fn certain(&self, template: &Template, parts: &Parts<'_>) -> Option<Name> {
        let (person, company, mrmrs) =
            (self.part(parts.person), self.part(parts.company), self.part(parts.mrmrs));
        let parts = Parts { person: &person, company: &company, mrmrs: &mrmrs, source: parts.source };
        let named = [(Part::Person, &person), (Part::Company, &company)];
        if !named.iter().any(|(part, of)| !of.is_empty() && template.count(*part) > 0) {
            return None;
        }
        let room = self.room(parts.source)?;
        let without_address = Parts { mrmrs: "", ..parts };
        let text = self.fit(template, &parts, room).or_else(|| self.fit(template, &without_address, room));
        let text = text.or_else(|| {
            let (_, bare) = named.iter().find(|(part, of)| !of.is_empty() && template.count(*part) > 0)?;
            Some(clamp::cut(bare, room, ellipsis(self.ascii)).into_owned())
        });
        self.finish(text?, parts.source)
    }

    /// A part of a record as it may leave; empty where it shows nothing.
    fn part(&self, text: &str) -> String {
        Some(cleaned(text, self.ascii)).filter(|text| clean::has_shape(text)).unwrap_or_default()
    }

    /// The cleaned text of a template.
    fn text(&self, template: &Template, parts: &Parts<'_>) -> String {
        cleaned(&template.render(parts), self.ascii)
    }

    /// What a template of these settings gives before it is cut, behind its source's prefix.
    #[must_use]
    pub fn full(&self, template: &Template, parts: &Parts<'_>) -> String {
        self.prefix(parts.source).unwrap_or_default() + &self.text(template, parts)
    }

    /// How many bytes there are for a name behind its source's prefix.
    fn room(&self, source: &str) -> Option<usize> {
        let prefix = self.prefix(source).map_or(0, |prefix| prefix.len());
        self.max_bytes.min(MAX_BYTES).checked_sub(prefix).filter(|room| *room > 0)
    }

    fn prefix(&self, source: &str) -> Option<String> {
        self.prefixes.get(source).map(|prefix| prefix.shown(self.ascii))
    }

    /// The text of a template with its longest parts cut so that it has at most `room` bytes. None where that is not
    /// enough. The parts are cleaned.
    fn fit(&self, template: &Template, parts: &Parts<'_>, room: usize) -> Option<String> {
        let text = self.text(template, parts);
        if text.len() <= room {
            return Some(text);
        }
        let has = |part, of: &str| !of.is_empty() && template.count(part) > 0;
        let has_person = has(Part::Person, parts.person);
        let fitted = |part, of: &str, least| {
            let left = left(&text, template, part, of.len(), room).filter(|left| *left >= least)?;
            Some(clamp::cut(of, left, ellipsis(self.ascii)).into_owned()).filter(|cut| clean::has_shape(cut))
        };
        if has(Part::Company, parts.company) {
            let least = if has_person { clamp::LEAST_MARKED } else { 1 };
            match fitted(Part::Company, parts.company, least) {
                Some(company) => Some(self.text(template, &Parts { company: &company, ..*parts })),
                None if has_person => self.fit(template, &Parts { company: "", ..*parts }, room),
                None => None,
            }
        } else if has_person {
            // The rest of the template gives way to a person who would be but a letter beside it.
            let person = fitted(Part::Person, parts.person, clamp::LEAST_MARKED.min(parts.person.len()))?;
            Some(self.text(template, &Parts { person: &person, ..*parts }))
        } else {
            None
        }
        .filter(|text| text.len() <= room)
    }

    /// The name of a cleaned text that has its room, behind its source's prefix.
    fn finish(&self, text: String, source: &str) -> Option<Name> {
        if !clean::has_shape(&text) {
            return None;
        }
        Some(Name(match self.prefix(source) {
            Some(prefix) => prefix + &text,
            None => text,
        }))
    }
}

/// How many bytes are left for a part of `length` bytes in the `text` of a template, so that it has `room`; none
/// where the rest alone takes more, or the template does not name the part.
fn left(text: &str, template: &Template, part: Part, length: usize, room: usize) -> Option<usize> {
    let count = template.count(part);
    let rest = text.len().saturating_sub(count * length);
    room.checked_sub(rest)?.checked_div(count)
}

#[cfg(test)]
mod tests;
