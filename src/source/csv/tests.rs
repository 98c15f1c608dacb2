//! Files that people and spreadsheets write.

use super::*;

fn file(path: impl Into<PathBuf>, delimiter: u8) -> File {
    File { path: path.into(), delimiter: Some(delimiter), country: "NO".parse().unwrap() }
}

#[test]
fn numbers_are_written_with_plus_or_nationally() {
    let delivery = file("vip.csv", b';')
        .parse(
            "Company; number ;person;person_id;contact_id\n\
             Fjord Sjømat AS;+47 22 33 44 55;Kari Nordmann;654;243\n\
             \"Bergen; Sons\";22334456;;;\n\
             Trattoria;+39 06 1234 5678;;;\n"
                .as_bytes(),
            &Progress::default(),
        )
        .unwrap();
    let entries: Vec<_> = delivery.entries.finish().entries().map(Result::unwrap).collect();
    let read: Vec<_> = entries
        .iter()
        .map(|entry| {
            (entry.number.to_string(), entry.person_id, entry.person.as_str(), entry.company.as_str())
        })
        .collect();
    assert_eq!((read[0].0.as_str(), read[0].3), ("+390612345678", "Trattoria"));
    assert_eq!(read[1], ("+4722334455".into(), 654, "Kari Nordmann", "Fjord Sjømat AS"));
    assert_eq!(read[2], ("+4722334456".into(), 0, "", "Bergen; Sons"));
    assert_eq!(delivery.unusable.total(), 0);
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_costs_only_itself() {
    let delivery = file("vip.csv", b',')
        .parse(
            b"number,person,company,person_id\n\
              22334455,Kari,,\n\
              nonsense,Ola,,\n\
              22334456,,,\n\
              22334457,\"two\nlines\",,\n\
              22334458,Eve,,x12\n\
              22334459,M\xf8ller,,\n\
              22334460,a,b,1,too many\n\
              22334461,short\n",
            &Progress::default(),
        )
        .unwrap();
    assert_eq!(delivery.entries.len(), 2);
    assert_eq!(delivery.unusable.total(), 6);
    let report = delivery.unusable.to_string();
    for said in [
        "line 3: number",
        "line 4: neither",
        "line 5: a field has a line break",
        "line 7: person_id: allowed is a number",
        "line 8: it is not UTF-8",
        "line 9: 5 columns",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
}

#[test]
fn a_quote_that_is_not_closed_costs_its_line_only() {
    let line = |place: u32, person: &str| format!("{},{person},Fjord AS\n", 22_334_400 + place);
    for quoted in ["\"Eva", "\"\"\"Eva\"\""] {
        for others in ["Kari", "\"Kari\"", "\"Kari \"\"K\"\"\"", "Kari 5\" K"] {
            for which in [0, 10, 19] {
                let lines = (0..20).map(|place| line(place, if place == which { quoted } else { others }));
                let text = format!("sep=,\nnumber,person,company\n{}", lines.collect::<String>());
                let delivery = file("vip.csv", b',').parse(text.as_bytes(), &Progress::default()).unwrap();
                let report = delivery.unusable.to_string();
                assert_eq!((delivery.entries.len(), delivery.unusable.total()), (19, 1), "{text}{report}");
                assert!(report.contains(&format!("line {}: a quote is not closed", which + 3)), "{report}");
            }
        }
    }
}

#[test]
fn files_straight_from_a_spreadsheet_are_read() {
    let plain = "number;person;company;;;\r\n'+47 22 33 44 55;Kari;Fjord;;;\r\n;;;;;\r\n\
                 =\"22334456\";'t Hart;\"Bergen; Sons\";;;\r\n22\u{2009}33\u{2007}44 57;Åsa;;;;\r\nabc;Nobody;;;;\r\n;;;;;\r\n";
    let utf16 = |unit: fn(u16) -> [u8; 2]| {
        let text = format!("\u{feff}{plain}");
        text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
    };
    let separated = format!("sep=;\r\n{plain}");
    for (what, bytes, line) in [
        ("CRLF", plain.as_bytes().to_vec(), 6),
        ("CR alone", plain.replace("\r\n", "\r").into_bytes(), 6),
        ("LF", plain.replace("\r\n", "\n").into_bytes(), 6),
        ("a byte order mark", format!("\u{feff}{plain}").into_bytes(), 6),
        ("UTF-16, little end first", utf16(u16::to_le_bytes), 6),
        ("UTF-16, big end first", utf16(u16::to_be_bytes), 6),
        ("sep=", separated.into_bytes(), 7),
        ("a table below blank rows", format!(";;;\r\n\r\n{plain}").into_bytes(), 8),
    ] {
        let file = File { delimiter: None, ..file("vip.csv", b',') };
        let delivery = file.parse(&bytes, &Progress::default()).unwrap();
        let entries: Vec<_> = delivery.entries.finish().entries().map(Result::unwrap).collect();
        let read: Vec<_> =
            entries.iter().map(|entry| (entry.number.national(), entry.person.as_str())).collect();
        assert_eq!(read, [(22_334_455, "Kari"), (22_334_456, "'t Hart"), (22_334_457, "Åsa")], "{what}");
        assert_eq!(entries[1].company, "Bergen; Sons", "{what}");
        let report = delivery.unusable.to_string();
        assert!(
            delivery.unusable.total() == 1 && report.contains(&format!("(line {line}: ")),
            "{what}: {report}"
        );
    }
}

#[test]
fn a_bad_header_says_what_is_allowed() {
    for (text, said) in [
        ("", "column `number` is missing"),
        ("number;person;company\n", "column 1 is unknown"),
        ("number,person,company,number\n", "column `number` is there twice"),
        ("number,person,Firma 22334455\n", "column 3 is unknown"),
    ] {
        let error =
            file("vip.csv", b',').parse(text.as_bytes(), &Progress::default()).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("vip.csv, line 1"), "{error}");
    }
}

#[test]
fn a_first_line_that_is_no_header_is_not_repeated() {
    let long = format!("22334455,{},Fjord AS\n", "Kari ".repeat(1000));
    for text in ["22334455,Kari Nordmann,Fjord AS\n", "22 33 44 55;Kari;Fjord AS\n", "Kari\n", &long] {
        let parsed = file("vip.csv", b',').parse(text.as_bytes(), &Progress::default());
        let error = parsed.unwrap_err().to_string();
        assert!(error.contains("line 1: the header is missing"), "{error}");
        assert!(error.contains("the header needs number, person and company"), "{error}");
        assert!(!["22", "33", "Kari", "kari", "fjord"].iter().any(|part| error.contains(part)), "{error}");
    }
    let long = format!("number,person,company,{}\n", "x".repeat(5000));
    let error = file("vip.csv", b',').parse(long.as_bytes(), &Progress::default()).unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}

#[tokio::test]
async fn a_file_is_read_again_only_when_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, nobody) = (file(dir.path().join("vip.csv"), b','), Progress::default());
    assert!(matches!(file.fetch("", &nobody).await, Err(CsvError::Unreadable { .. })));
    std::fs::write(&file.path, "\u{feff}number,person,company\n22334455,Kari,\n").unwrap();
    let Fetched::Entries(first) = file.fetch("", &nobody).await.unwrap() else { unreachable!("it is new") };
    assert_eq!(first.entries.len(), 1);
    assert!(matches!(file.fetch(&first.hash, &nobody).await, Ok(Fetched::Unchanged)));
    std::fs::write(&file.path, "number,person,company\n22334455,Kari,\n22334456,Ola,\n").unwrap();
    assert!(matches!(file.fetch(&first.hash, &nobody).await, Ok(Fetched::Entries(_))));
}
