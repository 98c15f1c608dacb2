//! Names, whole and cut.

use proptest::prelude::*;

use super::*;

const KARI: Parts<'_> =
    Parts { person: "Kari Nordmann", company: "Fjord Sjømat AS", mrmrs: "", source: "crm" };

fn style(max_bytes: usize) -> Style {
    Style { max_bytes, ..Style::default() }
}

fn text(name: Option<Name>) -> String {
    name.map_or_else(String::new, |name| name.as_str().to_owned())
}

#[test]
fn a_person_with_and_without_a_company() {
    let style = Style::default();
    assert_eq!(text(style.person(&KARI)), "Kari Nordmann (Fjord Sjømat AS)");
    // An invisible part counts as empty.
    for company in ["", " ", "\u{202e}", "\u{200d}"] {
        assert_eq!(text(style.person(&Parts { company, ..KARI })), "Kari Nordmann");
    }
    for person in ["", " ", "\u{202e}", "\u{200d}"] {
        assert_eq!(text(style.person(&Parts { person, ..KARI })), "Fjord Sjømat AS");
    }
    let worded = Style { person: "Firm {company}".parse().unwrap(), ..Style::default() };
    assert_eq!(worded.person(&Parts { company: "", ..KARI }), None, "a word of the template is no name");
    assert_eq!(text(style.company("Fjord Sjømat AS", "crm")), "Fjord Sjømat AS");
    assert_eq!(text(style.shared(["Acme", "Globex"], "crm")), "Acme / Globex");
    assert_eq!(text(style.guess("Acme", "crm")), "~Acme");
}

#[test]
fn the_company_is_cut_before_the_person() {
    for (max_bytes, expected) in [
        (32, "Kari Nordmann (Fjord Sjømat AS)"),
        (31, "Kari Nordmann (Fjord Sjøma…)"),
        (25, "Kari Nordmann (Fjord…)"),
        (24, "Kari Nordmann (Fjord…)"),
        (23, "Kari Nordmann"),
        (13, "Kari Nordmann"),
        (12, "Kari Nord…"),
        (8, "Kari…"),
        (7, "Kari No"),
        (1, "K"),
    ] {
        assert_eq!(text(style(max_bytes).person(&KARI)), expected, "{max_bytes}");
    }
    // A template with only the company cuts the company.
    let company = Style { person: Template::default_company(), ..style(8) };
    assert_eq!(text(company.person(&KARI)), "Fjord…");
    assert_eq!(text(style(9).company("Sjømat AS Fjord", "crm")), "Sjøma…");
    let ascii = Style { ascii: true, ..style(25) };
    assert_eq!(text(ascii.person(&KARI)), "Kari Nordmann (Fjord...)");
    let twice = Style { person: "{person} ({company}) {company}".parse().unwrap(), ..style(40) };
    assert_eq!(text(twice.person(&KARI)), "Kari Nordmann (Fjord Sj…) Fjord Sj…");
}

#[test]
fn a_cut_name_names_somebody() {
    let style = |template: &str, max_bytes| Style { person: template.parse().unwrap(), ..style(max_bytes) };
    let professor = Parts { mrmrs: "Univ.-Prof. Dr. Dr. h.c.", ..KARI };
    for (template, max_bytes, expected) in [
        ("Incoming call {person}", 30, "Incoming call Kari Nordmann"),
        ("Incoming call {person}", 22, "Incoming call Kari…"),
        ("Incoming call {person}", 21, "Kari Nordmann"),
        ("Incoming call {person}", 10, "Kari No…"),
        ("Incoming call {person} ({company})", 10, "Kari No…"),
        ("Incoming call ({company})", 10, "Fjord S…"),
        ("{mrmrs} {person}", 40, "Univ.-Prof. Dr. Dr. h.c. Kari Nordmann"),
        ("{mrmrs} {person}", 20, "Kari Nordmann"),
        ("[{mrmrs} ]{person} calls", 20, "Kari Nordmann calls"),
        ("{mrmrs} {person}", 4, "Kari"),
        ("{mrmrs} {person}", 1, "K"),
    ] {
        assert_eq!(text(style(template, max_bytes).person(&professor)), expected, "{template} {max_bytes}");
    }
    let company =
        Style { company: Template::of_company("Incoming call {company}").unwrap(), ..style("{person}", 10) };
    assert_eq!(text(company.company("Fjord Sjømat AS", "crm")), "Fjord S…");
    assert_eq!(text(company.person(&Parts { person: "", ..professor })), "Fjord S…");
}

#[test]
fn those_who_share_a_number_are_never_one() {
    assert_eq!(text(style(20).shared(["Acme", "Globex Corporation"], "crm")), "Acme / Globex Cor…");
    assert_eq!(text(style(5).shared(["Acme", "Globex"], "crm")), "A / G");
    assert_eq!(style(4).shared(["Acme", "Globex"], "crm"), None);
    assert_eq!(style(56).shared(["Acme", "\u{200d}"], "crm"), None);
    let shared = Style { shared: Template::of_company("({company})?").unwrap(), ..style(20) };
    assert_eq!(text(shared.shared(["Acme", "Globex Corporation"], "crm")), "(Acme / Globex…)?");
}

