//! Numbers as people write them. For pages: no call waits for it.

use super::Number;
use super::plan::country::Country;
use super::plan::numbering::numbering;

impl Number {
    /// The number as people of `home` write it: `22 33 44 55` for a number of their own country, `+46 8 123 456 78` for another
    /// one. A number that no format fits has no blanks.
    #[must_use]
    pub fn written(self, home: Country) -> String {
        let mut digits = "0".repeat(usize::from(self.leading_zeros()));
        digits.push_str(&self.national().to_string());
        let Some(code) = numbering().code(self.country_code()) else { return self.to_string() };
        let formats = code.main.formats();
        if home.calling_code() == code.code
            && let Some(written) = formats.national(digits.as_bytes())
        {
            return written;
        }
        match formats.international(digits.as_bytes()) {
            Some(written) => format!("+{} {written}", code.code),
            None => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_country_has_its_own_way() {
        // As Google's library writes them.
        for (code, zeros, national, home, written) in [
            (47, 0, 22_334_455, "NO", "22 33 44 55"),
            (47, 0, 40_612_345, "NO", "40 61 23 45"),
            (47, 0, 22_334_455, "SE", "+47 22 33 44 55"),
            (46, 0, 8_123_456, "SE", "08-12 34 56"),
            (46, 0, 8_123_456, "NO", "+46 8 12 34 56"),
            (45, 0, 32_123_456, "NO", "+45 32 12 34 56"),
            (44, 0, 2_070_313_000, "GB", "020 7031 3000"),
            (44, 0, 7_912_345_678, "NO", "+44 7912 345678"),
            (1, 0, 6_502_530_000, "US", "(650) 253-0000"),
            (1, 0, 6_502_530_000, "CA", "(650) 253-0000"),
            (1, 0, 6_502_530_000, "NO", "+1 650-253-0000"),
            (49, 0, 30_123_456, "DE", "030 123456"),
            (49, 0, 15_123_456_789, "NO", "+49 1512 3456789"),
            (33, 0, 631_966_543, "FR", "06 31 96 65 43"),
            (39, 1, 212_348_326, "IT", "02 1234 8326"),
            (39, 1, 212_348_326, "NO", "+39 02 1234 8326"),
            (800, 0, 12_345_678, "NO", "+800 1234 5678"),
            // Argentina turns the groups of a mobile around.
            (54, 0, 91_123_456_789, "AR", "011 15-2345-6789"),
            (54, 0, 91_123_456_789, "NO", "+54 9 11 2345-6789"),
            // No format fits, and no country has the code.
            (47, 0, 1, "NO", "+471"),
            (999, 0, 12_345, "NO", "+99912345"),
        ] {
            let number = Number::with_zeros(code, zeros, national).unwrap();
            assert_eq!(number.written(home.parse().unwrap()), written, "{number} in {home}");
        }
    }

    #[test]
    fn every_format_of_every_country_can_be_read() {
        // In a debug build a pattern that can't be compiled stops this.
        numbering().regions().iter().for_each(|region| drop(region.formats().national(b"12345678")));
    }
}
