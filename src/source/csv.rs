//! CSV files: for trying things, and for lists that are kept by hand.
//!
//! The first line is the header: `number,person,company` in any order, and optionally `mrmrs`, `person_id`
//! and `contact_id`. Numbers are written with `+` or nationally; leading zeros count, and a number
//! with an extension is none that a caller could show. A line that can't be used is reported with its number in the
//! file, and costs only itself.
//!
//! - `sheet`: what spreadsheets make of a file

mod sheet;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ::csv::ByteRecord;

use sheet::Sheet;

use super::fingerprint::Fingerprint;
use super::{Delivery, Fetched, Progress, Step};
use crate::entry::Subscriber;
use crate::number::{self, Country, Numbers};
use crate::observe::mask;

/// The columns that a header may name, the required ones first.
const COLUMNS: [&str; 6] = ["number", "person", "company", "mrmrs", "person_id", "contact_id"];
/// How many of them are required.
const REQUIRED: usize = 3;

/// A CSV file of caller ids: the settings of a `[[source]]` of type `csv`.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What separates the columns; none where that is to be found out.
    pub delimiter: Option<u8>,
    /// The country in which national numbers are read.
    pub country: Country,
}

/// Why a file as a whole can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// It is missing or can't be read.
    #[error("can't read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It changed while it was read.
    #[error("{} is being written; it is read when that is over", .0.display())]
    Changing(PathBuf),
    /// The header is not what is expected.
    #[error("{}, line {line}: {what}; the header needs number, person and company, and may have mrmrs, person_id and contact_id (delimiter `{delimiter}`)", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// What is wrong.
        what: String,
        /// The delimiter: the usual cause.
        delimiter: char,
    },
    /// The service is stopping.
    #[error("interrupted")]
    Interrupted,
}

impl File {
    pub(super) fn identify(&self, question: &mut Fingerprint) {
        question.add("csv", &self.path.to_string_lossy());
        question.add(
            "delimiter",
            &self.delimiter.map_or_else(String::new, |delimiter| char::from(delimiter).into()),
        );
        question.add("country", self.country.as_str());
    }

    /// Reads the file, unless it is the one that `stamp` was delivered with.
    pub async fn fetch(&self, stamp: &str, progress: &Progress) -> Result<Fetched, CsvError> {
        let (file, stamp, progress) = (self.clone(), stamp.to_owned(), progress.clone());
        tokio::task::spawn_blocking(move || file.read(&stamp, &progress))
            .await
            .map_err(|_| CsvError::Interrupted)?
    }

    fn read(&self, known: &str, progress: &Progress) -> Result<Fetched, CsvError> {
        let unreadable = |error| CsvError::Unreadable { path: self.path.clone(), error };
        let before = stamp(&self.path).map_err(unreadable)?;
        if before == known {
            return Ok(Fetched::Unchanged);
        }
        let text = std::fs::read(&self.path).map_err(unreadable)?;
        // Read while an editor was saving it, a file may be cut off.
        if stamp(&self.path).map_err(unreadable)? != before {
            return Err(CsvError::Changing(self.path.clone()));
        }
        let mut delivery = self.parse(&text, progress)?;
        delivery.hash = before;
        Ok(Fetched::Entries(delivery))
    }

    fn parse(&self, bytes: &[u8], progress: &Progress) -> Result<Delivery, CsvError> {
        let sheet = Sheet::new(bytes);
        let delimiter = sheet.delimiter(self.delimiter, &COLUMNS);
        let mut lines = ::csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(::csv::Trim::All)
            .from_reader(&*sheet.text);
        let place = |line: &ByteRecord| sheet.line(line.position().map_or(0, ::csv::Position::byte));
        let mut line = ByteRecord::new();
        // The text is in memory and lines may have any length, so reading on can't fail.
        let mut next = |line: &mut ByteRecord| lines.read_byte_record(line).unwrap_or(false);
        while next(&mut line) && is_blank(&line) {}
        let columns = Columns::of(&line).map_err(|what| CsvError::Header {
            path: self.path.clone(),
            line: place(&line),
            what,
            delimiter: char::from(delimiter),
        })?;

        let mut delivery = Delivery::default();
        let mut records = 0;
        while next(&mut line) {
            if is_blank(&line) {
                continue;
            }
            records += 1;
            progress.set(Step::Reading { records });
            match columns.read(&line, self.country) {
                Ok((named, numbers)) => {
                    let number = || mask::Number(columns.number(&line)).to_string();
                    delivery.add(named, &numbers, || format!("line {}: number `{}`", place(&line), number()));
                }
                Err(unusable) => {
                    let example = || format!("line {}: {}", place(&line), unusable.what);
                    delivery.unusable.count(unusable.reason, example);
                }
            }
        }
        Ok(delivery)
    }
}

/// Whether a row has nothing in it: spreadsheets save those below a table too.
fn is_blank(line: &ByteRecord) -> bool {
    line.iter().all(<[u8]>::is_empty)
}

