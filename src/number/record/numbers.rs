//! The numbers of a record.

use crate::number::Number;

/// A number that a record may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordNumber {
    /// The number.
    pub number: Number,
    /// Whether the number is the likeliest of its record. A less likely number counts only if no other record has it.
    pub likely: bool,
}

/// The numbers of a record, at least one.
///
/// In some countries a national number may begin with the digits of the calling code, and people leave out the plus or write
/// the code twice: `4915112345678` in Germany is the mobile 0151 12345678, or 0491 5112345678 in Leer. Such a record has both
/// numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    items: Vec<RecordNumber>,
    ambiguous: bool,
    unplanned: bool,
}

impl Numbers {
    /// One certain number.
    pub(super) fn one(number: Number) -> Self {
        Self { items: vec![RecordNumber { number, likely: true }], ..Self::default() }
    }

    /// One number of a length that no plan knows.
    pub(super) fn unplanned(number: Number) -> Self {
        Self { unplanned: true, ..Self::one(number) }
    }

    /// These numbers, most likely first. None without a number.
    pub(super) fn of(numbers: impl IntoIterator<Item = RecordNumber>, ambiguous: bool) -> Option<Self> {
        let mut all = Self { ambiguous, ..Self::default() };
        numbers.into_iter().for_each(|number| all.add(number));
        all.ambiguous &= all.items.len() > 1;
        (!all.items.is_empty()).then_some(all)
    }

    /// The numbers, most likely first.
    pub fn iter(&self) -> impl Iterator<Item = RecordNumber> + '_ {
        self.items.iter().copied()
    }

    /// Whether the plan allows several interpretations of the record. Two numbers that differ only in a zero that the CRM may
    /// have lost are ambiguous if both are in use.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Whether no plan knows the length of a number. Such a number is compared as it is.
    #[must_use]
    pub fn is_unplanned(&self) -> bool {
        self.unplanned
    }

    /// Adds the numbers of another text.
    pub(super) fn extend(&mut self, other: Self) {
        self.unplanned |= other.unplanned;
        self.ambiguous |= other.ambiguous;
        other.items.into_iter().for_each(|number| self.add(number));
    }

    /// The wanted numbers. None if no number is wanted.
    pub(super) fn only(mut self, wanted: impl Fn(Number) -> bool) -> Option<Self> {
        self.items.retain(|item| wanted(item.number));
        if self.items.iter().all(|item| !item.likely) {
            self.items.first_mut()?.likely = true;
        }
        self.ambiguous &= self.items.len() > 1;
        Some(self)
    }

    /// Each number in another form. Two numbers that become the same are one.
    pub(super) fn each(self, other: impl Fn(Number) -> Number) -> Self {
        let Self { items, ambiguous, unplanned } = self;
        let mut all = Self { ambiguous, unplanned, ..Self::default() };
        items.into_iter().for_each(|item| all.add(RecordNumber { number: other(item.number), ..item }));
        all.ambiguous &= all.items.len() > 1;
        all
    }

    fn add(&mut self, new: RecordNumber) {
        match self.items.iter_mut().find(|item| item.number == new.number) {
            Some(item) => item.likely |= new.likely,
            None => self.items.push(new),
        }
    }
}
