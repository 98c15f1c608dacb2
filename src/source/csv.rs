//! CSV files: for tests, and for lists that people edit by hand.
//!
//! The first line is the header: `number,person,company` in any order, and optionally `mrmrs`, `person_id` and `contact_id`.
//! Numbers have a `+` or are national. Leading zeros count. A number with an extension is unusable: no caller shows one. An
//! unusable line is reported with its line number, and costs only itself.
//!
//! - `content`: the content of a file, and when it is whole
//! - `quotes`: quotes that are not closed
//! - `sheet`: the formats of spreadsheets

mod content;
mod quotes;
mod sheet;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ::csv::ByteRecord;
use bytesize::ByteSize;

use content::Content;
use quotes::{Part, Parts};
use sheet::Sheet;

use super::fingerprint::Fingerprint;
use super::{Delivery, Fetched, Progress, Step};
use crate::entry::Subscriber;
use crate::number::{self, Country, Numbers};
use crate::observe::mask;

/// The columns of a header, the required columns first.
const COLUMNS: [&str; 6] = ["number", "person", "company", "mrmrs", "person_id", "contact_id"];
/// The count of required columns.
const REQUIRED: usize = 3;

/// A CSV file of caller ids: the settings of a `[[source]]` of type `csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// The path of the file.
    pub path: PathBuf,
    /// The delimiter of the columns. None to detect it.
    pub delimiter: Option<u8>,
    /// The country of national numbers.
    pub country: Country,
}

/// The reason why a whole file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file is missing or can't be read.
    #[error("can't read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("{} is no regular file; allowed is a file of up to {}", .0.display(), ByteSize(content::LARGEST))]
    NoFile(PathBuf),
    /// The file is too large.
    #[error("{} has {size}; allowed are {}", path.display(), ByteSize(content::LARGEST))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size, or a part of it if it has grown.
        size: ByteSize,
    },
    /// The file changed during the read.
    #[error("{} is being written; it is read afterwards", .0.display())]
    Changing(PathBuf),
    /// The header is wrong.
    #[error("{}, line {line}: {what}; the header needs number, person and company, and may have mrmrs, person_id and contact_id (delimiter `{delimiter}`)", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// The mistake.
        what: String,
        /// The delimiter, the usual cause.
        delimiter: char,
    },
    /// The service is stopping.
    #[error("interrupted")]
    Interrupted,
}

/// The result of one look at a file.
enum Read {
    Done(Fetched),
    /// The last line may not be whole ([`Content::Unfinished`]).
    Unfinished(String, Duration),
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

    /// Reads the file, if it has changed since `stamp`. If the last line has no end, waits until nobody writes any more.
    pub async fn fetch(&self, stamp: &str, progress: &Progress) -> Result<Fetched, CsvError> {
        match self.read(stamp, None, progress).await? {
            Read::Done(fetched) => Ok(fetched),
            Read::Unfinished(unfinished, wait) => {
                tokio::time::sleep(wait).await;
                match self.read(stamp, Some(unfinished), progress).await? {
                    Read::Done(fetched) => Ok(fetched),
                    Read::Unfinished(..) => Err(CsvError::Changing(self.path.clone())),
                }
            }
        }
    }

    async fn read(
        &self,
        known: &str,
        unfinished: Option<String>,
        progress: &Progress,
    ) -> Result<Read, CsvError> {
        let (file, known, progress) = (self.clone(), known.to_owned(), progress.clone());
        let read = move || match content::read(&file.path, &known, unfinished.as_deref())? {
            Content::Unchanged => Ok(Read::Done(Fetched::Unchanged)),
            Content::Unfinished(stamp, wait) => Ok(Read::Unfinished(stamp, wait)),
            Content::Whole(bytes, stamp) => {
                let mut delivery = file.parse(&bytes, &progress)?;
                delivery.hash = stamp;
                Ok(Read::Done(Fetched::Entries(delivery)))
            }
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| CsvError::Interrupted)?
    }

    fn parse(&self, bytes: &[u8], progress: &Progress) -> Result<Delivery, CsvError> {
        let sheet = Sheet::new(bytes);
        let delimiter = sheet.delimiter(self.delimiter, &COLUMNS);
        let mut parser = ::csv::ReaderBuilder::new();
        parser.delimiter(delimiter).has_headers(false).flexible(true).trim(::csv::Trim::All);
        let byte = |line: &ByteRecord| line.position().map_or(0, ::csv::Position::byte);
        let mut line = ByteRecord::new();
        let mut lines = parser.from_reader(&*sheet.text);
        while next(&mut lines, &mut line) && is_blank(&line) {}
        let place = |byte: u64| sheet.line(byte);
        let columns = Columns::of(&line).map_err(|what| CsvError::Header {
            path: self.path.clone(),
            line: place(byte(&line)),
            what,
            delimiter: char::from(delimiter),
        })?;

        let mut delivery = Delivery::default();
        let mut records = 0;
        let body = usize::try_from(lines.position().byte()).unwrap_or(usize::MAX);
        for part in Parts::new(&sheet.text, body, delimiter) {
            let range = match part {
                Part::Records(range) => range,
                Part::Unclosed(begin) => {
                    records += 1;
                    let example = || format!("line {}: a quote is not closed", place(begin as u64));
                    delivery.unusable.count("quote", example);
                    continue;
                }
            };
            let begin = range.start as u64;
            let mut lines = parser.from_reader(sheet.text.get(range).unwrap_or_default());
            while next(&mut lines, &mut line) {
                if is_blank(&line) {
                    continue;
                }
                records += 1;
                progress.set(Step::Reading { records });
                let place = || place(begin + byte(&line));
                match columns.read(&line, self.country) {
                    Ok((named, numbers)) => {
                        let number = || mask::Number(columns.number(&line)).to_string();
                        delivery.add(named, &numbers, || format!("line {}: number `{}`", place(), number()));
                    }
                    Err(unusable) => {
                        let example = || format!("line {}: {}", place(), unusable.what);
                        delivery.unusable.count(unusable.reason, example);
                    }
                }
            }
        }
        Ok(delivery)
    }
}

/// Reads the next record. The text is in memory, and lines may have any length, so a read can't fail.
fn next(lines: &mut ::csv::Reader<&[u8]>, line: &mut ByteRecord) -> bool {
    lines.read_byte_record(line).unwrap_or(false)
}

/// Whether a row is empty: spreadsheets also save the empty rows below a table.
fn is_blank(line: &ByteRecord) -> bool {
    line.iter().all(<[u8]>::is_empty)
}

/// The error for an unknown column at `place`. A first line without any known column is no header: it has a number and a
/// name, so nothing of it is shown.
fn unknown(header: &ByteRecord, place: usize) -> String {
    // Also with other delimiters than the configured one.
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

/// The reason why a line can't be used.
struct BadLine {
    reason: &'static str,
    what: String,
}

/// The places of the columns.
struct Columns {
    places: BTreeMap<&'static str, usize>,
    /// The count of columns. Fields behind them must be empty.
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
        // It may have been meant for two lines, with other people's numbers.
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

    /// The text of a column. Empty if the header or the line does not have it. The line is UTF-8.
    fn text<'a>(&self, line: &'a ByteRecord, column: &str) -> &'a str {
        let field = self.places.get(column).and_then(|place| line.get(*place)).unwrap_or_default();
        sheet::value(std::str::from_utf8(field).unwrap_or_default())
    }

    fn number<'a>(&self, line: &'a ByteRecord) -> &'a str {
        sheet::number(self.text(line, "number"))
    }
}

#[cfg(test)]
mod tests;
