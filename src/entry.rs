//! One record as every source delivers it: a number, and who is behind it.

use crate::number::Number;

/// A phone number with the person or the company that it belongs to.
///
/// A source delivers an entry only where at least one of the two names is there: a number without a
/// name is counted among the records that can't be used ([`crate::source::UnusableRecords`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number, as it is compared with a caller's.
    pub number: Number,
    /// The person's id in the CRM; 0 where the number is the company's own, or the source has no ids.
    pub person_id: u32,
    /// The person's full name; empty where the number is the company's own.
    pub person: String,
    /// The person's form of address ("Mrs"); often empty.
    pub mrmrs: String,
    /// The company's id in the CRM ("contact" is SuperOffice's word for a company); 0 where unknown.
    pub company_id: u32,
    /// The company's name; empty for a person without a company.
    pub company: String,
}
