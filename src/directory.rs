//! The directory: the numbers of all sources, each with a person or companies. Immutable; a refresh builds a new directory,
//! which replaces the old one as a whole ([`crate::lookup`]).
//!
//! A directory has choices (a person, a company, several companies), not rendered names. The settings decide how a name is
//! written ([`crate::name`]).
//!
//! - [`list`]: one list of entries, as a source delivered it
//! - [`merge`]: lists → directory; the choice between entries that share a number
//! - [`ranges`]: companies with a range of numbers
//! - `index`: number → row, by hash
//! - [`suppressed`]: numbers that must not be named
//! - `hidden`: the parties of a number that its answer does not show
//! - `rows`: the rows of persons and companies, and the row of a number
//! - `texts`: the names of the rows, in one piece of memory

mod hidden;
mod index;
pub mod list;
pub mod merge;
pub mod ranges;
mod rows;
pub mod suppressed;
mod texts;

pub use hidden::{Party, Place};

use hidden::Hidden;
use index::Index;
use ranges::Ranges;
use rows::{CompanyRow, Kind, PersonRow, SharedRow};
use texts::Texts;

use serde::{Serialize, Serializer};

use crate::name::{folded, looks_same};
use crate::number::Number;

/// The numbers of all sources.
#[derive(Debug, Default)]
pub struct Directory {
    /// Where entries come from. The earlier one counts for a party that several have.
    origins: Vec<Origin>,
    index: Index,
    persons: Vec<PersonRow>,
    companies: Vec<CompanyRow>,
    /// Companies that share a number, as rows of `companies`. A `SharedRow` is a part of it.
    sharing: Vec<u32>,
    shared: Vec<SharedRow>,
    ranges: Ranges,
    /// Empty unless a page wants it.
    hidden: Hidden,
    texts: Texts,
}

/// Where entries come from: a source, and the tag of its list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the configuration.
    pub source: String,
    /// The tag by which a dialplan routes the calls of these entries. Empty for none.
    pub tag: String,
}

/// A source without a tag.
impl From<&str> for Origin {
    fn from(source: &str) -> Self {
        Self { source: source.to_owned(), tag: String::new() }
    }
}

/// The answer of the directory for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'d> {
    /// The source's name in the configuration.
    pub source: &'d str,
    /// The tag of the list. Empty for none, and where the companies that share a number have different tags.
    pub tag: &'d str,
    /// The person or the companies.
    pub choice: Choice<'d>,
    /// Whether the number is the likeliest of its record. Else the record has another interpretation, and no other record
    /// has this number.
    pub likely: bool,
}

/// The person or the companies of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'d> {
    /// One person.
    Person {
        /// The person.
        person: Person<&'d str>,
        /// The person's company.
        company: Option<Company<&'d str>>,
    },
    /// A company, or several persons of it.
    Company(Company<&'d str>),
    /// Several companies share the number.
    Shared(Sharing<'d>),
    /// Several persons without a common company: no name can be right.
    Ambiguous,
}

impl Choice<'_> {
    /// Whether both look the same on a phone.
    #[must_use]
    pub fn looks_same(&self, other: &Choice<'_>) -> bool {
        match (self, other) {
            (
                Choice::Person { person: one, company: of_one },
                Choice::Person { person: other, company: of_other },
            ) => {
                let companies = of_one.zip(*of_other);
                looks_same(one.name, other.name)
                    && companies.is_none_or(|(one, other)| looks_same(one.name, other.name))
            }
            (Choice::Person { company: Some(one), .. } | Choice::Company(one), Choice::Company(other))
            | (Choice::Company(one), Choice::Person { company: Some(other), .. }) => {
                looks_same(one.name, other.name)
            }
            (Choice::Shared(one), Choice::Shared(other)) => {
                let names = |sharing: &Sharing<'_>| {
                    sharing.companies().map(|company| folded(company.name)).collect::<Vec<_>>()
                };
                names(one) == names(other)
            }
            _ => false,
        }
    }
}

