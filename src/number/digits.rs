//! A text as digits and an optional plus sign.

use super::address::Address;

/// The longest text that is read, in bytes. The longest E.164 number has 15 digits (ITU-T E.164 §6.1), so there is room for
/// prefixes and separators.
pub(in crate::number) const MAX_BYTES: usize = 64;

/// The zero of every script in Unicode's basic plane with decimal digits (general category Nd). The other nine digits follow
/// it.
const ZEROS: [u32; 37] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x0030,
];

/// Digits `0` to `9`, at most [`MAX_BYTES`] of them, in order.
#[derive(Clone, Copy)]
pub(in crate::number) struct Digits {
    bytes: [u8; MAX_BYTES],
    len: usize,
}

impl Digits {
    pub(in crate::number) const fn new() -> Self {
        Self { bytes: [0; MAX_BYTES], len: 0 }
    }

    /// The digits of `parts` in a row. `None` if there is no room.
    pub(in crate::number) fn joined(parts: [&[u8]; 2]) -> Option<Self> {
        let mut digits = Self::new();
        for &byte in parts.into_iter().flatten() {
            digits.push(byte)?;
        }
        Some(digits)
    }

    /// The decimal digits of `value`, without leading zeros.
    pub(in crate::number) fn of(value: u64) -> Self {
        let mut digits = Self::new();
        let mut scale = 10_u64.pow(value.checked_ilog10().unwrap_or(0));
        while scale > 0 {
            // A remainder by ten is one digit, and a u64 has at most 20 of them.
            let digit = u8::try_from(value / scale % 10).unwrap_or(0);
            let _fits = digits.push(b'0' + digit);
            scale /= 10;
        }
        digits
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }
}

impl std::ops::Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // `len` counts the bytes that were pushed, so it is within the array.
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The value of the digits. `None` beyond 64 bits.
pub(in crate::number) fn integer(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// A dial string: the digits of a number, with or without a plus sign.
pub(in crate::number) struct DialString {
    digits: Digits,
    /// The count of digits in front of the plus sign. `None` without a plus sign.
    plus_at: Option<usize>,
    /// Whether an outside-line prefix has been taken off.
    pub(in crate::number) outside_line: bool,
    /// The count of digits in front of a zero in brackets, which is only dialled within the country: `+44 (0)20 …`.
    bracketed_zero_at: Option<usize>,
}

impl DialString {
    /// Reads `text`. `None` if `text` is longer than [`MAX_BYTES`], has no digit, or has other signs than digits, separators
    /// and a plus sign (which may be doubled): "anonymous", the name of a SIP user.
    pub(in crate::number) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut dial_string =
            Self { digits: Digits::new(), plus_at: None, outside_line: false, bracketed_zero_at: None };
        let mut last = ['\0'; 2];
        for c in text.chars() {
            match c {
                ')' if last == ['(', '0'] && dial_string.bracketed_zero_at.is_none() => {
                    dial_string.bracketed_zero_at =
                        dial_string.digits.len().checked_sub(1).filter(|&at| at > 0);
                }
                '0'..='9' => dial_string.digits.push(c as u8)?,
                '+' | '\u{FF0B}' if dial_string.plus_at.is_none_or(|at| at == dial_string.digits.len()) => {
                    dial_string.plus_at = Some(dial_string.digits.len());
                }
                c if is_separator(c) => {}
                c => dial_string.digits.push(digit(c)?)?,
            }
            last = [last[1], c];
        }
        (!dial_string.digits.is_empty()).then_some(dial_string)
    }

    /// Reads `text` as [`read`](Self::read), with or without an address around the number. Parameters are left out. The plus
    /// sign may be `%2B`, as in addresses.
    ///
    /// Prefixes of `strip_prefixes` with other signs than digits (`*31*`) are taken off here, the longest match first: no
    /// number has such signs. For prefixes of digits see [`behind`](Self::behind).
    pub(in crate::number) fn of_address(text: &str, strip_prefixes: &[String]) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let address = Address::read(text);
        let behind = strip_prefixes
            .iter()
            .filter(|prefix| prefix.contains(['*', '#']))
            .filter_map(|prefix| address.number.strip_prefix(prefix.as_str()))
            .min_by_key(|rest| rest.len());
        let number = behind.unwrap_or(address.number);
        let plus = number.strip_prefix("%2B").or_else(|| number.strip_prefix("%2b"));
        let mut dial_string = Self::read(plus.unwrap_or(number))?;
        dial_string.outside_line = behind.is_some();
        if plus.is_some() {
            dial_string.plus_at = dial_string.plus_at.or(Some(0));
        }
        match address.context {
            Some(context) if dial_string.plus_at.is_none() => {
                let context = Self::read(context)?;
                let digits = Digits::joined([&context.digits, &dial_string.digits])?;
                Some(Self { digits, outside_line: dial_string.outside_line, ..context })
            }
            _ => Some(dial_string),
        }
    }

    /// The dial string without a zero in brackets. `None` without such a zero behind other digits.
    pub(in crate::number) fn without_bracketed_zero(&self) -> Option<Self> {
        let at = self.bracketed_zero_at?;
        let digits = Digits::joined([self.digits.get(..at)?, self.digits.get(at + 1..)?])?;
        Some(Self { digits, bracketed_zero_at: None, ..*self })
    }

    /// The digits, if the plus sign is in front of them.
    pub(in crate::number) fn after_plus(&self) -> Option<&[u8]> {
        (self.plus_at == Some(0)).then_some(&*self.digits)
    }

    /// The digits, if there is no plus sign.
    pub(in crate::number) fn without_plus(&self) -> Option<&[u8]> {
        self.plus_at.is_none().then_some(&*self.digits)
    }

    /// The digits, if there is no plus sign behind the first digit.
    pub(in crate::number) fn digits(&self) -> Option<&[u8]> {
        self.after_plus().or(self.without_plus())
    }

    /// The dial string behind the outside-line digits `prefix`. `None` if the text does not begin with `prefix`, or if
    /// either is empty.
    pub(in crate::number) fn behind(&self, prefix: &str) -> Option<Self> {
        let rest = self.digits.strip_prefix(prefix.as_bytes())?;
        let plus_at = match self.plus_at {
            Some(at) => Some(at.checked_sub(prefix.len())?),
            None => None,
        };
        if rest.is_empty() || prefix.is_empty() {
            return None;
        }
        let digits = Digits::joined([rest, &[]])?;
        let bracketed_zero_at =
            self.bracketed_zero_at.and_then(|at| at.checked_sub(prefix.len())).filter(|&at| at > 0);
        Some(Self { digits, plus_at, outside_line: true, bracketed_zero_at })
    }
}

