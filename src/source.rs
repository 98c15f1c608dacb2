//! The sources of caller ids: [`superoffice`] and [`csv`] files. Both deliver a [`Fetched`]; an [`error`] says when to try again.

pub mod csv;
pub mod error;
mod fingerprint;
mod progress;
mod retry;
pub mod superoffice;
mod unusable_records;

pub use error::SourceError;
pub use progress::{Progress, Step};
pub use retry::Retry;
pub use unusable_records::UnusableRecords;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::directory::Origin;
use crate::directory::list::Collector;
use crate::entry::{Entry, Subscriber};
use crate::number::{Numbers, RecordNumber};
use fingerprint::Fingerprint;

/// The version of the rules by which records become entries, at most 255. Raise it when the same answer can give another entry,
/// because a number is read or a name is cleaned in another way: the lists of older versions are then fetched again in full,
/// although their hash is the same.
pub const READING: u8 = 2;

/// The most sources, and the most origins of lists: a directory has 16 bits for an origin.
pub const MAX: usize = 1000;

/// A `[[source]]` of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The source's name, unique.
    pub name: String,
    /// Its type, with the settings of the type.
    pub kind: Kind,
    /// The interval of refreshes.
    pub refresh: Duration,
    /// The interval of complete fetches, without a hash.
    pub full_refresh: Duration,
    /// The group whose lists share their entries for a number. Counted from 0 in the order of the file.
    pub group: u16,
    /// The tags of its lists.
    pub tags: Tags,
    /// How long a call waits for the search of its caller. None: not at all.
    pub search_wait: Option<Duration>,
}

/// The longest tag, in bytes: it shares the 79 bytes of an extension with a name.
pub const MAX_TAG_BYTES: usize = 8;

/// The tags by which a dialplan routes the calls of a source: at most [`MAX_TAG_BYTES`] each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The tag of the source. Empty for none.
    pub source: String,
    /// The selections with a tag of their own.
    pub selections: BTreeMap<u32, String>,
}

impl Tags {
    /// The tag of a list. Empty for none.
    #[must_use]
    pub fn of(&self, list: ListId) -> &str {
        let own = list.selection.and_then(|id| self.selections.get(&id));
        own.unwrap_or(&self.source)
    }
}

/// One of a source's lists: the answer to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId {
    /// The CRM's selection; none for the caller ids of the credential's user.
    pub selection: Option<u32>,
}

impl ListId {
    /// The list's name, for a source with the name `source`.
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

    /// The origins of this source's lists. Selections with a tag of their own come first: a caller who is also in another selection
    /// has that tag.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let (own, others): (Vec<_>, Vec<_>) = self
            .lists()
            .into_iter()
            .partition(|list| list.selection.is_some_and(|id| self.tags.selections.contains_key(&id)));
        let mut origins = Vec::new();
        for list in own.into_iter().chain(others) {
            let origin = self.origin(list);
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }

    /// The origin of a list.
    #[must_use]
    pub fn origin(&self, list: ListId) -> Origin {
        Origin { source: self.name.clone(), tag: self.tags.of(list).to_owned() }
    }

    /// Whether callers that no list has are searched for in this source.
    #[must_use]
    pub fn searches_on_miss(&self) -> bool {
        match &self.kind {
            Kind::SuperOffice(settings) => settings.search_on_miss,
            Kind::Csv(_) => false,
        }
    }

    /// Identifies the request for a list: server, user, selection, and in the last byte [`READING`]. A hash and the entries on disk
    /// belong to one fingerprint. The same request has the same fingerprint on every machine and in every version.
    #[must_use]
    pub fn fingerprint(&self, list: ListId) -> u64 {
        let mut fingerprint = Fingerprint::default();
        match &self.kind {
            Kind::SuperOffice(settings) => settings.identify(&mut fingerprint),
            Kind::Csv(file) => file.identify(&mut fingerprint),
        }
        fingerprint.add("selection", &list.selection.map_or_else(String::new, |id| id.to_string()));
        (fingerprint.finish() & !0xff) | u64::from(READING)
    }
}

/// The address of each CRM's own client, by the source's name: the pages lead there.
#[must_use]
pub fn client_addresses(sources: &[Settings]) -> BTreeMap<String, String> {
    let address = |source: &Settings| match &source.kind {
        Kind::SuperOffice(settings) => settings.site.client_address(),
        Kind::Csv(_) => None,
    };
    sources.iter().filter_map(|source| Some((source.name.clone(), address(source)?))).collect()
}

/// The type of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// SuperOffice CRM.
    SuperOffice(Box<superoffice::Settings>),
    /// A CSV file.
    Csv(csv::File),
}

