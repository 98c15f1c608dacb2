//! People and companies to call from: invented names, spelled as their countries spell, with numbers
//! that are valid there, stored as a CRM stores them (leading zeros lost).
//!
//! Where a regulator keeps numbers for films and books (Ofcom, PTS, Bundesnetzagentur, Arcep, NANPA's
//! 555-01xx) they come from those ranges; elsewhere from ordinary ranges of the national plan.

use std::collections::HashSet;

use fastrand::Rng;
use serde_json::json;

use super::superoffice::Record;

/// A record, and the number it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// ISO 3166.
    pub country: &'static str,
    /// E.164 with the plus, with all its zeros: what a trunk presents.
    pub e164: String,
    /// What the CRM has of it.
    pub record: Record,
}

/// A country as far as names and numbers go.
struct Country {
    iso: &'static str,
    code: i32,
    /// National numbers without a trunk prefix; `x` is any digit.
    ranges: &'static [&'static str],
    women: &'static [&'static str],
    men: &'static [&'static str],
    families: &'static [&'static str],
    /// Address of a man and of a woman.
    titles: [&'static str; 2],
    /// First and second word of a company's name.
    places: &'static [&'static str],
    trades: &'static [&'static str],
    /// Legal form, with the blank or comma before it.
    forms: &'static [&'static str],
}

/// `count` entries (up to about 5,000), the same for the same `seed`; no number twice. Companies
/// come with a number of their own and a few people each, the countries mixed.
pub(crate) fn people(seed: u64, count: usize) -> Vec<Entry> {
    let mut random = Rng::with_seed(seed);
    let mut taken = HashSet::new();
    let mut entries = Vec::with_capacity(count + 6);
    let mut company_id = 100;
    while entries.len() < count {
        let country = &COUNTRIES[entries.len() % COUNTRIES.len()];
        company_id += 1;
        let company = (company_id, country.company(&mut random));
        for nth in 0..random.usize(3..7) {
            let Some(national) = country.free_number(&mut random, &mut taken) else { break };
            let mut record = Record::company(0, 0, (company.0, &company.1));
            if nth > 0 {
                let (title, name) = country.person(&mut random);
                record.person_id = 1000 + i32::try_from(entries.len()).unwrap_or(0);
                (record.person_name, record.mrmrs) = (Some(name), Some(title.to_owned()));
            }
            country.store(&mut record, &national, &mut random);
            let e164 = format!("+{}{national}", country.code);
            entries.push(Entry { country: country.iso, e164, record });
        }
    }
    entries.truncate(count);
    entries
}

/// The records alone, for [`super::superoffice::StandIn`].
pub(crate) fn records(entries: &[Entry]) -> Vec<Record> {
    entries.iter().map(|entry| entry.record.clone()).collect()
}

/// As many as wanted, up to 10 million: `+4790000000` and on, each a different person. For size, not
/// for reading.
pub(crate) fn crowd(count: u32) -> Vec<Record> {
    let numbers = 0..count.min(10_000_000);
    let record = |at: u32| {
        let id = i32::try_from(at).unwrap_or(0);
        let (person, company) = names_in_crowd(at);
        Record::person(47, FIRST_OF_CROWD + u64::from(at), (1 + id, &person), (1 + id / 10, &company))
    };
    numbers.map(record).collect()
}

/// The number of one of the [`crowd`], as a trunk in Norway writes it, and the name that the phone is to show.
pub(crate) fn one_of_crowd(at: u32) -> (String, String) {
    let (person, company) = names_in_crowd(at);
    ((FIRST_OF_CROWD + u64::from(at)).to_string(), format!("{person} ({company})"))
}

const FIRST_OF_CROWD: u64 = 90_000_000;

fn names_in_crowd(at: u32) -> (String, String) {
    (format!("Person {at}"), format!("Firma {} AS", at / 10))
}

/// What else is found in a CRM: records without a number that anybody could call from. None of them
/// may harm the others.
pub(crate) fn dirty() -> Vec<Record> {
    let odd = |number| Record {
        phone_number: number,
        ..Record::person(47, 0, (7, "Uten Nummer"), (8, "Rot & Røre AS"))
    };
    vec![
        odd(json!(99.99)),
        odd(json!(0)),
        odd(json!(-22_334_455)),
        odd(json!(7)),
        odd(json!(12_345_678_901_234_567_890_u64)),
        odd(json!(1e30)),
        odd(json!("22334455")),
        odd(json!(null)),
        Record { dial_in_prefix: Some(-1), ..odd(json!(22_334_456)) },
        Record { dial_in_prefix: Some(32_767), ..odd(json!(22_334_457)) },
        Record { person_name: None, contact_name: None, mrmrs: None, ..odd(json!(22_334_458)) },
    ]
}

