//! The directory: every number that a source knows, and who answers to it. Immutable; a new one is built
//! off the call's way and swapped in whole ([`crate::lookup`]).
//!
//! It holds choices (a person, a company, several companies), not rendered names: how a name is written
//! is the settings' business ([`crate::name`]).
//!
//! - [`list`]: one list of entries, as a source delivered it
//! - [`merge`]: lists → directory; who answers where several entries share a number
//! - [`ranges`]: companies whose range a number lies in that nobody has
//! - `index`: number → row, by hash
//! - `texts`: every name once, in one piece of memory

mod index;
pub mod list;
pub mod merge;
pub mod ranges;
mod texts;

use index::Index;
use ranges::Ranges;
use texts::{Text, Texts};

use crate::name::{folded, looks_same};
use crate::number::Number;

/// All numbers of all sources, ready to be asked.
#[derive(Debug, Default)]
pub struct Directory {
    /// Names of the sources in the order of the configuration.
    sources: Vec<String>,
    index: Index,
    persons: Vec<PersonRow>,
    companies: Vec<CompanyRow>,
    /// Companies that share a number, as rows of `companies`; `SharedRow` names a stretch.
    sharing: Vec<u32>,
    shared: Vec<SharedRow>,
    ranges: Ranges,
    texts: Texts,
}

/// A person; the same person with several numbers is one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PersonRow {
    id: u32,
    name: Text,
    mrmrs: Text,
    /// Row of the company, [`NO_COMPANY`] for none.
    company: u32,
    source: u16,
}

const NO_COMPANY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CompanyRow {
    id: u32,
    name: Text,
    /// [`NO_SOURCE`] for a company that the configuration alone names.
    source: u16,
}

const NO_SOURCE: u16 = u16::MAX;

/// A stretch of `Directory::sharing`.
#[derive(Clone, Copy, Debug)]
struct SharedRow {
    start: u32,
    count: u32,
}

/// What a number leads to: the kind in the two lowest bits, then whether the number is the likeliest of its record, the row
/// in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RowRef(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Person,
    Company,
    Shared,
    /// The row is the source that knows the number.
    Ambiguous,
}

impl RowRef {
    /// None where the row does not fit into 29 bits.
    fn new(kind: Kind, row: usize) -> Option<Self> {
        let row = u32::try_from(row).ok().filter(|row| *row < 1 << 29)?;
        Some(Self(row << 3 | kind as u32))
    }

    /// The same for a number that is not the likeliest of its record.
    fn unlikely(self) -> Self {
        Self(self.0 | 4)
    }

    fn is_likely(self) -> bool {
        self.0 & 4 == 0
    }

    fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Person,
            1 => Kind::Company,
            2 => Kind::Shared,
            _ => Kind::Ambiguous,
        }
    }

    fn row(self) -> usize {
        (self.0 >> 3) as usize
    }
}

/// Who answers to a number, and which source says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'d> {
    /// The source's name in the configuration.
    pub source: &'d str,
    /// Who it is.
    pub choice: Choice<'d>,
    /// Whether the number is the likeliest of its record; else the record can be read otherwise too, and no record has this
    /// number alone.
    pub likely: bool,
}

/// Who answers to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'d> {
    /// One person.
    Person {
        /// The person.
        person: Person<'d>,
        /// The person's company.
        company: Option<Company<'d>>,
    },
    /// A company, or several persons of it.
    Company(Company<'d>),
    /// Several companies share the number.
    Shared(Sharing<'d>),
    /// Several persons, and no company that is common to them: no name can be right.
    Ambiguous,
}

impl Choice<'_> {
    /// Whether both are the same to somebody who reads their names; nobody is the same as several of whom none is named.
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

/// A person of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'d> {
    /// Id in the CRM, 0 for none.
    pub id: u32,
    /// Full name as the CRM has it, not cleaned.
    pub name: &'d str,
    /// Form of address, may be empty.
    pub mrmrs: &'d str,
}

/// A company of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company<'d> {
    /// Id in the CRM, 0 for none.
    pub id: u32,
    /// Name as the CRM has it, not cleaned.
    pub name: &'d str,
}

/// The companies that share a number, by name; at least two.
#[derive(Clone, Copy)]
pub struct Sharing<'d> {
    directory: &'d Directory,
    rows: &'d [u32],
}

impl<'d> Sharing<'d> {
    /// The companies.
    pub fn companies(&self) -> impl Iterator<Item = Company<'d>> + use<'d> {
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
    /// How many numbers it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it knows no number at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who answers to `number`.
    #[must_use]
    pub fn find(&self, number: Number) -> Option<Found<'_>> {
        let target = self.index.find(number.packed())?;
        let (source, choice) = match target.kind() {
            Kind::Person => {
                let row = self.persons.get(target.row())?;
                let person =
                    Person { id: row.id, name: self.texts.get(row.name), mrmrs: self.texts.get(row.mrmrs) };
                (row.source, Choice::Person { person, company: self.company(row.company) })
            }
            Kind::Company => {
                let row = u32::try_from(target.row()).ok()?;
                (self.companies.get(target.row())?.source, Choice::Company(self.company(row)?))
            }
            Kind::Shared => {
                let row = self.shared.get(target.row())?;
                let start = row.start as usize;
                let rows = self.sharing.get(start..start + row.count as usize)?;
                let source = self.companies.get(*rows.first()? as usize)?.source;
                (source, Choice::Shared(Sharing { directory: self, rows }))
            }
            Kind::Ambiguous => (u16::try_from(target.row()).ok()?, Choice::Ambiguous),
        };
        Some(Found { source: self.sources.get(usize::from(source))?, choice, likely: target.is_likely() })
    }

    fn company(&self, row: u32) -> Option<Company<'_>> {
        let row = self.companies.get(row as usize)?;
        Some(Company { id: row.id, name: self.texts.get(row.name) })
    }
}
