//! Reads `CallerIDCollection` as a stream. Each record becomes an entry before the next one is read, so an answer of 150 MB is
//! never in memory as a whole.

use std::io::{self, ErrorKind, Read};

use super::error::{FetchError, head, short};
use super::fields;
use super::json::Scanner;
use super::record::Record;
use crate::directory::list::file::MAX_HASH;
use crate::number::Country;
use crate::source::{Delivery, Progress, Step};

/// The bytes that are read at least of another answer than a collection.
const ENOUGH: u64 = 4096;

/// The content of a 200.
#[derive(Debug)]
pub(super) enum ListAnswer {
    /// `null`, or an empty body.
    NoList,
    /// A collection.
    List(Delivery),
}

/// Reads an answer of at most `limit` bytes. `country` is that of numbers without a country code, `language` that of names in
/// several languages; `progress` counts the records.
pub(super) fn read(
    body: impl Read,
    limit: u64,
    country: Country,
    language: &str,
    progress: &Progress,
) -> Result<ListAnswer, FetchError> {
    let mut body = LimitedBody { body, head: Vec::new(), left: limit, is_whole: false, failed: None };
    let mut delivery = Delivery::default();
    let mut place = 0;
    let found = AnswerForm::read(&mut Scanner::new(&mut body), |record| {
        place += 1;
        progress.set(Step::Reading { records: place });
        let example = || format!("record {place}: {}", record.for_log());
        match record.named(country, language) {
            Ok((named, numbers)) => delivery.add(named, &numbers, example),
            Err(unusable) => delivery.unusable.count(unusable.reason(), example),
        }
    });
    let what = match found {
        _ if body.left == 0 => return Err(FetchError::TooLarge(limit)),
        Err(_) if let Some(error) = body.failed => return Err(error),
        Err(_) => return Err(FetchError::Broken(format!("after {} bytes", limit - body.left))),
        Ok(AnswerForm::Nothing) => return Ok(ListAnswer::NoList),
        Ok(AnswerForm::Collection(found)) if found.has_ids => {
            delivery.hash = found.hash.unwrap_or_default();
            return Ok(ListAnswer::List(delivery));
        }
        Ok(AnswerForm::Collection(Collection { message: Some(message), .. })) => {
            return Err(FetchError::Message(short(&message)));
        }
        Ok(AnswerForm::Collection(_)) => "CallerIDs is missing",
        Ok(AnswerForm::OtherJson) => "JSON of another form",
        Ok(AnswerForm::NoJson) => "not JSON",
    };
    // Read a little more: the answer may end soon, and then its length is known.
    let _ = io::copy(&mut body.by_ref().take(ENOUGH), &mut io::sink());
    Err(FetchError::NotACollection { what, head: head(&body.head, limit - body.left, body.is_whole) })
}

/// A body that ends at a limit, and keeps its beginning and the reason for its end.
struct LimitedBody<R> {
    body: R,
    head: Vec<u8>,
    left: u64,
    /// Whether it was read to its end.
    is_whole: bool,
    failed: Option<FetchError>,
}

impl<R: Read> Read for LimitedBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const HEAD: usize = 480;
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.body.read(&mut buffer[..room]).inspect_err(|error| {
            let said = super::error::chain(error);
            let is_timeout = error.kind() == io::ErrorKind::TimedOut;
            self.failed =
                Some(if is_timeout { FetchError::OutOfTime(said) } else { FetchError::Broken(said) });
        })?;
        let read = &buffer[..count];
        self.left -= count as u64;
        self.is_whole |= count == 0;
        self.head.extend(read.iter().take(HEAD.saturating_sub(self.head.len())));
        Ok(count)
    }
}

/// The form of an answer.
enum AnswerForm {
    /// `null`, or white space.
    Nothing,
    Collection(Collection),
    OtherJson,
    NoJson,
}

/// The fields of the collection beside its records.
#[derive(Default)]
struct Collection {
    /// Whether it has an array of caller ids.
    has_ids: bool,
    /// Empty if it can't be used: it is too long, or there are two different ones.
    hash: Option<String>,
    message: Option<String>,
}

impl AnswerForm {
    /// Reads an answer; `each` takes its records.
    ///
    /// # Errors
    /// If it ends too early.
    fn read(json: &mut Scanner<impl Read>, each: impl FnMut(&Record)) -> io::Result<Self> {
        let found = match json.ahead()? {
            None => return Ok(Self::Nothing),
            Some(b'{') => match Collection::read(json, each)? {
                Some(collection) => Self::Collection(collection),
                None => return Ok(Self::NoJson),
            },
            Some(b'[' | b'"') => return Ok(Self::OtherJson),
            Some(_) => {
                let mut word = Vec::new();
                match json.value(&mut word)? {
                    came if came.is_no_json => return Ok(Self::NoJson),
                    _ if word == b"null" => Self::Nothing,
                    _ => Self::OtherJson,
                }
            }
        };
        Ok(if json.ahead()?.is_none() { found } else { Self::NoJson })
    }
}

impl Collection {
    /// Reads the object; none if it is not JSON.
    fn read(json: &mut Scanner<impl Read>, mut each: impl FnMut(&Record)) -> io::Result<Option<Self>> {
        let mut collection = Self::default();
        let mut value = Vec::new();
        json.pass(b'{')?;
        while !json.pass(b'}')? {
            if json.pass(b',')? {
                continue;
            }
            if json.ahead()? != Some(b'"') {
                return json.ahead()?.map(|_| None).ok_or_else(|| ErrorKind::UnexpectedEof.into());
            }
            json.value(&mut value)?;
            let key: String = serde_json::from_slice(&value).unwrap_or_default();
            if !json.pass(b':')? {
                return Ok(None);
            }
            match (key.as_str(), json.ahead()?) {
                // The value is missing.
                (_, Some(b',' | b'}')) => {}
                ("CallerIDs", Some(b'[')) => {
                    collection.has_ids = true;
                    json.array(|record, came| each(&Record::read(record, came)))?;
                }
                (key, _) => {
                    let came = json.value(&mut value)?;
                    let text = fields::scalar(&value, came).map(|scalar| scalar.text()).unwrap_or_default();
                    match key {
                        "CallerIDHash" if text.is_empty() => {}
                        "CallerIDHash" => collection.note_hash(text, came.is_cut),
                        "Message" if !text.is_empty() => collection.message = Some(text),
                        _ => {}
                    }
                }
            }
        }
        Ok(Some(collection))
    }

    fn note_hash(&mut self, hash: String, is_cut: bool) {
        let is_usable = !is_cut && hash.len() <= MAX_HASH as usize;
        let hash = if is_usable { hash } else { String::new() };
        let is_another = self.hash.as_ref().is_some_and(|known| *known != hash);
        self.hash = Some(if is_another { String::new() } else { hash });
    }
}

#[cfg(test)]
mod tests;
