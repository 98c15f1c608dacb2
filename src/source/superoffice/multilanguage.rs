//! Names in several languages: `NO:"Leverandør";US:"Supplier"`.
//!
//! SuperOffice resolves them by `Accept-Language`; without the header "multi-language names are unchanged" (its REST
//! documentation, "Languages"). Some answers are unchanged in spite of the header. A field's length can have cut the text.

/// SuperOffice's codes, with their languages in ISO 639 if the code differs: from
/// `CultureDataFormatter.MapSuperOfficeLanguageToCulture` (SuperOffice's SDK). Regions first.
const CODES: [(&str, &str); 13] = [
    ("pt-br", "BR"),
    ("de-ch", "CH"),
    ("en", "US"),
    ("nb", "NO"),
    ("nn", "NO"),
    ("sv", "SW"),
    ("de", "GE"),
    ("es", "SP"),
    ("zh", "CN"),
    ("cs", "CZ"),
    ("ja", "JP"),
    ("pt", "BR"),
    ("en", "UK"),
];

/// The other codes of that list, which are the ISO codes.
const SAME: [&str; 8] = ["DA", "FI", "FR", "IT", "NL", "PL", "RU", "KO"];

/// `text` in this language (`en`, `nb-NO`) if it has several; else in English, else in the first one. Any other text is unchanged.
pub(super) fn resolve(text: String, language: &str) -> String {
    let Some(pieces) = pieces(&text) else { return text };
    let named = |code: &str| pieces.iter().find(|(found, said)| found == &code && !said.is_empty());
    let wanted = codes(language).chain(codes("en")).find_map(|code| named(&code));
    let said = wanted.or_else(|| pieces.iter().find(|(_, said)| !said.is_empty()));
    said.map_or_else(String::new, |(_, said)| (*said).to_owned())
}

/// The possible codes of a language, the likeliest first.
fn codes(language: &str) -> impl Iterator<Item = String> {
    let language = language.to_ascii_lowercase();
    let spoken = language.split('-').next().unwrap_or_default().to_owned();
    let own = spoken.to_ascii_uppercase();
    let known = CODES.iter().filter(move |(of, _)| *of == language || *of == spoken);
    known.map(|(_, code)| (*code).to_owned()).chain([own])
}

/// The parts of a text in several languages: `XX:"…"`, separated by semicolons. None for any other text, and for a single part
/// without a known code. Quotes inside are not escaped: a part ends at the first quote before the next part or the end of the
/// text. The last part may be cut.
fn pieces(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut pieces = Vec::new();
    let mut left = text.trim_end_matches([';', ' ']);
    while !left.is_empty() && !is_cut_code(left) {
        let (code, behind) = opened(left)?;
        let mut quotes = behind.match_indices('"').map(|(place, _)| place);
        let end = quotes.find_map(|place| {
            let next = behind[place + 1..].trim_start_matches([';', ' ']);
            // The text ends here, or the next part follows after a semicolon.
            let is_piece = opened(next).is_some() || is_cut_code(next);
            let is_end = next.is_empty() || is_piece && behind[place + 1..].trim_start().starts_with(';');
            is_end.then_some((&behind[..place], next))
        });
        let cut = || (!pieces.is_empty() || !behind.contains('"')).then_some((behind, ""));
        let (said, next) = end.or_else(cut)?;
        pieces.push((code, said.trim()));
        left = next;
    }
    let known = |code| SAME.contains(&code) || CODES.iter().any(|(_, known)| *known == code);
    let is_known = pieces.iter().all(|(code, _)| known(*code)) && !pieces.is_empty();
    (pieces.len() > 1 || is_known).then_some(pieces)
}

