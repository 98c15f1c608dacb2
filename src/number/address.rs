//! What a trunk or a PBX sends around a number: an address, parameters, or a word instead of it.
//!
//! `tel:` is RFC 3966, `sip:` and `sips:` are RFC 3261 §19.1; both carry the number's parameters behind a
//! semicolon. `PJSIP` cuts addresses down to their user, other channels and web clients do not.

/// Words in place of a number or a name, without blanks, dots, hyphens and underscores. RFC 3323 §4.1.1.3 has
/// "anonymous", 3GPP TS 24.229 "unavailable", Telcordia GR-30 `P` (private) and `O` (out of area), Asterisk's
/// `CALLERPRES` the forms with "restricted", "unavailable" and "unknown"; the others are what providers write.
const WORDS: [&str; 25] = [
    "anonym",
    "anonymous",
    "anonymouscaller",
    "blocked",
    "callerunknown",
    "hidden",
    "hiddennumber",
    "noname",
    "nonumber",
    "notavailable",
    "numberwithheld",
    "o",
    "outofarea",
    "p",
    "private",
    "privatecaller",
    "privatenumber",
    "restricted",
    "restrictednumber",
    "unavailable",
    "unidentified",
    "unknown",
    "unknowncaller",
    "unknownnumber",
    "withheld",
];

/// "anonymous" on a keypad (ITU-T E.161), with a plus: in Lesotho, +266, numbers have eight digits, so
/// it is nobody's.
const KEYPAD: &str = "+266696687";

/// A number with what was sent around it.
pub(in crate::number) struct Address<'t> {
    /// Digits, a plus sign and separators, or what stands there instead.
    pub number: &'t str,
    /// `+47` of `;phone-context=+47`: what the number lacks in front (RFC 3966 §5.1.5).
    pub context: Option<&'t str>,
    /// Whether `;ext=` names an extension behind the number.
    pub extension: bool,
    /// Of an address, what follows the `@`, without port.
    host: Option<&'t str>,
}