impl Country {
    fn company(&self, random: &mut Rng) -> String {
        let mut pick = |words: &'static [&'static str]| words[random.usize(..words.len())];
        format!("{} {}{}", pick(self.places), pick(self.trades), pick(self.forms))
    }

    fn person(&self, random: &mut Rng) -> (&'static str, String) {
        let is_woman = random.bool();
        let firsts = if is_woman { self.women } else { self.men };
        let mut pick = |words: &'static [&'static str]| words[random.usize(..words.len())];
        (self.titles[usize::from(is_woman)], format!("{} {}", pick(firsts), pick(self.families)))
    }

    /// `None` when the ranges are nearly used up.
    fn free_number(&self, random: &mut Rng, taken: &mut HashSet<String>) -> Option<String> {
        (0..100).find_map(|_| {
            let range = self.ranges[random.usize(..self.ranges.len())];
            let digit = |digit| if digit == 'x' { random.digit(10) } else { digit };
            let national: String = range.chars().map(digit).collect();
            taken.insert(format!("{}{national}", self.code)).then_some(national)
        })
    }

    /// Mostly prefix and national number apart, sometimes the country code in the number and the
    /// prefix null or 0.
    fn store(&self, record: &mut Record, national: &str, random: &mut Rng) {
        let (prefix, digits) = match random.u8(..100) {
            0..80 => (Some(self.code), national.to_owned()),
            80..92 => (None, format!("{}{national}", self.code)),
            _ => (Some(0), format!("{}{national}", self.code)),
        };
        // As an integer: here the zeros get lost.
        record.phone_number = json!(digits.parse::<u64>().unwrap_or(0));
        record.dial_in_prefix = prefix;
    }
}

