//! Numbers and names as logs show them: enough to recognise one's own test call, too little to be
//! personal data of somebody else.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether logs are masked: one switch for the process, set once from `[log] mask` before anything is logged.
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

/// A caller's digits, or a number, for a log line: `+4722334455` is shown as `+4722••••55`.
///
/// What has fewer than seven characters is hidden whole: two shown digits of a short number tell it.
pub struct Number<'a>(pub &'a str);

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = is_on();
        let count = self.0.chars().count();
        let (first, last) = if count < 7 { (0, 0) } else { (count.saturating_sub(6).min(5), 2) };
        for (place, c) in self.0.chars().enumerate().take(64) {
            let shown = !masked || place < first || place >= count - last;
            write_visible(f, if shown { c } else { '•' })?;
        }
        Ok(())
    }
}

/// A person's or a company's name for a log line: each word keeps its first letter, `K••• N•••`.
pub struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !is_on() {
            return self.0.chars().try_for_each(|c| write_visible(f, c));
        }
        for (place, word) in self.0.split_whitespace().take(8).enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            if let Some(first) = word.chars().find(|c| c.is_alphanumeric()) {
                write!(f, "{first}•••")?;
            }
        }
        Ok(())
    }
}

/// Somebody else's text for a log line, such as a server's error message: its digits are hidden, but for
/// runs of up to four (a year, a status, a port). Digits with separators between them are one run: `22 33 44 55`.
pub struct Text<'a>(pub &'a str);

/// What stands between the digits of one number.
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
            let run = behind.find(|c: char| !c.is_numeric() && !is_separator(c)).unwrap_or(behind.len());
            let (digits, behind) = behind.split_at(run);
            let hidden = masked && digits.chars().filter(|c| c.is_numeric()).count() > 4;
            let shown = |c: char| if hidden && c.is_numeric() { '•' } else { c };
            digits.chars().try_for_each(|c| write_visible(f, shown(c)))?;
            rest = behind;
        }
        Ok(())
    }
}

/// A log line stays one line, whatever a caller or the CRM put into a number or a name.
fn write_visible(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        write!(f, "{}", c.escape_default())
    } else {
        write!(f, "{c}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_country_and_two_digits() {
        assert_eq!(Number("+4722334455").to_string(), "+4722••••55");
        assert_eq!(Number("4733").to_string(), "••••");
        assert_eq!(Number("22334455").to_string(), "22••••55");
        assert_eq!(Number("").to_string(), "");
    }

    #[test]
    fn a_name_keeps_its_initials() {
        assert_eq!(Name("Kari Nordmann (Fjord Sjømat AS)").to_string(), "K••• N••• F••• S••• A•••");
    }

    #[test]
    fn somebody_elses_text_shows_no_numbers() {
        assert_eq!(Text("Error 500 for 4722334455\n").to_string(), "Error 500 for ••••••••••\\n");
        assert_eq!(Text("at 22 33 44 55, port 8080").to_string(), "at •• •• •• ••, port 8080");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert!(!Number("+47\r\n22334455 evil\n").to_string().contains('\n'));
    }
}
