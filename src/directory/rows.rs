//! The rows of persons and companies, and the row of a number.

use super::texts::Text;

/// A person. A person with several numbers is one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PersonRow {
    pub(super) id: u32,
    pub(super) name: Text,
    pub(super) mrmrs: Text,
    /// The row of the company; [`NO_COMPANY`] for none.
    pub(super) company: u32,
    pub(super) origin: u16,
}

pub(super) const NO_COMPANY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CompanyRow {
    pub(super) id: u32,
    pub(super) name: Text,
    /// [`NO_ORIGIN`] for a company that only the configuration has.
    pub(super) origin: u16,
}

pub(super) const NO_ORIGIN: u16 = u16::MAX;

/// A part of `Directory::sharing`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedRow {
    pub(super) start: u32,
    pub(super) count: u32,
}

/// The row of a number: the kind in the two lowest bits, then one bit for a less likely number of its record, then the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowRef(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Company,
    Shared,
    /// The row is that of the origin.
    Ambiguous,
}

impl RowRef {
    /// None if the row does not fit into 29 bits.
    pub(super) fn new(kind: Kind, row: usize) -> Option<Self> {
        let row = u32::try_from(row).ok().filter(|row| *row < 1 << 29)?;
        Some(Self(row << 3 | kind as u32))
    }

    /// The same, for a less likely number of its record.
    pub(super) fn unlikely(self) -> Self {
        Self(self.0 | 4)
    }

    pub(super) fn is_likely(self) -> bool {
        self.0 & 4 == 0
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Person,
            1 => Kind::Company,
            2 => Kind::Shared,
            _ => Kind::Ambiguous,
        }
    }

    pub(super) fn row(self) -> usize {
        (self.0 >> 3) as usize
    }
}