#[test]
fn a_guess_keeps_its_mark_or_is_no_name() {
    assert_eq!(text(style(9).guess("Fjord Sjømat", "crm")), "~Fjord…");
    assert_eq!(text(style(2).guess("Fjord", "crm")), "~F");
    assert_eq!(style(1).guess("Fjord", "crm"), None);
    assert_eq!(style(56).guess("\u{200d}", "crm"), None);
    let behind = Style { guess: Template::of_company("{company} (maybe)").unwrap(), ..style(17) };
    assert_eq!(text(behind.guess("Fjord Sjømat", "crm")), "Fjord… (maybe)");
    assert_eq!(Style { max_bytes: 8, ..behind }.guess("Fjord", "crm"), None);
}

#[test]
fn a_guess_that_looks_like_a_company_is_found_out() {
    let with = |guess| Style { guess: Template::of_company(guess).unwrap(), ..Style::default() };
    for (guess, marked) in [
        ("~{company}", true),
        ("{company}?", true),
        ("{company}", false),
        (" {company} ", false),
        ("[{company}]", false),
        ("{company} …", false),
        ("{company}...", false),
        // Only where there is a source.
        ("{company} {source}", false),
        ("{company} ({source})", false),
        ("~{company} ({source})", true),
    ] {
        assert_eq!(with(guess).marks_guesses(), marked, "{guess}");
    }
    assert!(!Style { company: Template::default_guess(), ..Style::default() }.marks_guesses());
    // A mark that a phone does not show.
    assert!(!with("\u{200e}{company}").marks_guesses());
    assert_eq!(text(with("~{company} ({source})").guess("Acme", "")), "~Acme");
}

#[test]
fn a_source_puts_its_prefix_in_front() {
    let mut style = style(24);
    style.prefixes.insert("vip".into(), Prefix::new("★ ").unwrap());
    let kari = Parts { source: "vip", ..KARI };
    assert_eq!(text(style.person(&kari)), "★ Kari Nordmann");
    assert_eq!(text(style.person(&KARI)), "Kari Nordmann (Fjord…)");
    assert_eq!(text(style.company("Acme", "vip")), "★ Acme");
    assert_eq!(text(style.guess("Acme", "vip")), "★ ~Acme");
    assert_eq!(text(style.shared(["Acme", "Globex"], "vip")), "★ Acme / Globex");
    assert_eq!(style.company("\u{200d}", "vip"), None, "a prefix alone is no name");
    style.ascii = true;
    assert_eq!(text(style.company("Ærø", "vip")), "* AEro");
    style.company = Template::of_company("{company} ({source})").unwrap();
    assert_eq!(text(style.company("Acme", "crm")), "Acme (crm)");
}

#[test]
fn a_prefix_is_clean_and_short() {
    for (prefix, shown) in [("VIP ", "VIP "), ("VIP   ", "VIP "), ("!", "!"), (" x", "x")] {
        assert_eq!(Prefix::new(prefix).unwrap().shown(false), shown, "{prefix:?}");
    }
    for wrong in ["", " ", "VIP: ", "a  b", "${X}", "\u{200d}", "12345678901234567"] {
        assert_eq!(Prefix::new(wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_name_that_came_along_is_kept_where_that_is_wanted() {
    let keeping = Style { keep_existing: true, ..Style::default() };
    assert!(keeping.keeps("OSLO TAXI"));
    assert!(!keeping.keeps("anonymous"));
    assert!(!Style::default().keeps("OSLO TAXI"));
}

proptest! {
    #[test]
    fn a_name_is_clean_has_its_room_and_is_not_lost(
        person in any::<String>(),
        company in any::<String>(),
        other in any::<String>(),
        template in 0..4_usize,
        max_bytes in 1..=MAX_BYTES,
        ascii: bool,
        prefixed: bool,
    ) {
        let templates = ["{person} ({company})", "{company} {person}", "[{mrmrs} ]{person}", "{person}, {source}"];
        let mut style = Style { person: templates[template].parse().unwrap(), ascii, ..style(max_bytes) };
        if prefixed {
            style.prefixes.insert("crm".into(), Prefix::new("VIP ").unwrap());
        }
        let parts = Parts { person: &person, company: &company, mrmrs: &other, source: "crm" };
        let names = [
            style.person(&parts),
            style.company(&company, "crm"),
            style.shared([company.as_str(), other.as_str()], "crm"),
            style.guess(&company, "crm"),
        ];
        for name in names.iter().flatten().map(Name::as_str) {
            prop_assert!(name.len() <= max_bytes, "{name:?}");
            prop_assert_eq!(clean::clean(name), name);
            prop_assert!(!ascii || name.is_ascii(), "{name:?}");
            prop_assert!(!prefixed || name.starts_with("VIP "), "{name:?}");
        }
        if let Some(guess) = &names[3] {
            prop_assert!(guess.as_str().contains('~'), "{guess:?}");
        }
        if let Some(shared) = &names[2] {
            prop_assert!(shared.as_str().contains(" / "), "{shared:?}");
        }
        // 25 bytes hold a grapheme of most that people write.
        let known = cleaned(&company, ascii);
        if names[1].is_none() && !prefixed && max_bytes >= 25 && !ascii && known.chars().next().is_some_and(char::is_alphanumeric) {
            prop_assert!(unicode_segmentation::UnicodeSegmentation::graphemes(known.as_str(), true).next().unwrap().len() > 25);
        }
    }

    #[test]
    fn no_letter_is_lost_while_there_is_room_for_one(company in "[a-zæøåжа ]{0,40}[a-zæøåж]", max_bytes in 2..=MAX_BYTES, ascii: bool) {
        let style = Style { ascii, ..style(max_bytes) };
        prop_assert!(style.company(&company, "crm").is_some());
        let person = style.person(&Parts { person: &company, ..KARI });
        prop_assert!(person.is_some());
    }
}
