//! The reasons why a record has no usable number.

/// The reason why a record's number cannot be used. The record is counted and reported; it is never fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// Null or empty.
    #[error("there is no number")]
    Missing,
    /// The number 0.
    #[error("the number is zero")]
    Zero,
    /// Below zero.
    #[error("the number is negative")]
    Negative,
    /// `99.99`.
    #[error("the number has a fraction")]
    Fraction,
    /// Letters, or a plus sign behind the first digit.
    #[error("the text is not a number")]
    NotANumber,
    /// An extension follows the number.
    #[error("an extension follows the number, and no caller shows one")]
    Extension,
    /// More follows a whole number: the end of another number, or of a range.
    #[error(
        "more follows the number, such as the end of another number: write each number in full, with a / between them"
    )]
    Several,
    /// Longer than all numbers of its country, or than 15 digits.
    #[error("the number is longer than all known numbers of its country")]
    TooLong,
    /// No number of its country has so many digits.
    #[error("no number that is known in its country has that many digits")]
    ImpossibleLength,
    /// The number begins with a plus or `00` and a calling code that differs from its prefix.
    #[error("its plus and its prefix belong to different countries")]
    PrefixContradicts,
    /// The calling code is not assigned.
    #[error("its calling code is not assigned to any country")]
    UnknownCountryCode,
}

impl Unusable {
    /// Every reason, for counters.
    pub const ALL: [Self; 11] = [
        Self::Missing,
        Self::Zero,
        Self::Negative,
        Self::Fraction,
        Self::NotANumber,
        Self::Extension,
        Self::Several,
        Self::TooLong,
        Self::ImpossibleLength,
        Self::PrefixContradicts,
        Self::UnknownCountryCode,
    ];

    /// The reason in one word, for counters and JSON. The word does not change between releases.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Zero => "zero",
            Self::Negative => "negative",
            Self::Fraction => "fraction",
            Self::NotANumber => "not_a_number",
            Self::Extension => "extension",
            Self::Several => "several_numbers",
            Self::TooLong => "too_long",
            Self::ImpossibleLength => "impossible_length",
            Self::PrefixContradicts => "prefix_contradicts",
            Self::UnknownCountryCode => "unknown_country_code",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart_by_their_words() {
        let mut words = Unusable::ALL.map(Unusable::reason).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Unusable::ALL.len());
    }
}