/// Characters that people and switches write between digits.
fn is_separator(c: char) -> bool {
    matches!(c,
        ' ' | '\t' | '-' | '.' | '(' | ')' | '/' | '[' | ']'
        // Blanks of other widths, invisible blanks, no-break blanks, and direction marks, which come with a number that is
        // copied from a right-to-left text.
        | '\u{A0}' | '\u{AD}' | '\u{2000}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{202F}'
        | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{3000}' | '\u{FEFF}'
        // Dashes, minus, the Japanese long-vowel sign.
        | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}'
        // Full-width forms of the ASCII separators.
        | '\u{FF08}' | '\u{FF09}' | '\u{FF0D}'..='\u{FF0F}' | '\u{FF3B}' | '\u{FF3D}')
}

/// The ASCII digit for a decimal digit of any script.
fn digit(c: char) -> Option<u8> {
    let zero = ZEROS.into_iter().find(|&zero| (zero..zero + 10).contains(&u32::from(c)))?;
    u8::try_from(u32::from(c) - zero).ok().map(|d| b'0' + d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Option<String> {
        DialString::read(text).map(|d| String::from_utf8(d.digits.to_vec()).unwrap())
    }

    #[test]
    fn separators_go_and_digits_of_any_script_stay() {
        assert_eq!(digits("(22) 33-44.55/1").as_deref(), Some("223344551"));
        assert_eq!(digits("２２　３３－４４").as_deref(), Some("223344"));
        assert_eq!(digits("٠١٢٣").as_deref(), Some("0123"));
        assert_eq!(digits("22\u{2007}33\u{2009}44").as_deref(), Some("223344"));
        assert_eq!(digits("\u{202A}4433\u{202C}").as_deref(), Some("4433"));
    }

    #[test]
    fn a_text_that_is_no_number_has_no_digits() {
        for text in ["", " ", "+", "anonymous", "1-800-FLOWERS", "12+34+5", "12;34", "sip:1@x", "22~33"] {
            let read = DialString::read(text);
            assert!(read.is_none_or(|d| d.after_plus().is_none() && d.without_plus().is_none()), "{text}");
        }
    }

    #[test]
    fn a_zero_in_brackets_can_be_left_out() {
        let without = |text| {
            let read = DialString::read(text).unwrap().without_bracketed_zero();
            read.map(|dial_string| String::from_utf8(dial_string.digits.to_vec()).unwrap())
        };
        assert_eq!(without("+47 (0) 22 33 44 55").as_deref(), Some("4722334455"));
        assert_eq!(without("0047(0)22").as_deref(), Some("004722"));
        for text in ["(0)22", "(022) 33", "(00)22", "22 0 33"] {
            assert_eq!(without(text), None, "{text}");
        }
        let behind = DialString::read("9 0047 (0)22").unwrap().behind("9").unwrap();
        assert_eq!(&*behind.without_bracketed_zero().unwrap().digits, b"004722");
    }

    #[test]
    fn a_plus_may_be_encoded_and_a_context_stands_in_front() {
        let after_plus = |text| DialString::of_address(text, &[])?.after_plus().map(<[u8]>::to_vec);
        assert_eq!(after_plus("%2B4722").unwrap(), b"4722");
        assert_eq!(after_plus("sip:%2b4722@pbx.example.com").unwrap(), b"4722");
        assert_eq!(after_plus("tel:863-1234;phone-context=+1-914-555").unwrap(), b"19145558631234");
        assert_eq!(after_plus("%2B+4722").unwrap(), b"4722");
        assert_eq!(after_plus("++4722").unwrap(), b"4722");
        assert_eq!(after_plus("%2B47+22"), None);
    }

    #[test]
    fn a_text_may_be_64_bytes_long_and_no_longer() {
        assert!(DialString::read(&"1".repeat(64)).is_some());
        assert!(DialString::read(&"1".repeat(65)).is_none());
    }

    #[test]
    fn a_plus_counts_at_the_start_also_after_the_outside_line() {
        assert_eq!(DialString::read("+47").unwrap().after_plus(), Some(&b"47"[..]));
        assert_eq!(DialString::read("＋47").unwrap().after_plus(), Some(&b"47"[..]));
        let dial_string = DialString::read("0+47").unwrap();
        assert_eq!(dial_string.after_plus(), None);
        assert_eq!(dial_string.without_plus(), None);
        let behind = dial_string.behind("0").unwrap();
        assert_eq!(behind.after_plus(), Some(&b"47"[..]));
        assert!(dial_string.behind("04").is_none());
    }

    #[test]
    fn signs_in_front_are_taken_off_before_the_digits_are_read() {
        let prefixes = ["*31*".to_owned(), "#".into(), "*".into(), "9".into()];
        let digits = |text| {
            DialString::of_address(text, &prefixes)
                .map(|dial_string| (dial_string.digits.to_vec(), dial_string.outside_line))
        };
        for text in ["*31*4722", "#4722", "*4722", "sip:*31*4722@pbx.example.com", "\"x\" <tel:#4722;ext=1>"]
        {
            assert_eq!(digits(text), Some((b"4722".to_vec(), true)), "{text}");
        }
        assert_eq!(digits("94722"), Some((b"94722".to_vec(), false)));
        for text in ["*31*", "47#22", "**4722", "#31#4722"] {
            assert_eq!(digits(text), None, "{text}");
        }
        assert_eq!(DialString::of_address("#+4722", &prefixes).unwrap().after_plus(), Some(&b"4722"[..]));
        assert!(DialString::of_address("*31*4722", &[]).is_none());
    }

    #[test]
    fn an_outside_line_needs_something_behind_it() {
        let dial_string = DialString::read("0").unwrap();
        assert!(dial_string.behind("0").is_none());
        assert!(dial_string.behind("").is_none());
        assert!(dial_string.behind("x").is_none());
    }

    #[test]
    fn an_integer_becomes_its_digits() {
        assert_eq!(&*Digits::of(0), b"0");
        assert_eq!(&*Digits::of(10), b"10");
        assert_eq!(&*Digits::of(u64::MAX), b"18446744073709551615");
    }
}