/// Changes when the file does: its modification time and its size.
fn stamp(path: &Path) -> io::Result<String> {
    let file = std::fs::metadata(path)?;
    let modified = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{}-{}", modified.as_nanos(), file.len()))
}

/// What is said of a first line whose column at `place` is none. Where it is no header at all it holds somebody's number and
/// name, so that nothing of it is shown.
fn unknown(header: &ByteRecord, place: usize) -> String {
    // Also between other delimiters than the configured one.
    let is_header = header.iter().any(|field| {
        let field = String::from_utf8_lossy(field).to_lowercase();
        let mut pieces = field.split([',', ';', '\t', '|']).map(|piece| piece.trim_matches([' ', '"']));
        pieces.any(|piece| COLUMNS.contains(&piece))
    });
    if is_header {
        format!("column {} is unknown", place + 1)
    } else {
        "the header is missing: it names none of the columns".into()
    }
}

/// Why a line can't be used.
struct BadLine {
    reason: &'static str,
    what: String,
}

/// Where each column is.
struct Columns {
    places: BTreeMap<&'static str, usize>,
    /// How many there are; those behind them are empty.
    count: usize,
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Self, String> {
        let mut places = BTreeMap::new();
        let count = header.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        for (place, named) in header.iter().take(count).enumerate() {
            let named = String::from_utf8_lossy(named).to_lowercase();
            let Some(column) = COLUMNS.into_iter().find(|column| *column == named) else {
                return Err(unknown(header, place));
            };
            if places.insert(column, place).is_some() {
                return Err(format!("column `{column}` is there twice"));
            }
        }
        match COLUMNS[..REQUIRED].iter().find(|column| !places.contains_key(*column)) {
            Some(missing) => Err(format!("column `{missing}` is missing")),
            None => Ok(Self { places, count }),
        }
    }

    fn read(&self, line: &ByteRecord, country: Country) -> Result<(Subscriber, Numbers), BadLine> {
        let unusable = |reason, what| BadLine { reason, what };
        if line.iter().any(|field| std::str::from_utf8(field).is_err()) {
            return Err(unusable("not_utf8", "it is not UTF-8: save the file in that encoding".into()));
        }
        // A quote that is not closed swallows the lines behind it, and with them other people's numbers.
        if line.iter().any(|field| field.contains(&b'\n')) {
            return Err(unusable("quote", "a field has a line break: is a quote not closed?".into()));
        }
        if line.iter().skip(self.count).any(|field| !field.is_empty()) {
            let what = format!("{} columns where the header has {}", line.len(), self.count);
            return Err(unusable("columns", what));
        }
        let text = |column| self.text(line, column);
        let number = self.number(line);
        let numbers = number::of_text(number, country).map_err(|error| {
            unusable(error.reason(), format!("number `{}`: {error}", mask::Number(number)))
        })?;
        let id = |column| match sheet::number(text(column)) {
            "" => Ok(0),
            id => id.parse::<u32>().map_err(|_| {
                let what = format!("{column}: allowed is a number up to {}", u32::MAX);
                unusable("id", what)
            }),
        };
        let named = Subscriber {
            person_id: id("person_id")?,
            person: text("person").to_owned(),
            mrmrs: text("mrmrs").to_owned(),
            company_id: id("contact_id")?,
            company: text("company").to_owned(),
        };
        let nobody = || unusable("no_name", "neither a person nor a company".into());
        Ok((named.cleared().ok_or_else(nobody)?, numbers))
    }

    /// A column's text; empty where the header or the line lacks it. The line is UTF-8.
    fn text<'a>(&self, line: &'a ByteRecord, column: &str) -> &'a str {
        let field = self.places.get(column).and_then(|place| line.get(*place)).unwrap_or_default();
        sheet::value(std::str::from_utf8(field).unwrap_or_default())
    }

    fn number<'a>(&self, line: &'a ByteRecord) -> &'a str {
        sheet::number(self.text(line, "number"))
    }
}

#[cfg(test)]
mod tests {
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
            assert!(
                !["22", "33", "Kari", "kari", "fjord"].iter().any(|part| error.contains(part)),
                "{error}"
            );
        }
        let long = format!("number,person,company,{}\n", "x".repeat(5000));
        let error = file("vip.csv", b',').parse(long.as_bytes(), &Progress::default()).unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn a_file_is_read_again_only_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, nobody) = (file(dir.path().join("vip.csv"), b','), Progress::default());
        assert!(matches!(file.read("", &nobody), Err(CsvError::Unreadable { .. })));
        std::fs::write(&file.path, "\u{feff}number,person,company\n22334455,Kari,\n").unwrap();
        let Fetched::Entries(first) = file.read("", &nobody).unwrap() else { unreachable!("it is new") };
        assert_eq!(first.entries.len(), 1);
        assert!(matches!(file.read(&first.hash, &nobody), Ok(Fetched::Unchanged)));
        std::fs::write(&file.path, "number,person,company\n22334455,Kari,\n22334456,Ola,\n").unwrap();
        assert!(matches!(file.read(&first.hash, &nobody), Ok(Fetched::Entries(_))));
    }
}
