//! Whether a provider's name is a name.

use crate::number;

/// Words of providers, carriers and PBXs in place of a name, as [`placeholder_key`]: "unknown", "anonymous", "withheld"
/// (also "secret" or "private"), "number" and "caller" with these, and "abroad", in the languages of Northern, Western and
/// Southern Europe.
const PLACEHOLDERS: [&str; 7] = [
    // English, and the names of PBXs.
    "international internationalcall internationalcaller overseas wireless wirelesscaller \
     wirelesscall cellphone cellular cellularcall mobilecaller mobilephone tollfree tollfreecall \
     tollfreecaller voipcall voipcaller incomingcall payphone unassigned unlisted namenotavailable \
     nameunavailable namenotfound nocallerid asterisk freepbx",
    // German, Luxembourgish.
    "unbekannt unbekannteranrufer unbekanntenummer unbekannterteilnehmer anonymeranruf \
     anonymeranrufer unterdruckt unterdrueckt rufnummerunterdruckt rufnummerunterdrueckt keinenummer \
     keinerufnummer privat privatenummer nichtverfugbar nichtverfuegbar ausland auslandsgesprach \
     onbekannt",
    // Norwegian, Danish, Swedish.
    "ukjent ukjentnummer ukjentanroper ukjentinnringer hemmelig hemmelignummer hemmeligtnummer skjult \
     skjultnummer anonymtnummer privatnummer utland utlandet ukendt ukendtnummer ukendtopkald udland \
     udlandet okand okaend okantnummer okandnummer okanduppringare hemligt hemligtnummer dolt \
     doltnummer skyddatnummer",
    // Finnish, Icelandic, Faroese; Estonian, Latvian, Lithuanian.
    "tuntematon tuntematonnumero tuntematonsoittaja salainen salainennumero yksityinen \
     yksityinennumero yksityisnumero ulkomaa othekkt othekktnumer leyninumer einkanumer okent \
     okentnummar tundmatu tundmatunumber varjatud varjatudnumber nezinams nezinamsnumurs slepts \
     slepsnumurs nezinomas nezinomasnumeris slaptas slaptasnumeris",
    // French, Dutch.
    "anonyme inconnu numeroinconnu appelantinconnu appelinconnu masque numeromasque prive numeroprive \
     confidentiel indisponible nondisponible etranger onbekend onbekendnummer onbekendebeller anoniem \
     afgeschermd afgeschermdnummer verborgen verborgennummer privenummer buitenland nietbeschikbaar",
    // Spanish, Portuguese, Catalan, Basque, Italian.
    "desconocido numerodesconocido anonimo privado numeroprivado oculto numerooculto nodisponible \
     sinidentificar internacional desconhecido numerodesconhecido confidencial indisponivel \
     naodisponivel desconegut numerodesconegut ocult numeroocult anonim ezezaguna sconosciuto \
     numerosconosciuto privato numeroprivato nascosto numeronascosto riservato nondisponibile \
     internazionale estero",
    // Greek; Irish, Welsh.
    "agnostos agnoste agnosti agnostosarithmos anonymos anonumos aporreto aporrito apokrupse \
     apokrypsi idiotikos anaithnid anhysbys",
];

/// The states and provinces of North America, the end of a carrier's `CITY ST`.
const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ \
    NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AB BC MB NB NL NS NT NU ON PE QC SK YT";

/// Whether `existing` tells more than the number: it is not empty, not a number, and not a placeholder. `further` are more
/// placeholders, as [`placeholder_key`].
pub(super) fn is_name(existing: &str, further: &[String]) -> bool {
    let text = existing.trim().trim_matches('"');
    let is_address = ["tel:", "sip:", "sips:"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let shown = placeholder_key(text);
    let is_placeholder = words().any(|word| word == shown) || further.contains(&shown);
    // A name has letters. A number has none, quoted or not.
    existing.chars().any(char::is_alphabetic)
        && !is_address
        && !is_placeholder
        && !is_city(text)
        && !number::names_nobody(existing.trim_matches(|c: char| !c.is_alphabetic()))
}

fn words() -> impl Iterator<Item = &'static str> {
    PLACEHOLDERS.into_iter().flat_map(str::split_whitespace)
}

/// A text in the form that is compared with placeholders: letters and digits, in lower case and without accents.
pub(super) fn placeholder_key(text: &str) -> String {
    let ascii = deunicode::deunicode(text);
    ascii.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the text is `CITY ST`: at most 15 capitals, which North American carriers send for callers without a name.
fn is_city(text: &str) -> bool {
    const LONGEST: usize = 15;
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((state, city)) = words.split_last() else { return false };
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase() || b".'-".contains(&byte));
    let letters = city.iter().map(|word| word.len()).sum::<usize>();
    STATES.split(' ').any(|known| known == *state)
        && city.iter().all(is_word)
        && letters >= 3
        && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_it_is_compared_and_has_nothing_twice() {
        let mut words: Vec<_> = words().collect();
        words.sort_unstable();
        for pair in words.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        assert!(words.iter().all(|word| placeholder_key(word) == *word));
    }

    #[test]
    fn numbers_and_placeholders_are_no_names() {
        for nobody in [
            "",
            "  ",
            "22334455",
            "+47 22 33 44 55",
            "(022) 33-44/55",
            "\"22334455\"",
            "tel:+4722334455",
            "sip:22334455@pbx.example.com",
            "-",
            "Anonymous",
            "anonymous",
            " UNKNOWN ",
            "<unknown>",
            "Out of area",
            "Private Number",
            "NO NAME",
            "Blocked",
            "Hidden",
            "Unidentified",
            "Caller Unknown",
            "(number withheld)",
            "P",
            "INTERNATIONAL",
            "WIRELESS CALLER",
            "Toll-Free Caller",
            "asterisk",
            "Unbekannt",
            "Unbekannter Anrufer",
            "Ukjent",
            "Hemmelig nummer",
            "Ukendt",
            "Okänd",
            "OKAND",
            "Dolt nummer",
            "Tuntematon",
            "Salainen numero",
            "Óþekkt",
            "Anonyme",
            "Numéro masqué",
            "Onbekend",
            "Privé-nummer",
            "Desconocido",
            "Número oculto",
            "Desconhecido",
            "Sconosciuto",
            "Privato",
            "Άγνωστος",
            "Privat",
            "NEW YORK NY",
            "TORONTO      ON",
            "ST. LOUIS MO",
        ] {
            assert!(!is_name(nobody, &[]), "{nobody:?}");
        }
        for name in [
            "OSLO TAXI",
            "Жанна",
            "佐藤",
            "3 Norge",
            "Unknown Pleasures AS",
            "4711 Köln",
            "FJORD AS",
            "Privat Sykehus",
            "International Paper",
            "New York Ny",
            "NORTHERN BAKERY CO",
            "NY",
            "Telia",
        ] {
            assert!(is_name(name, &[]), "{name:?}");
        }
        assert!(!is_name("Oslo, Norge", &[placeholder_key("OSLO NORGE")]));
    }
}