/// A person of an answer. In a directory the texts are borrowed (`&str`); an answer that outlives its directory owns them
/// (`String`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Person<Text> {
    /// Id in the CRM, 0 for none.
    #[serde(serialize_with = "id_or_null")]
    pub id: u32,
    /// Full name as the CRM has it, not cleaned.
    pub name: Text,
    /// Form of address; may be empty.
    pub mrmrs: Text,
}

/// A company of an answer, as [`Person`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Company<Text> {
    /// Id in the CRM, 0 for none.
    #[serde(serialize_with = "id_or_null")]
    pub id: u32,
    /// Name as the CRM has it, not cleaned.
    pub name: Text,
}

// Serde passes fields by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn id_or_null<S: Serializer>(id: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    Some(*id).filter(|id| *id != 0).serialize(serializer)
}

impl Person<&str> {
    /// The person with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Person<String> {
        Person { id: self.id, name: self.name.to_owned(), mrmrs: self.mrmrs.to_owned() }
    }
}

impl Company<&str> {
    /// The company with a name of its own.
    #[must_use]
    pub fn into_owned(self) -> Company<String> {
        Company { id: self.id, name: self.name.to_owned() }
    }
}

/// The companies that share a number, ordered by name; at least two.
#[derive(Clone, Copy)]
pub struct Sharing<'d> {
    directory: &'d Directory,
    rows: &'d [u32],
}

impl<'d> Sharing<'d> {
    /// The companies.
    pub fn companies(&self) -> impl Iterator<Item = Company<&'d str>> + use<'d> {
        let directory = self.directory;
        self.rows.iter().filter_map(move |row| directory.company(*row))
    }
}

impl PartialEq for Sharing<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.companies().eq(other.companies())
    }
}

impl Eq for Sharing<'_> {}

impl std::fmt::Debug for Sharing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.companies()).finish()
    }
}

impl Directory {
    /// The count of numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The answer for `number`.
    #[must_use]
    pub fn find(&self, number: Number) -> Option<Found<'_>> {
        let row_ref = self.index.find(number.packed())?;
        let (origin, choice) = match row_ref.kind() {
            Kind::Person => {
                let row = self.persons.get(row_ref.row())?;
                let person =
                    Person { id: row.id, name: self.texts.get(row.name), mrmrs: self.texts.get(row.mrmrs) };
                (row.origin, Choice::Person { person, company: self.company(row.company) })
            }
            Kind::Company => {
                let row = u32::try_from(row_ref.row()).ok()?;
                (self.companies.get(row_ref.row())?.origin, Choice::Company(self.company(row)?))
            }
            Kind::Shared => {
                let rows = self.sharing_at(row_ref.row());
                let origin = self.companies.get(*rows.first()? as usize)?.origin;
                (origin, Choice::Shared(Sharing { directory: self, rows }))
            }
            Kind::Ambiguous => (u16::try_from(row_ref.row()).ok()?, Choice::Ambiguous),
        };
        let Origin { source, tag } = self.origins.get(usize::from(origin))?;
        let tag = match choice {
            Choice::Shared(sharing) if !self.have_all(sharing.rows, tag) => "",
            _ => tag,
        };
        Some(Found { source, tag, choice, likely: row_ref.is_likely() })
    }

    /// The companies of a row of `shared`, as rows.
    fn sharing_at(&self, row: usize) -> &[u32] {
        let Some(row) = self.shared.get(row) else { return &[] };
        let start = row.start as usize;
        self.sharing.get(start..start + row.count as usize).unwrap_or_default()
    }

    /// Whether the lists of all these companies have this tag.
    fn have_all(&self, companies: &[u32], tag: &str) -> bool {
        let tag_of = |row: &u32| {
            let origin = self.companies.get(*row as usize)?.origin;
            Some(self.origins.get(usize::from(origin))?.tag.as_str())
        };
        companies.iter().all(|row| tag_of(row) == Some(tag))
    }

    fn company(&self, row: u32) -> Option<Company<&str>> {
        let row = self.companies.get(row as usize)?;
        Some(Company { id: row.id, name: self.texts.get(row.name) })
    }
}
