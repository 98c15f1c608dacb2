//! How logs show numbers and text from outside. A number keeps its calling code and its last two digits: enough to
//! recognise a test call. A masked number is still personal data, because the PBX's call records of that minute tell the
//! caller. Text that may contain a name is hidden whole.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether logs are masked. One switch for the process, set from `[log] mask` before the first line is logged.
static MASK: AtomicBool = AtomicBool::new(true);

/// Turns masking on (the default) or off for the whole process.
pub fn set(mask: bool) {
    MASK.store(mask, Ordering::Relaxed);
}

/// Whether numbers and names are masked.
#[must_use]
pub fn is_on() -> bool {
    MASK.load(Ordering::Relaxed)
}

/// The most characters of a number that are written.
const LONGEST: usize = 64;
/// Digits that are shown at a number's end.
const LAST: usize = 2;
/// At least so many digits are hidden: two shown digits of a short number would tell too much.
const HIDDEN: usize = 4;

/// A number for a log line: `+4722334455` is shown as `+47••••••55`, and the national number `22334455` as `••••••55`. A
/// short number is hidden whole. So is text that is no number: a caller or a record may have a name in place of the
/// number.
pub struct Number<'a>(pub &'a str);

impl Number<'_> {
    /// The number masked, whatever the logs show.
    #[must_use]
    pub fn masked(&self) -> String {
        let mut text = String::new();
        // A string takes all that is written.
        let _ = self.write(&mut text, true);
        text
    }

    fn write(&self, f: &mut impl fmt::Write, masked: bool) -> fmt::Result {
        let is_number = self.0.chars().all(|c| c.is_ascii_digit() || is_separator(c));
        let count = self.0.chars().filter(char::is_ascii_digit).count();
        let code = self.0.strip_prefix('+').map_or(0, calling_code);
        let is_long = is_number && count >= code + HIDDEN + LAST;
        let mut position = 0;
        for c in self.0.chars().take(LONGEST) {
            position += usize::from(c.is_ascii_digit());
            let shown = match c {
                '0'..='9' => is_long && (position <= code || position > count - LAST),
                _ => is_number,
            };
            write_visible(f, if masked && !shown { '•' } else { c })?;
        }
        Ok(())
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, is_on())
    }
}

/// How many digits the calling code of this international number has. `number` comes without its `+`. No calling code of
/// ITU-T E.164 is the beginning of another one.
fn calling_code(number: &str) -> usize {
    let mut digits = number.bytes().filter(u8::is_ascii_digit);
    match (digits.next(), digits.next()) {
        (Some(b'1' | b'7'), _) => 1,
        (Some(b'2'), Some(b'0' | b'7'))
        | (Some(b'3'), Some(b'0'..=b'4' | b'6' | b'9'))
        | (Some(b'4'), Some(b'0' | b'1' | b'3'..=b'9'))
        | (Some(b'5'), Some(b'1'..=b'8'))
        | (Some(b'6'), Some(b'0'..=b'6'))
        | (Some(b'8'), Some(b'1' | b'2' | b'4' | b'6'))
        | (Some(b'9'), Some(b'0'..=b'5' | b'8')) => 2,
        _ => 3,
    }
}

/// Text from outside that can't contain a name, such as a word of a dialplan. Its digits are hidden, except for runs of up
/// to four digits (a year, a status, a port). Only a letter ends a run: `22 33 44 55` is one run.
pub struct Text<'a>(pub &'a str);

/// Whether a character may stand between the digits of one number.
fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '.' | '-' | '(' | ')' | '/' | '+' | '\u{a0}')
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = is_on();
        let mut rest = self.0;
        while !rest.is_empty() {
            let text = rest.find(char::is_numeric).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(text);
            part.chars().try_for_each(|c| write_visible(f, c))?;
            let run = behind.find(char::is_alphabetic).unwrap_or(behind.len());
            let (digits, behind) = behind.split_at(run);
            let hidden = masked && digits.chars().filter(|c| c.is_numeric()).count() > 4;
            let shown = |c: char| if hidden && c.is_numeric() { '•' } else { c };
            digits.chars().try_for_each(|c| write_visible(f, shown(c)))?;
            rest = behind;
        }
        Ok(())
    }
}

