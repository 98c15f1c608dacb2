//! The text that a trunk or a PBX sends around a number, or in its place: an address, parameters, a word.
//!
//! `tel:` is RFC 3966, `sip:` and `sips:` are RFC 3261 §19.1. In both, parameters of the number follow a semicolon. `PJSIP`
//! cuts addresses down to their user; other channels and web clients do not.

/// Words in place of a number or a name, without blanks, dots, hyphens and underscores. RFC 3323 §4.1.1.3 has "anonymous",
/// 3GPP TS 24.229 "unavailable", Telcordia GR-30 `P` (private) and `O` (out of area), Asterisk's `CALLERPRES` the words with
/// "restricted", "unavailable" and "unknown". The other words come from providers.
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

/// "anonymous" on a keypad (ITU-T E.161), with a plus. No subscriber has this number: in Lesotho, +266, numbers have eight
/// digits.
const KEYPAD: &str = "+266696687";

/// A number, with the parts of its address.
pub(in crate::number) struct Address<'t> {
    /// Digits, a plus sign and separators, or a word in their place.
    pub number: &'t str,
    /// `+47` of `;phone-context=+47`: the digits that belong in front of the number (RFC 3966 §5.1.5).
    pub context: Option<&'t str>,
    /// Whether there is an extension, `;ext=`.
    pub extension: bool,
    /// The host of an address, without port.
    host: Option<&'t str>,
}

impl<'t> Address<'t> {
    /// Reads `text`. A text without address and parameters is a number as it is.
    pub(in crate::number) fn read(text: &'t str) -> Self {
        let text = text.split_once('<').map_or(text, |(_, inner)| inner.split('>').next().unwrap_or(inner));
        let text = text.trim().trim_matches('"');
        let (scheme, rest) = scheme(text);
        let (user, host) = match rest.split_once('@') {
            Some((user, host)) => (user, host.split([':', ';', '?']).next()),
            // An address without a user belongs to a machine, not to a caller.
            None if scheme == Some("sip") => ("", Some(rest)),
            None => (rest, None),
        };
        // A parameter begins with a letter. Digits behind a semicolon are not understood.
        let at = user.find(';').filter(|at| user[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
        let (number, parameters) = at.map_or((user, ""), |at| (&user[..at], &user[at + 1..]));
        // A SIP user may have a password.
        let number = host.map_or(number, |_| number.split(':').next().unwrap_or(number));
        let parameter = |name| parameters.split(';').find_map(|parameter| without_prefix(parameter, name));
        Self {
            number: number.trim(),
            context: parameter("phone-context=").filter(|context| context.starts_with('+')),
            extension: parameter("ext=").is_some(),
            host,
        }
    }

    /// Whether the caller is anonymous.
    pub(in crate::number) fn is_anonymous(&self) -> bool {
        let digits = self.number.trim_start_matches('+');
        // Providers send zeros for a withheld number where digits are required.
        let zeros = digits.len() > 3 && digits.bytes().all(|byte| byte == b'0');
        zeros
            || self.number == KEYPAD
            || names_nobody(self.number)
            // anonymous.invalid of RFC 3323, unknown.invalid of 3GPP TS 23.003 §13.7. RFC 2606 reserves `.invalid`.
            || self.host.is_some_and(|host| host.to_ascii_lowercase().ends_with(".invalid"))
    }
}

/// Whether `text` is a word for a withheld or unknown caller, in place of the number or the name.
#[must_use]
pub fn names_nobody(text: &str) -> bool {
    let is = |word: &str| {
        let letters = text.bytes().filter(|byte| !b" .-_".contains(byte));
        letters.map(|byte| byte.to_ascii_lowercase()).eq(word.bytes())
    };
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && WORDS.into_iter().any(is)
}

/// The marks in front of an extension, in lower case: of RFC 3966, and of libphonenumber.
const EXTENSION_MARKS: [&str; 13] =
    ["extensión", "extension", "extn", "ext", "xtn", "x", "anexo", "доб", "int", "#", "~", ",", ";"];

/// Whether `text` is a number with an extension, as in RFC 3966 or as people write: `;ext=12`, `x12`, `ext. 12`, `#12`,
/// `~12`, `,,12`.
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

/// The scheme (`sip` for `sips`), and the text behind it.
fn scheme(text: &str) -> (Option<&'static str>, &str) {
    [("tel:", "tel"), ("sip:", "sip"), ("sips:", "sip")]
        .into_iter()
        .find_map(|(prefix, scheme)| Some((Some(scheme), without_prefix(text, prefix)?)))
        .unwrap_or((None, text))
}

/// The text behind `prefix`, in upper or lower case.
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
        // 02 66 69 66 87 is a number in France.
        for text in ["", "kari", "266696687", "22334455", "000", "sip:kari@pbx.example.com"] {
            assert!(!Address::read(text).is_anonymous(), "{text}");
        }
    }
}
