//! Ranges that are guessed from the number of a company's switchboard: `+49 30 123456-0` has the numbers behind `+49 30
//! 123456`.
//!
//! A guess is given up if the directory contradicts it, because no name is better than a wrong name:
//!
//! - A number of somebody else that differs only in the last digit from the switchboard's: there is no range, because the
//!   switchboard is an ordinary number among its neighbours.
//! - A longer number of somebody else behind the stem: the numbers that share one more digit with it than the stem are not
//!   in the range. Behind `+49 30 1234`, somebody else's `+49 30 123456` takes `+49 30 12345…` away.
//!
//! Somebody else is everybody but the company and its persons; also a person without a company.

use crate::directory::Directory;
use crate::directory::index::Index;
use crate::directory::rows::{CompanyRow, Kind, NO_COMPANY, RowRef};
use crate::name::looks_same;
use crate::number::Number;

/// The most digits of an extension.
const DIGITS: u32 = 4;

/// The switchboards of a directory.
#[derive(Debug, Default)]
pub(in crate::directory) struct Switchboards {
    /// Stem → row.
    index: Index,
    rows: Vec<SwitchboardRow>,
}

#[derive(Clone, Copy, Debug)]
struct SwitchboardRow {
    /// The row of the company.
    company: u32,
    /// One bit for each first digit behind the stem that somebody else has.
    taken: u16,
}

impl Switchboards {
    /// Checks each stem. `found` are the stems with the rows of their companies, `numbers` the numbers of the directory, in
    /// order. None if there is no room.
    pub(in crate::directory) fn build(
        found: &[(Number, u32)],
        numbers: &[(u64, RowRef)],
        directory: &Directory,
    ) -> Option<Self> {
        let mut rows = Vec::new();
        let mut pairs = Vec::new();
        for (stem, company) in found {
            if let Some(taken) = taken(*stem, *company, numbers, directory) {
                pairs.push((stem.packed(), RowRef::new(Kind::Company, rows.len())?));
                rows.push(SwitchboardRow { company: *company, taken });
            }
        }
        Some(Self { index: Index::build(&pairs)?, rows })
    }

    /// The longest stem of `number`, and the row of its company. `narrower` tells whether a range of this count of numbers
    /// is wanted.
    pub(super) fn find(&self, number: Number, narrower: impl Fn(u64) -> bool) -> Option<(Number, u32)> {
        if self.rows.is_empty() {
            return None;
        }
        let mut width = 1;
        for _ in 0..DIGITS {
            let digit = number.national() / width % 10;
            width *= 10;
            if !narrower(width) {
                return None;
            }
            let stem = Number::new(number.country_code(), number.national() / width)?;
            let row = self.index.find(stem.packed()).and_then(|row_ref| self.rows.get(row_ref.row()));
            if let Some(row) = row.filter(|row| row.taken & 1 << digit == 0) {
                return Some((stem, row.company));
            }
        }
        None
    }
}

/// The first digits behind the stem that somebody else has. None if there is no range.
fn taken(stem: Number, company: u32, numbers: &[(u64, RowRef)], directory: &Directory) -> Option<u16> {
    let mut taken = 0;
    let mut width = 1;
    for digits in 1..=DIGITS {
        let block = width;
        width *= 10;
        let Some(first) = stem.national().checked_mul(width) else { break };
        let (Some(from), Some(to)) =
            (Number::new(stem.country_code(), first), Number::new(stem.country_code(), first + (width - 1)))
        else {
            break;
        };
        let start = numbers.partition_point(|(number, _)| *number < from.packed());
        let behind = numbers.get(start..).unwrap_or_default().iter();
        let behind = behind.take_while(|(number, _)| *number <= to.packed());
        for (number, _) in behind.filter(|(_, row_ref)| !belongs(*row_ref, company, directory)) {
            if digits == 1 {
                return None;
            }
            taken |= 1 << ((number - from.packed()) / block);
        }
    }
    Some(taken)
}

/// Whether a number belongs to the company or one of its persons.
fn belongs(row_ref: RowRef, company: u32, directory: &Directory) -> bool {
    let other = match row_ref.kind() {
        Kind::Person => directory.persons.get(row_ref.row()).map_or(NO_COMPANY, |person| person.company),
        Kind::Company => u32::try_from(row_ref.row()).unwrap_or(NO_COMPANY),
        Kind::Shared | Kind::Ambiguous => return false,
    };
    let row = |row: u32| directory.companies.get(row as usize);
    row(company).zip(row(other)).is_some_and(|(one, other)| same(one, other, directory))
}

/// Whether two rows are one company: the same id in one source, or the same name, because then the name is right.
fn same(one: &CompanyRow, other: &CompanyRow, directory: &Directory) -> bool {
    let name = |row: &CompanyRow| directory.texts.get(row.name);
    let source =
        |row: &CompanyRow| directory.origins.get(usize::from(row.origin)).map(|origin| &origin.source);
    let by_id = one.id != 0 && one.id == other.id && source(one) == source(other);
    by_id || looks_same(name(one), name(other))
}