impl<'t> Address<'t> {
    /// Takes `text` apart; a text that is no address and has no parameters is a number as it is.
    pub(in crate::number) fn read(text: &'t str) -> Self {
        let text = text.split_once('<').map_or(text, |(_, inner)| inner.split('>').next().unwrap_or(inner));
        let text = text.trim().trim_matches('"');
        let (scheme, rest) = scheme(text);
        let (user, host) = match rest.split_once('@') {
            Some((user, host)) => (user, host.split([':', ';', '?']).next()),
            // An address without a user is of a machine, not of a caller.
            None if scheme == Some("sip") => ("", Some(rest)),
            None => (rest, None),
        };
        // Behind a semicolon a parameter begins with a letter; digits behind one are no number that we know.
        let at = user.find(';').filter(|at| user[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
        let (number, parameters) = at.map_or((user, ""), |at| (&user[..at], &user[at + 1..]));
        // A password may follow a SIP user.
        let number = host.map_or(number, |_| number.split(':').next().unwrap_or(number));
        let parameter = |name| parameters.split(';').find_map(|parameter| without_prefix(parameter, name));
        Self {
            number: number.trim(),
            context: parameter("phone-context=").filter(|context| context.starts_with('+')),
            extension: parameter("ext=").is_some(),
            host,
        }
    }

    /// Whether it says that the caller has no number to show.
    pub(in crate::number) fn is_anonymous(&self) -> bool {
        let digits = self.number.trim_start_matches('+');
        // What providers send for a withheld number where a digit is a must.
        let zeros = digits.len() > 3 && digits.bytes().all(|byte| byte == b'0');
        zeros
            || self.number == KEYPAD
            || names_nobody(self.number)
            // anonymous.invalid of RFC 3323, unknown.invalid of 3GPP TS 23.003 §13.7: RFC 2606 keeps it from everybody.
            || self.host.is_some_and(|host| host.to_ascii_lowercase().ends_with(".invalid"))
    }
}

/// Whether `text` is a word that stands for a caller who is withheld or unknown, in place of the number or of the name.
#[must_use]
pub fn names_nobody(text: &str) -> bool {
    let is = |word: &str| {
        let letters = text.bytes().filter(|byte| !b" .-_".contains(byte));
        letters.map(|byte| byte.to_ascii_lowercase()).eq(word.bytes())
    };
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && WORDS.into_iter().any(is)
}

/// What stands between a number and its extension, in small letters: RFC 3966, and what libphonenumber knows.
const EXTENSION_MARKS: [&str; 13] =
    ["extensión", "extension", "extn", "ext", "xtn", "x", "anexo", "доб", "int", "#", "~", ",", ";"];

/// Whether `text` is a number with an extension behind it, in the way of RFC 3966 or of people: `;ext=12`, `x12`,
/// `ext. 12`, `#12`, `~12`, `,,12`.
pub(in crate::number) fn has_extension(text: &str) -> bool {
    if Address::read(text).extension {
        return true;
    }
    let is_mark = |c: char| c.is_alphabetic() || "#＃~～∼⁓,;".contains(c);
    let Some(at) = text.find(is_mark) else { return false };
    let (number, rest) = text.split_at(at);
    let rest = rest.to_lowercase().replace('＃', "#").replace(['～', '∼', '⁓'], "~");
    let mark = EXTENSION_MARKS.into_iter().find_map(|mark| rest.strip_prefix(mark));
    let extension =
        mark.map(|rest| rest.trim_start_matches([' ', '.', ':', ',', '-']).trim_end_matches([' ', '#']));
    number.bytes().any(|byte| byte.is_ascii_digit())
        && extension
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The scheme, `sips` counted as `sip`, and what follows it.
fn scheme(text: &str) -> (Option<&'static str>, &str) {
    [("tel:", "tel"), ("sip:", "sip"), ("sips:", "sip")]
        .into_iter()
        .find_map(|(prefix, scheme)| Some((Some(scheme), without_prefix(text, prefix)?)))
        .unwrap_or((None, text))
}

/// What follows `prefix`, in whichever case it is written.
fn without_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_every_form_of_address() {
        for text in [
            "+4722334455",
            "tel:+4722334455",
            "TEL:+4722334455;ext=12",
            "+4722334455;isub=1;ext=12",
            "sip:+4722334455@pbx.example.com",
            "sip:+4722334455;phone-context=example.com@pbx.example.com:5060;user=phone",
            "sips:+4722334455:secret@192.0.2.1;transport=tls?Subject=x",
            "\"Kari\" <sip:+4722334455@pbx.example.com>;tag=1",
            "<tel:+4722334455>",
            "\"+4722334455\"",
        ] {
            let sent = Address::read(text);
            assert_eq!(sent.number, "+4722334455", "{text}");
            assert_eq!(sent.extension, text.contains(";ext="), "{text}");
            assert!(!sent.is_anonymous(), "{text}");
        }
        // RFC 3261 §19.1.1: the user may be absent; the host's digits are no caller's.
        assert_eq!(Address::read("sip:192.0.2.1").number, "");
        assert_eq!(Address::read("12;34").number, "12;34");
    }

    #[test]
    fn an_extension_behind_a_number_is_seen() {
        for text in [
            "22334455;ext=12",
            "tel:+4722334455;ext=12",
            "+47 22 33 44 55 x12",
            "22334455 ext. 12",
            "22334455 Extension: 12 ",
            "22334455#12",
            "22334455 ~12",
            "22334455～12",
            "22334455,,12#",
            "22334455;12",
            "22334455 доб. 12",
        ] {
            assert!(has_extension(text), "{text}");
        }
        for text in [
            "22334455",
            "x12",
            "22334455 x",
            "22334455 xavier",
            "1-800-FLOWERS",
            "ext 12",
            "~12",
            "22334455~",
        ] {
            assert!(!has_extension(text), "{text}");
        }
    }

    #[test]
    fn a_context_with_a_plus_is_what_the_number_lacks() {
        // RFC 3966 §6 has both.
        assert_eq!(Address::read("tel:7042;phone-context=example.com").context, None);
        assert_eq!(Address::read("tel:863-1234;phone-context=+1-914-555").context, Some("+1-914-555"));
    }

    #[test]
    fn a_withheld_number_is_known_in_all_its_spellings() {
        for text in [
            "anonymous",
            "Anonymous",
            "ANONYMOUS",
            "<sip:anonymous@anonymous.invalid>",
            "sip:c8oqz84zk7z@anonymous.invalid;transport=udp",
            "sip:unavailable@unknown.invalid",
            "\"Anonymous\"",
            "unknown",
            "Restricted",
            "unavailable",
            "Out-Of-Area",
            "No Number",
            "private_number",
            "P",
            "O",
            "0000000000",
            "+0000000000",
            "tel:+266696687",
        ] {
            assert!(Address::read(text).is_anonymous(), "{text}");
        }
        // In France 02 66 69 66 87 is somebody's.
        for text in ["", "kari", "266696687", "22334455", "000", "sip:kari@pbx.example.com"] {
            assert!(!Address::read(text).is_anonymous(), "{text}");
        }
    }
}
