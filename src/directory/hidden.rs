//! The persons and companies of a number whose answer does not show them: colleagues behind the name of their company, people
//! without a company in common. Only where a page wants them; a call never reads them.

use super::{Company, Directory, Person};
use crate::directory::rows::Kind;
use crate::number::Number;

/// A person or a company of a [`Directory`], as a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u32);

/// A person or a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party<'d> {
    /// The person. None for a company.
    pub person: Option<Person<&'d str>>,
    /// The company: the person's, or the company itself.
    pub company: Option<Company<&'d str>>,
    /// The source's name in the configuration. "" for a company that only the configuration has.
    pub source: &'d str,
}

/// The hidden parties of all numbers.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The packed numbers in order, each with the start of its places.
    starts: Vec<(u64, u32)>,
    places: Vec<Place>,
}

impl Place {
    /// None if the row does not fit into 31 bits.
    pub(super) fn new(is_company: bool, row: usize) -> Option<Self> {
        let row = u32::try_from(row).ok().filter(|row| *row < 1 << 31)?;
        Some(Self(row << 1 | u32::from(is_company)))
    }

    fn row(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// A number for each place: at most twice as large as there are persons or companies.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether it is a company.
    #[must_use]
    pub fn is_company(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Hidden {
    /// Notes the parties of a number. Numbers come in order.
    pub(super) fn add(&mut self, number: Number, places: &[Place]) -> Option<()> {
        if !places.is_empty() {
            self.starts.push((number.packed(), u32::try_from(self.places.len()).ok()?));
            self.places.extend_from_slice(places);
        }
        Some(())
    }

    pub(super) fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn of(&self, number: Number) -> &[Place] {
        let Ok(at) = self.starts.binary_search_by_key(&number.packed(), |(number, _)| *number) else {
            return &[];
        };
        self.at(at)
    }

    fn at(&self, at: usize) -> &[Place] {
        let start = |at: usize| self.starts.get(at).map(|(_, start)| *start as usize);
        let (from, to) = (start(at).unwrap_or_default(), start(at + 1).unwrap_or(self.places.len()));
        self.places.get(from..to).unwrap_or_default()
    }
}

impl Directory {
    /// The parties of a number that its answer does not show.
    pub fn hidden(&self, number: Number) -> impl Iterator<Item = Party<'_>> {
        self.hidden.of(number).iter().filter_map(|place| self.party(*place))
    }

    /// The person or the company at a place of this directory.
    #[must_use]
    pub fn party(&self, place: Place) -> Option<Party<'_>> {
        let (person, company, origin) = if place.is_company() {
            let row = u32::try_from(place.row()).ok()?;
            (None, self.company(row), self.companies.get(place.row())?.origin)
        } else {
            let row = self.persons.get(place.row())?;
            let person =
                Person { id: row.id, name: self.texts.get(row.name), mrmrs: self.texts.get(row.mrmrs) };
            (Some(person), self.company(row.company), row.origin)
        };
        let source = self.origins.get(usize::from(origin)).map_or("", |origin| origin.source.as_str());
        Some(Party { person, company, source })
    }

    /// All persons and companies.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let persons = (0..self.persons.len()).filter_map(|row| Place::new(false, row));
        persons.chain((0..self.companies.len()).filter_map(|row| Place::new(true, row)))
    }

    /// The place of a person's company. None without one, and for a company.
    #[must_use]
    pub fn company_of(&self, place: Place) -> Option<Place> {
        let row = self.persons.get(place.row()).filter(|_| !place.is_company())?.company as usize;
        self.companies.get(row).and_then(|_| Place::new(true, row))
    }

    /// Each number with each of its persons and companies, the hidden ones, too. In no order.
    pub fn numbers_of_parties(&self) -> impl Iterator<Item = (Number, Place)> {
        let shown = self.index.pairs().flat_map(|(number, row)| {
            let (one, several) = match row.kind() {
                Kind::Person => (Place::new(false, row.row()), &[][..]),
                Kind::Company => (Place::new(true, row.row()), &[][..]),
                Kind::Shared => (None, self.sharing_at(row.row())),
                Kind::Ambiguous => (None, &[][..]),
            };
            let several = several.iter().filter_map(|row| Place::new(true, *row as usize));
            one.into_iter().chain(several).map(move |place| (number, place))
        });
        let hidden = self
            .hidden
            .starts
            .iter()
            .zip(0..)
            .flat_map(|((number, _), at)| self.hidden.at(at).iter().map(move |place| (*number, *place)));
        shown.chain(hidden).filter_map(|(number, place)| Some((Number::from_packed(number)?, place)))
    }
}