/// The answer of a source.
#[derive(Debug)]
pub enum Fetched {
    /// The list with the sent hash is up to date.
    Unchanged,
    /// A complete list.
    Entries(Delivery),
}

/// A complete list, as delivered.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The usable records, in the source's order.
    pub entries: Collector,
    /// The unusable records, and remarks on usable ones.
    pub unusable: UnusableRecords,
    /// The hash to send with the next request; empty if there is none.
    pub hash: String,
    /// Whether another replica has judged the list and accepted it: then it is accepted as it is.
    pub is_accepted: bool,
    /// Identifies the numbers that the other replica has left out; none if no replica has.
    pub left_out: Option<u64>,
}

impl Delivery {
    /// Adds a record. `example` describes it, masked, for a remark.
    pub fn add(&mut self, named: Subscriber, numbers: &Numbers, example: impl Fn() -> String) {
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
        for RecordNumber { number, likely } in meant {
            entry = Entry { number, likely, ..entry };
            self.entries.push(&entry);
        }
    }
}

/// The client of a source.
#[derive(Debug)]
pub enum Source {
    /// SuperOffice CRM.
    SuperOffice(Box<superoffice::Client>),
    /// A CSV file.
    Csv(csv::File),
}

/// A configured source with its client. Lists and searches of one source share its client, and so its login.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The settings.
    pub settings: Settings,
    /// The client.
    pub client: Arc<Source>,
}

impl Prepared {
    /// Whether the client is the one of a source with these settings.
    fn fits(&self, settings: &Settings) -> bool {
        let own = &self.settings;
        own.name == settings.name && own.refresh == settings.refresh && own.kind == settings.kind
    }
}

/// Prepares the clients of all sources, in their order. A source keeps the client that it has among those from `before`, unless
/// its settings have changed.
pub fn prepare(sources: &[Settings], before: &[Prepared]) -> anyhow::Result<Vec<Prepared>> {
    let prepared = |settings: &Settings| {
        let known = before.iter().find(|known| known.fits(settings));
        let client = known.map_or_else(|| prepare_one(settings), |known| Ok(Arc::clone(&known.client)))?;
        Ok(Prepared { settings: settings.clone(), client })
    };
    sources.iter().map(prepared).collect()
}

/// Prepares the client of one source. An error has the source's name.
pub fn prepare_one(settings: &Settings) -> anyhow::Result<Arc<Source>> {
    Source::new(settings).map(Arc::new).with_context(|| format!("source `{}`", settings.name))
}

impl Source {
    /// Prepares the client. Sends nothing and reads no file yet.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(match &settings.kind {
            Kind::SuperOffice(crm) => {
                Self::SuperOffice(Box::new(superoffice::Client::new((**crm).clone(), settings.refresh)?))
            }
            Kind::Csv(file) => Self::Csv(file.clone()),
        })
    }

    /// An administrator has ordered a refresh: permits one more attempt with a refused credential.
    pub fn try_again(&self) {
        if let Self::SuperOffice(client) = self {
            client.try_again();
        }
    }

    /// Fetches a list. `hash` is that of its last delivery, or empty to get the complete list in any case. `progress` counts the
    /// records.
    pub async fn fetch(&self, list: ListId, hash: &str, progress: &Progress) -> Result<Fetched, SourceError> {
        match self {
            Self::SuperOffice(client) => Ok(client.fetch(list, hash, progress).await?),
            Self::Csv(file) => Ok(file.fetch(hash, progress).await?),
        }
    }

    /// The entries that a search for these digits finds; some may have other numbers. A CSV file is never searched: all its entries
    /// are in its list.
    pub async fn search(&self, digits: &str) -> Result<Vec<Entry>, SourceError> {
        match self {
            Self::SuperOffice(client) => Ok(client.search(digits).await?),
            Self::Csv(_) => Ok(Vec::new()),
        }
    }

    /// The state of the tenant, if the source is a tenant of SuperOffice's cloud.
    pub fn tenant(&self) -> Option<superoffice::tenant::Tenant> {
        match self {
            Self::SuperOffice(client) => client.tenant(),
            Self::Csv(_) => None,
        }
    }

    /// A sentence on this machine's clock if SuperOffice's last answer shows that it is wrong; none for a file.
    pub fn clock(&self) -> Option<String> {
        match self {
            Self::SuperOffice(client) => client.clock(),
            Self::Csv(_) => None,
        }
    }

    /// The time until the first byte of the list's last answer; none for a file.
    pub fn answered_in(&self, list: ListId) -> Option<Duration> {
        match self {
            Self::SuperOffice(client) => client.answered_in(list),
            Self::Csv(_) => None,
        }
    }
}
