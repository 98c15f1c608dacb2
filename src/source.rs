//! Where caller ids come from: [`superoffice`] and [`csv`] files. Each delivers the same thing, a [`Fetched`].

pub mod csv;
pub mod error;
mod fingerprint;
mod progress;
pub mod superoffice;
mod unusable_records;

pub use error::SourceError;
pub use progress::{Progress, Step};
pub use unusable_records::UnusableRecords;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::directory::list::Collector;
use crate::entry::{Entry, Named};
use crate::number::{Meant, Numbers};
use fingerprint::Fingerprint;

/// How this version reads records. To be raised, up to 255, when an entry may come out otherwise for the same answer (a
/// number is read otherwise, a name is cleaned otherwise): lists that an older version has kept are then asked for in
/// full and taken anew, though their hash has not changed.
pub const READING: u8 = 2;

/// How many sources there may be: a directory names them in 16 bits.
pub const MAX: usize = 1000;

/// A `[[source]]` of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, unique.
    pub name: String,
    /// Where it gets its list.
    pub kind: Kind,
    /// How often it is asked.
    pub refresh: Duration,
    /// How often the whole set is asked for, though nothing seems to have changed.
    pub full_refresh: Duration,
    /// Lists of one group are judged together; groups are counted from 0 in the order of the file.
    pub group: u16,
}

/// Which of a source's lists: what one call to it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId {
    /// The CRM's selection; none for what the user of the credential may be interested in.
    pub selection: Option<u32>,
}

impl ListId {
    /// The list's name, where its source has the name `source`.
    #[must_use]
    pub fn name(self, source: &str) -> String {
        match self.selection {
            Some(selection) => format!("{source}-{selection}"),
            None => source.to_owned(),
        }
    }
}

impl Settings {
    /// The lists of this source: at least one.
    #[must_use]
    pub fn lists(&self) -> Vec<ListId> {
        match &self.kind {
            Kind::SuperOffice(settings) if !settings.selections.is_empty() => {
                settings.selections.iter().map(|&id| ListId { selection: Some(id) }).collect()
            }
            Kind::SuperOffice(_) | Kind::Csv(_) => vec![ListId::default()],
        }
    }

    /// Whether callers whom no list knows are searched for in this source.
    #[must_use]
    pub fn searches_on_miss(&self) -> bool {
        match &self.kind {
            Kind::SuperOffice(settings) => settings.search_on_miss,
            Kind::Csv(_) => false,
        }
    }

    /// What the list is an answer to: who asks whom for what, and how the answer is read. A hash, and entries
    /// that were kept, belong to this question only. The same on every machine and in every version that
    /// asks the same and reads alike: the last byte is [`READING`].
    #[must_use]
    pub fn fingerprint(&self, list: ListId) -> u64 {
        let mut question = Fingerprint::default();
        match &self.kind {
            Kind::SuperOffice(settings) => settings.identify(&mut question),
            Kind::Csv(file) => file.identify(&mut question),
        }
        question.add("selection", &list.selection.map_or_else(String::new, |id| id.to_string()));
        (question.finish() & !0xff) | u64::from(READING)
    }
}

/// The type of a source.
#[derive(Clone, Debug)]
pub enum Kind {
    /// SuperOffice CRM.
    SuperOffice(Box<superoffice::Settings>),
    /// A CSV file.
    Csv(csv::File),
}

/// What a source answered.
#[derive(Debug)]
pub enum Fetched {
    /// The set is the one that was delivered last.
    Unchanged,
    /// A whole new set.
    Entries(Delivery),
}

/// A whole set of entries, as delivered.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The usable records, in the source's order.
    pub entries: Collector,
    /// The others, counted; and those of which there is something to say.
    pub unusable: UnusableRecords,
    /// What to send to learn whether the set has changed since: SuperOffice's hash; empty for none.
    pub hash: String,
}

impl Delivery {
    /// Takes a record. `example` names it, masked, where there is something to say of it.
    pub fn add(&mut self, named: Named, numbers: &Numbers, example: impl Fn() -> String) {
        if numbers.is_ambiguous() {
            self.unusable.remark("two_readings", &example);
        }
        if numbers.is_unplanned() {
            self.unusable.remark("unknown_length", &example);
        }
        let mut meant = numbers.iter();
        let Some(first) = meant.next() else { return };
        let mut entry = named.entry(first);
        self.entries.push(&entry);
        for Meant { number, likely } in meant {
            entry = Entry { number, likely, ..entry };
            self.entries.push(&entry);
        }
    }
}

/// A source of caller ids, ready to be asked.
#[derive(Debug)]
pub enum Source {
    /// SuperOffice CRM.
    SuperOffice(Box<superoffice::Client>),
    /// A CSV file.
    Csv(csv::File),
}

/// Prepares all sources, in their order. One that has several uses has one login for all of them.
pub fn prepare(sources: &[Settings]) -> anyhow::Result<Vec<Arc<Source>>> {
    sources.iter().map(prepare_one).collect()
}

/// Prepares one of them. An error names it.
pub fn prepare_one(settings: &Settings) -> anyhow::Result<Arc<Source>> {
    Source::new(settings).map(Arc::new).with_context(|| format!("source `{}`", settings.name))
}

impl Source {
    /// Prepares a source; nothing is asked and no file read yet.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(match &settings.kind {
            Kind::SuperOffice(crm) => {
                Self::SuperOffice(Box::new(superoffice::Client::new((**crm).clone(), settings.refresh)?))
            }
            Kind::Csv(file) => Self::Csv(file.clone()),
        })
    }

    /// Somebody orders lists of this source to be asked for: a credential that was refused may be tried once more.
    pub fn try_again(&self) {
        if let Self::SuperOffice(client) = self {
            client.try_again();
        }
    }

    /// Asks for a list. `hash` is that of its last delivery; empty to get the whole set in any case.
    /// `progress` shows how far it is, until all records are read.
    pub async fn fetch(&self, list: ListId, hash: &str, progress: &Progress) -> Result<Fetched, SourceError> {
        match self {
            Self::SuperOffice(client) => Ok(client.fetch(list, hash, progress).await?),
            Self::Csv(file) => Ok(file.fetch(hash, progress).await?),
        }
    }

    /// Everybody whom a search for these digits shows; some may have other numbers. A CSV file is known whole, so
    /// it shows nobody else.
    pub async fn search(&self, digits: &str) -> Result<Vec<Entry>, SourceError> {
        match self {
            Self::SuperOffice(client) => Ok(client.search(digits).await?),
            Self::Csv(_) => Ok(Vec::new()),
        }
    }

    /// What is known of the tenant of SuperOffice's cloud, where the source is one.
    pub fn tenant(&self) -> Option<superoffice::site::Tenant> {
        match self {
            Self::SuperOffice(client) => client.tenant(),
            Self::Csv(_) => None,
        }
    }

    /// How long the list's last answer took to begin, where that says something of the server.
    pub fn answered_in(&self, list: ListId) -> Option<Duration> {
        match self {
            Self::SuperOffice(client) => client.answered_in(list),
            Self::Csv(_) => None,
        }
    }
}