const COUNTRIES: &[Country] = &[
    Country {
        iso: "NO",
        code: 47,
        ranges: &["22xxxxxx", "55xxxxxx", "73xxxxxx", "41xxxxxx", "90xxxxxx", "95xxxxxx"],
        women: &["Kari", "Åse", "Solveig", "Bjørg", "Ingrid", "Synnøve", "Gro", "Zoë"],
        men: &["Ola", "Håkon", "Bjørn", "Øystein", "Pål", "Åsmund", "Leif", "Tor Erik"],
        families: &[
            "Nordmann",
            "Sæther",
            "Bjørnstad",
            "Ødegård",
            "Hårstad",
            "Aasen",
            "O'Brien",
            "Lie-Nygård",
        ],
        titles: ["", ""],
        places: &["Fjord", "Nordlys", "Ærøy", "Skarvåsen", "Blåfjell", "Østmarka", "Havørn"],
        trades: &["Sjømat", "Bygg & Anlegg", "Rør", "Regnskap", "Båtbyggeri", "Kraft", "Reiser"],
        forms: &[" AS", " AS", " ASA", " ANS"],
    },
    Country {
        iso: "SE",
        code: 46,
        ranges: &["8465004xx", "3139006xx", "4062804xx", "9803192xx", "7017406xx"],
        women: &["Åsa", "Märta", "Göta", "Elin", "Frida", "Malin"],
        men: &["Björn", "Håkan", "Göran", "Östen", "Axel", "Per-Åke"],
        families: &["Sjöström", "Ångman", "Öberg", "Hällgren", "Lindqvist", "Ekelöf", "Mörk"],
        titles: ["", ""],
        places: &["Västerö", "Älvsby", "Norrsken", "Kråkvik", "Smålandets", "Tranås"],
        trades: &["Möbler", "Skog", "Åkeri", "Verktyg", "Förlag", "Brödfabrik"],
        forms: &[" AB", " AB", " HB"],
    },
    Country {
        iso: "DK",
        code: 45,
        ranges: &["332xxxxx", "866xxxxx", "205xxxxx", "314xxxxx"],
        women: &["Mette", "Kirstine", "Søs", "Ane", "Bodil"],
        men: &["Søren", "Jørgen", "Asbjørn", "Rasmus", "Ejnar"],
        families: &["Kjærgaard", "Østergård", "Sørensen", "Bæk", "Højlund", "Nørby"],
        titles: ["Hr.", "Fru"],
        places: &["Ærø", "Vesterhav", "Smørhøj", "Lærkedal", "Bøgeskov"],
        trades: &["Mejeri", "Tømrer", "Rederi", "Vindmøller", "Køkkener"],
        forms: &[" A/S", " ApS", " I/S"],
    },
    Country {
        iso: "FI",
        code: 358,
        ranges: &["9425xxxxx", "13345xxxx", "40xxxxxxx", "50xxxxxxx"],
        women: &["Päivi", "Äila", "Kyllikki", "Tuuli", "Hannele"],
        men: &["Väinö", "Yrjö", "Heikki", "Jyrki", "Pekka"],
        families: &["Hämäläinen", "Järvi", "Mäkelä", "Pöyhönen", "Niemi", "Åkerblom"],
        titles: ["", ""],
        places: &["Järvenranta", "Pöllölä", "Revontuli", "Kettumäki"],
        trades: &["Sähkö", "Leipomo", "Työkalut", "Kirjapaino"],
        forms: &[" Oy", " Oy", " Oyj", " Ky"],
    },
    Country {
        iso: "DE",
        code: 49,
        ranges: &[
            "3023125xxx",
            "8999998xxx",
            "6990009xxx",
            "2214710xxx",
            "4066969xxx",
            "17139200xx",
            "176040690xx",
        ],
        women: &["Jürgine", "Käthe", "Heike", "Anneliese", "Dörte", "Dr. Renate"],
        men: &["Jörg", "Günther", "Klaus-Jürgen", "Matthäus", "Uwe", "Prof. Dr. Götz"],
        families: &["Müllenbach", "Weiß", "Großkopf", "Schönfelder", "von der Höh", "Krüsemann", "Jäger"],
        titles: ["Herr", "Frau"],
        places: &["Nordstern", "Grünwalder", "Möwenhof", "Weißbach", "Königsauer", "Süderland"],
        trades: &["Schraubenfabrik", "Bäckerei", "Präzisionstechnik", "Gebäudereinigung", "Getränke"],
        forms: &[" GmbH", " AG", " GmbH & Co. KG", " e. K."],
    },
    Country {
        iso: "GB",
        code: 44,
        ranges: &["2079460xxx", "1134960xxx", "1214960xxx", "1314960xxx", "1414960xxx", "1614960xxx"],
        women: &["Siobhán", "Beatrix", "Gwyneth", "Harriet", "Ffion"],
        men: &["Alistair", "Rhys", "Graham", "Cillian", "Piers"],
        families: &["O'Malley", "Featherstone", "MacAllister", "Smythe-Jones", "Ó Briain", "Thackwell"],
        titles: ["Mr", "Mrs"],
        places: &["Thistledown", "Kestrel & Crane", "St. Osric's", "Blackfen", "Harrowgate Mill"],
        trades: &["Engineering", "Solicitors", "Tea", "Bookbinders", "Marine Supplies"],
        forms: &[" Ltd", " Ltd.", " plc", " LLP"],
    },
    Country {
        iso: "FR",
        code: 33,
        ranges: &["19900xxxx", "26191xxxx", "35301xxxx", "46571xxxx", "53649xxxx"],
        women: &["Éloïse", "Françoise", "Maëlle", "Noémie", "Cécile"],
        men: &["François", "Benoît", "Gaël", "Jérôme", "Loïc"],
        families: &["Lefèvre", "d'Aubigny", "Châtelain", "Le Goff", "Béranger", "Nuñez"],
        titles: ["M.", "Mme"],
        places: &["L'Étoile du Nord", "Beauséjour", "Clairval", "Les Trois Chênes", "Forêt-Noire"],
        trades: &["Mécanique", "Pâtisserie", "Énergies", "Ingénierie", "Céramiques"],
        forms: &[" SARL", " SA", " SAS", " & Fils"],
    },
    Country {
        iso: "IT",
        code: 39,
        ranges: &["02xxxxxxxx", "0331xxxxxx", "055xxxxxxx", "0644xxxxxx", "333xxxxxxx", "347xxxxxxx"],
        women: &["Chiara", "Niccoletta", "Mariù", "Giuditta", "Ludovica"],
        men: &["Niccolò", "Giosuè", "Matteo", "Ettore", "Salvatore"],
        families: &["Dell'Orto", "D'Amicò", "Brancaleoni", "Cantù", "Nardò", "Perugini"],
        titles: ["Sig.", "Sig.ra"],
        places: &["Officine", "Antica Città", "Vallechiara", "Bontà", "Lago Blu"],
        trades: &["Meccaniche", "Caffè", "Ceramiche", "Tessuti", "Qualità"],
        forms: &[" S.r.l.", " S.p.A.", " & Figli"],
    },
    Country {
        iso: "ES",
        code: 34,
        ranges: &["91xxxxxxx", "93xxxxxxx", "61xxxxxxx"],
        women: &["Begoña", "Inés", "María José", "Úrsula"],
        men: &["Íñigo", "José Ángel", "Ramón", "Andrés"],
        families: &["Peñalver Núñez", "García-Ibáñez", "Muñiz", "Güell", "Cordón Ríos"],
        titles: ["Sr.", "Sra."],
        places: &["Cañada", "Montaña Azul", "La Cigüeña", "Río Claro"],
        trades: &["Diseño", "Construcción", "Aceites", "Logística"],
        forms: &[" S.L.", " S.A."],
    },
    Country {
        iso: "US",
        code: 1,
        ranges: &["21255501xx", "61755501xx", "31255501xx", "41555501xx", "20655501xx", "30555501xx"],
        women: &["Madison", "Renée", "Latoya", "Peggy Sue"],
        men: &["Wyatt", "Tyrone", "Chip", "José"],
        families: &["Van Buskirk", "Peña", "Washburn", "McAllister", "Kowalczyk Jr.", "O'Rourke"],
        titles: ["Mr.", "Ms."],
        places: &["Lone Pine", "Big Sky", "Bluebonnet", "Acme", "Granite State"],
        trades: &["Hardware", "Logistics", "Tool & Die", "Bagels", "Insurance"],
        forms: &[", Inc.", " LLC", " Corp.", " & Sons"],
    },
    Country {
        iso: "PL",
        code: 48,
        ranges: &["22xxxxxxx", "42xxxxxxx", "601xxxxxx", "501xxxxxx"],
        women: &["Małgorzata", "Bożena", "Łucja", "Śnieżana", "Żaneta"],
        men: &["Łukasz", "Stanisław", "Michał", "Zdzisław", "Błażej"],
        families: &["Wójcik", "Dąbek", "Źrebiec", "Gołąb", "Szczęsny-Łoś", "Kępa"],
        titles: ["Pan", "Pani"],
        places: &["Łódzka", "Złota", "Śląska", "Żuraw", "Białowieska"],
        trades: &["Spółdzielnia", "Huta Szkła", "Księgarnia", "Stocznia"],
        forms: &[" Sp. z o.o.", " S.A.", " s.c."],
    },
    Country {
        iso: "NL",
        code: 31,
        ranges: &["20xxxxxxx", "10xxxxxxx", "612xxxxxx", "651xxxxxx"],
        women: &["Liesbeth", "Anouk", "Zoë", "Marijke"],
        men: &["Daniël", "Joost", "Thijs", "Koen"],
        families: &["van 't Hof", "de Groot-Visser", "IJsselstein", "den Ouden", "Coëlho", "'s-Gravesande"],
        titles: ["dhr.", "mevr."],
        places: &["De Gouden Ketel", "IJzerwaren", "Waterland", "Coöperatie Zuid"],
        trades: &["Tulpen", "Scheepsbouw", "Kaas", "Fietsen"],
        forms: &[" B.V.", " N.V.", " V.O.F."],
    },
];

mod checks {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people() {
        let entries = people(1, 1300);
        assert_eq!(entries.len(), 1300);
        assert_eq!(records(&entries), records(&people(1, 1300)));
        assert_ne!(records(&entries), records(&people(2, 1300)));
        let numbers: HashSet<_> = entries.iter().map(|entry| &entry.e164).collect();
        assert_eq!(numbers.len(), entries.len());
        for country in COUNTRIES {
            let of = |entry: &&Entry| entry.country == country.iso;
            assert!(entries.iter().filter(of).count() >= 40, "{}", country.iso);
        }
    }

    #[test]
    fn italy_loses_its_zero() {
        let entries = people(1, 1300);
        let lost = entries
            .iter()
            .find(|entry| entry.e164.starts_with("+3902") && entry.record.dial_in_prefix == Some(39));
        let lost = lost.unwrap();
        assert_eq!(lost.e164, format!("+390{}", lost.record.phone_number));
    }

    #[test]
    fn a_large_list_can_be_filled() {
        assert_eq!(people(7, 5000).len(), 5000);
        let crowd = crowd(1000);
        assert_eq!((crowd.len(), &crowd[999].phone_number), (1000, &json!(90_000_999)));
    }
}
