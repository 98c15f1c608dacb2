//! The style of names: the settings of `[names]`, and the name of each kind of answer.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::template::Part;
use super::{DOUBTFUL, MAX_BYTES, Name, Parts, Template, clamp, clean, cleaned, ellipsis, existing};

/// The settings of `[names]`, and the `prefix` of each source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// The template for a person.
    pub person: Template,
    /// The template for a company, and for several persons of one company.
    pub company: Template,
    /// The template for several companies that share a number. `{company}` is all of them: `Acme / Globex`.
    pub shared: Template,
    /// The template for the company of a range. It must differ from `company`: [`Style::marks_guesses`].
    pub guess: Template,
    /// The longest name, in bytes of UTF-8: 1 to [`MAX_BYTES`].
    pub max_bytes: usize,
    /// Transliterate to ASCII, for phones without other letters.
    pub ascii: bool,
    /// Whether a call keeps the provider's name.
    pub keep_existing: bool,
    /// Further placeholders in a provider's name.
    pub placeholders: Placeholders,
    /// The treatment of a name in doubt.
    pub doubtful: Doubtful,
    /// The prefix of the names of each source, by the source's name.
    pub prefixes: BTreeMap<String, Prefix>,
}

/// The treatment of a name in doubt: the caller's digits have two readings, with different people. `[names] doubtful`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubtful {
    /// The name is marked: `~Kari Nordmann (Fjord AS)`.
    #[default]
    Mark,
    /// The name is shown as any other.
    Show,
    /// The name is not shown.
    None,
}

/// Further words of a provider in place of a name: a town, or a word of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders(Vec<String>);

impl Placeholders {
    /// These texts. Case, accents, blanks and signs do not count.
    ///
    /// # Errors
    ///
    /// The first text without a letter: a name without letters is never a name.
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

/// The prefix of the names of a source: `VIP `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The longest prefix, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 16;

    /// The prefix with this text; one blank at its end is kept. None if the text is not clean, not visible, or longer than
    /// [`Prefix::MAX_BYTES`].
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let shown = clean::clean(text);
        if shown != text.trim() || !clean::has_shape(&shown) {
            return None;
        }
        let blank = if text.ends_with(' ') { " " } else { "" };
        Some(Self(shown + blank)).filter(|prefix| prefix.0.len() <= Self::MAX_BYTES)
    }

    /// The prefix in the form that is shown.
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
    /// A person's name. A person without a visible name is shown as the company. If the name is too long, the company is cut
    /// before the person; if hardly anything of the company is left, the company is left out with its brackets.
    #[must_use]
    pub fn person(&self, parts: &Parts<'_>) -> Option<Name> {
        if !self.has_person(parts.person) {
            return self.company(parts.company, parts.source);
        }
        self.certain(&self.person, parts)
    }

    /// Whether a person's name is visible. If not, the company is shown.
    #[must_use]
    pub fn has_person(&self, person: &str) -> bool {
        !self.part(person).is_empty()
    }

    /// A company's name. `source` is the name of its source.
    #[must_use]
    pub fn company(&self, company: &str, source: &str) -> Option<Name> {
        self.certain(&self.company, &Parts { company, source, ..Parts::default() })
    }

    /// The name of companies that share a number: `Acme / Globex`. None if not even two companies are visible: one company
    /// alone would look certain.
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

    /// The name of the company of a range: `~Acme`. None if there is no room for the company and its mark: without the mark
    /// the name would look certain.
    #[must_use]
    pub fn guess(&self, company: &str, source: &str) -> Option<Name> {
        let company = self.part(company);
        if company.is_empty() {
            return None;
        }
        let parts = Parts { company: &company, source, ..Parts::default() };
        self.finish(self.fit(&self.guess, &parts, self.room(source)?)?, source)
    }

    /// Whether a guess looks different from a known company. An ellipsis is not a mark: a long name has one too. The source
    /// is not a mark: a company that only the configuration has is without a source.
    #[must_use]
    pub fn marks_guesses(&self) -> bool {
        let shown = |template, source| {
            let text = self.text(template, &Parts { company: "Fjord", source, ..Parts::default() });
            text.trim_end_matches([' ', '.', '…']).to_owned()
        };
        ["crm", ""].into_iter().all(|source| shown(&self.guess, source) != shown(&self.company, source))
    }

    /// The style with room for the mark of a name in doubt ([`Name::marked`]).
    #[must_use]
    pub fn with_room_for_mark(&self) -> Self {
        Self { max_bytes: self.max_bytes.saturating_sub(DOUBTFUL.len()), ..self.clone() }
    }

    /// Whether a call keeps the provider's name, `existing`: the setting wants it, and `existing` is a name, not a number or
    /// a placeholder such as "anonymous".
    #[must_use]
    pub fn keeps(&self, existing: &str) -> bool {
        self.keep_existing && existing::is_name(existing, &self.placeholders.0)
    }

    /// A name that may be cut. None if the template names nobody. If the words of the template or the form of address leave
    /// no room for the name, they are left out.
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

    /// A part of a record, cleaned. Empty if it is not visible.
    fn part(&self, text: &str) -> String {
        Some(cleaned(text, self.ascii)).filter(|text| clean::has_shape(text)).unwrap_or_default()
    }

    /// The cleaned text of a template.
    fn text(&self, template: &Template, parts: &Parts<'_>) -> String {
        cleaned(&template.render(parts), self.ascii)
    }

    /// The text of a template before it is cut, behind the prefix of its source.
    #[must_use]
    pub fn full(&self, template: &Template, parts: &Parts<'_>) -> String {
        self.prefix(parts.source).unwrap_or_default() + &self.text(template, parts)
    }

    /// The bytes for a name behind the prefix of its source.
    fn room(&self, source: &str) -> Option<usize> {
        let prefix = self.prefix(source).map_or(0, |prefix| prefix.len());
        self.max_bytes.min(MAX_BYTES).checked_sub(prefix).filter(|room| *room > 0)
    }

    fn prefix(&self, source: &str) -> Option<String> {
        self.prefixes.get(source).map(|prefix| prefix.shown(self.ascii))
    }

    /// The text of a template in at most `room` bytes, with its longest parts cut. None if that is not enough. The parts are
    /// cleaned.
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
            // A template whose rest leaves too little of the person does not fit.
            let person = fitted(Part::Person, parts.person, clamp::LEAST_MARKED.min(parts.person.len()))?;
            Some(self.text(template, &Parts { person: &person, ..*parts }))
        } else {
            None
        }
        .filter(|text| text.len() <= room)
    }

    /// The name with a cleaned text that fits, behind the prefix of its source.
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

/// The bytes for a part of `length` bytes in the `text` of a template, so that the text has `room`. None if the rest alone
/// is longer, or the template does not have the part.
fn left(text: &str, template: &Template, part: Part, length: usize, room: usize) -> Option<usize> {
    let count = template.count(part);
    let rest = text.len().saturating_sub(count * length);
    room.checked_sub(rest)?.checked_div(count)
}

#[cfg(test)]
mod tests;