/// Free text from outside, such as a server's error message. It may contain a name, so it is hidden whole.
pub struct Words<'a>(pub &'a str);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            _ if is_on() => f.write_str("`mask` hides its words"),
            words => words.chars().try_for_each(|c| write_visible(f, c)),
        }
    }
}

/// A technical word from outside, such as the type of an error. It is shown if it looks like such a word: no blanks, no
/// numbers.
pub struct Word<'a>(pub &'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 60;
        let is_word = self.0.len() <= LONGEST
            && self.0.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@'));
        if is_word { Text(self.0).fmt(f) } else { Words(self.0).fmt(f) }
    }
}

/// Writes a character, line breaks and control characters escaped: a caller or the CRM must not start a new log line.
fn write_visible(f: &mut impl fmt::Write, c: char) -> fmt::Result {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        write!(f, "{}", c.escape_default())
    } else {
        f.write_char(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_at_most_its_calling_code_and_two_digits() {
        for (number, shown) in [
            ("+4722334455", "+47••••••55"),
            ("+47 22 33 44 55", "+47 •• •• •• 55"),
            ("+12025550123", "+1••••••••23"),
            ("+35312345678", "+353••••••78"),
            ("22334455", "••••••55"),
            ("4722334455", "••••••••55"),
            ("004722334455", "••••••••••55"),
            ("+4712345", "+•••••••"),
            ("47333", "•••••"),
            ("", ""),
        ] {
            assert_eq!(Number(number).to_string(), shown, "{number}");
            assert_eq!(Number(number).masked(), shown, "{number}");
        }
    }

    #[test]
    fn text_in_place_of_a_number_is_hidden_whole() {
        for text in
            ["Kari Nordmann", "kari.nordmann", "sip:kari@fjord.example", "22334455;ext=17", "٢٢٣٣٤٤٥٥"]
        {
            let shown = Number(text).to_string();
            assert!(!shown.chars().any(char::is_alphanumeric), "{text}: {shown}");
        }
    }

    #[test]
    fn every_calling_code_is_found_whole() {
        // From the list of ITU-T E.164, by the number of digits of the code.
        for (numbers, digits) in [
            (&["1202", "7495"][..], 1),
            (&["2010", "2711", "3021", "3906", "4122", "4930", "5155", "5866", "6012", "6655"], 2),
            (&["8131", "8210", "8412", "8610", "9052", "9122", "9512", "9821"], 2),
            (&["2125", "2912", "3519", "3706", "3891", "4202", "5021", "5992", "6702", "6921"], 3),
            (&["8001", "8503", "8862", "9611", "9712", "9989"], 3),
        ] {
            for number in numbers {
                assert_eq!(calling_code(number), digits, "{number}");
            }
        }
    }

    #[test]
    fn text_from_outside_shows_no_numbers() {
        assert_eq!(Text("Error 500 for 4722334455\n").to_string(), "Error 500 for ••••••••••\\n");
        assert_eq!(Text("at 22 33 44 55, port 8080").to_string(), "at •• •• •• ••, port 8080");
        for number in ["22,33,44,55", "22:33:44:55", "22\t33\t44\t55", "22\u{2011}33\u{2011}44\u{2011}55"] {
            assert!(!Text(number).to_string().contains("22"), "{number}");
        }
    }

    #[test]
    fn free_text_is_hidden_and_a_technical_word_is_shown() {
        assert_eq!(Words("Kari Nordmann is locked").to_string(), "`mask` hides its words");
        assert_eq!(Words("").to_string(), "");
        assert_eq!(Word("SoSessionException").to_string(), "SoSessionException");
        for text in ["Kari Nordmann", "Kåre", "for 22334455"] {
            assert_eq!(Word(text).to_string(), "`mask` hides its words", "{text}");
        }
        assert_eq!(Word("user_22334455").to_string(), "user_••••••••");
    }

    #[test]
    fn a_line_break_is_escaped() {
        assert!(!Number("+47\r\n22334455 evil\n").to_string().contains('\n'));
    }
}