/// Whether the text is the rest of a cut part: a part of its code.
fn is_cut_code(text: &str) -> bool {
    let code = text.strip_suffix(':').unwrap_or(text);
    (1..=2).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The code of the part at the beginning of `text`, and the text after its opening quote.
fn opened(text: &str) -> Option<(&str, &str)> {
    let (code, behind) = text.split_at_checked(2)?;
    let is_code = code.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code.then_some(()).and(behind.strip_prefix(":\"")).map(|behind| (code, behind))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    fn read(text: &str, language: &str) -> String {
        resolve(text.to_owned(), language)
    }

    #[test]
    fn a_name_in_several_languages_is_read_in_one() {
        // SuperOffice's own examples: its REST documentation, and `CultureDataFormatter.ParseMultiLanguageString`.
        let supplier = "NO:\"Leverandør\";US:\"Supplier\"";
        let position = "US:\"Location and size\";GE:\"Position und Größe\";NO:\"Posisjon og størrelse\"";
        for (text, language, expected) in [
            (supplier, "en", "Supplier"),
            (supplier, "en-GB", "Supplier"),
            (supplier, "nb-NO", "Leverandør"),
            (supplier, "no", "Leverandør"),
            (supplier, "nn", "Leverandør"),
            (position, "de", "Position und Größe"),
            (position, "DE-at", "Position und Größe"),
            // Neither Swedish nor, in the second, English is there.
            (position, "sv", "Location and size"),
            ("NO:\"Fjord\";DA:\"Fjorden\"", "sv", "Fjord"),
            ("NO:\"Fjord\";DA:\"Fjorden\"", "da", "Fjorden"),
            ("SW:\"Svensk\";SP:\"Español\";CZ:\"Česky\";JP:\"日本\"", "es-ES", "Español"),
            ("SW:\"Svensk\";SP:\"Español\";CZ:\"Česky\";JP:\"日本\"", "sv", "Svensk"),
            ("BR:\"Brasil\";CH:\"Schweiz\";GE:\"Deutschland\"", "de-CH", "Schweiz"),
            ("BR:\"Brasil\";CH:\"Schweiz\";GE:\"Deutschland\"", "pt-BR", "Brasil"),
            // Its data-access documentation shows a semicolon at the end.
            ("US:\"Legal\";NO:\"Lovlig\";", "nb", "Lovlig"),
            ("US:\"Acme\"", "nb", "Acme"),
            ("NO:\"\"; US:\"Acme\"", "nb", "Acme"),
            ("NO:\"Kafé \"Blå\" AS\";US:\"The \"Blue\"\"", "nb", "Kafé \"Blå\" AS"),
            ("NO:\"Kafé \"Blå\" AS\";US:\"The \"Blue\"\"", "en", "The \"Blue\""),
            ("NO:\"\"", "nb", ""),
            // Cut by a field's length, wherever that was.
            ("NO:\"A\";US:\"B", "nb", "A"),
            ("NO:\"A\";US:\"B", "en", "B"),
            ("NO:\"A\";US:\"The \"Bl", "en", "The \"Bl"),
            ("NO:\"A\";US:\"", "en", "A"),
            ("NO:\"A\";US:", "en", "A"),
            ("NO:\"A\";US", "en", "A"),
            ("NO:\"A\";U", "en", "A"),
            ("NO:\"A\";", "en", "A"),
            ("NO:\"Leverand", "en", "Leverand"),
            ("US:\"", "en", ""),
        ] {
            assert_eq!(read(text, language), expected, "{text} in {language}");
        }
    }

    #[test]
    fn any_other_name_stays_as_it_is() {
        for name in [
            "",
            "Fjord AS",
            "Kari \"Kiki\" Nordmann \"K\"",
            "Bar 7: \"Seven\"",
            "AS",
            "A",
            "US:",
            "US: \"Acme\"",
            "US:Acme;",
            "AB:\"Acme\"",
            "AB:\"Acme",
            "US:\"Acme\" AS",
            "Firm US:\"Acme\"",
            "US:\"Acme\";NO:Fjord\";x",
            "us:\"Acme\"",
            "ÆØ:\"Å\"",
            "\"",
            ";",
        ] {
            assert_eq!(read(name, "en"), name);
        }
    }
}
