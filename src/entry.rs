//! One record as every source delivers it: a number with its subscriber.

use crate::name;
use crate::number::{Number, Numbers, RecordNumber};

/// A phone number with its person or company: the form in which records come from sources, and go through lists and merges. The
/// other forms of a record are the packed one of a list in memory and on disk (`directory::list::record`), and the rows of a
/// directory, which have each name once (`directory::rows`). What is read from a packed record borrows its texts (`&str`); a million
/// of them are read in turn, and are not worth memory of their own.
///
/// At least one of the two names is there. A number without a name is counted among the unusable records
/// ([`crate::source::UnusableRecords`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<Text = String> {
    /// The number, in the form that is compared with a caller's.
    pub number: Number,
    /// The person's id in the CRM. 0 if the number is the company's own, or the source has no ids.
    pub person_id: u32,
    /// The person's full name. Empty if the number is the company's own.
    pub person: Text,
    /// The person's form of address ("Mrs"); often empty.
    pub mrmrs: Text,
    /// The company's id in the CRM, where a company is a "contact". 0 if unknown.
    pub company_id: u32,
    /// The company's name. Empty for a person without a company.
    pub company: Text,
    /// Whether this is the likeliest number of its record. A less likely number answers only if no other record has the
    /// number ([`Numbers`]).
    pub likely: bool,
}

impl Entry<&str> {
    /// The entry with texts of its own.
    #[must_use]
    pub fn owned(self) -> Entry {
        let Self { number, person_id, person, mrmrs, company_id, company, likely } = self;
        let (person, mrmrs, company) = (person.to_owned(), mrmrs.to_owned(), company.to_owned());
        Entry { number, person_id, person, mrmrs, company_id, company, likely }
    }
}

/// The subscriber of a number: a person, a company, or a person with a company. A source reads one record, whose numbers make an
/// [`Entry`] each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriber {
    /// As in [`Entry`].
    pub person_id: u32,
    /// As in [`Entry`].
    pub person: String,
    /// As in [`Entry`].
    pub mrmrs: String,
    /// As in [`Entry`].
    pub company_id: u32,
    /// As in [`Entry`].
    pub company: String,
}

impl Subscriber {
    /// The subscriber without placeholders: `-`, `null`, the company's name in place of the person's. None if no name is
    /// left.
    #[must_use]
    pub fn cleared(mut self) -> Option<Self> {
        if name::is_nobody(&self.company) {
            self.company.clear();
        }
        if name::is_nobody(&self.person) || name::looks_same(&self.person, &self.company) {
            self.person.clear();
            self.mrmrs.clear();
        }
        (!self.person.is_empty() || !self.company.is_empty()).then_some(self)
    }

    /// An entry for each number.
    pub fn entries(self, numbers: &Numbers) -> impl Iterator<Item = Entry> {
        numbers.iter().map(move |meant| self.clone().entry(meant))
    }

    /// The entry for one of the numbers.
    #[must_use]
    pub fn entry(self, RecordNumber { number, likely }: RecordNumber) -> Entry {
        let Self { person_id, person, mrmrs, company_id, company } = self;
        Entry { number, person_id, person, mrmrs, company_id, company, likely }
    }
}

#[cfg(test)]
impl Entry {
    /// An entry for tests: the likeliest number of a person at a company, each with id and name.
    pub(crate) fn example(number: Number, person: (u32, &str), company: (u32, &str)) -> Self {
        let ((person_id, person), (company_id, company)) = (person, company);
        let (person, company) = (person.to_owned(), company.to_owned());
        let subscriber = Subscriber { person_id, person, mrmrs: String::new(), company_id, company };
        subscriber.entry(RecordNumber { number, likely: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleared(person: &str, company: &str) -> Option<(u32, String, String)> {
        let named = Subscriber {
            person_id: 7,
            person: person.into(),
            company: company.into(),
            ..Subscriber::default()
        };
        named.cleared().map(|named| (named.person_id, named.person, named.company))
    }

    #[test]
    fn what_stands_in_place_of_a_name_is_none() {
        let fjord = || Some((7, String::new(), "Fjord Sjømat AS".into()));
        for person in [
            "",
            " ",
            "-",
            ".",
            "--",
            "–",
            "null",
            "NULL",
            "(null)",
            "n/a",
            "N.A.",
            "#N/A",
            "?",
            "null null",
            "- -",
        ] {
            assert_eq!(cleared(person, "Fjord Sjømat AS"), fjord(), "{person:?}");
            assert_eq!(cleared(person, ""), None, "{person:?}");
            assert_eq!(cleared("Kari", person), Some((7, "Kari".into(), String::new())), "{person:?}");
        }
        for person in ["Fjord Sjømat AS", "FJORD  SJØMAT AS", "Fjord Sj&oslash;mat AS"] {
            assert_eq!(cleared(person, "Fjord Sjømat AS"), fjord(), "{person:?}");
        }
        assert_eq!(cleared("Mu\u{308}ller", "Müller"), Some((7, String::new(), "Müller".into())));
        for person in ["Na", "None", "Kari", "★", "佐藤", "Null Berg", "---"] {
            assert_eq!(cleared(person, "").map(|(_, person, _)| person).as_deref(), Some(person));
        }
    }
}
