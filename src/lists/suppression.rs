//! The numbers that must not be named, in the running service: those of the configuration and those of `nameplate forget`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::info;

use super::forgotten::Forgotten;
use super::store::Store;
use crate::calls::Calls;
use crate::directory::suppressed::Suppressed;
use crate::lookup::Resolver;
use crate::number::Number;
use crate::observe::mask;

/// Keeps the numbers, and tells calls and lists of a change.
#[derive(Debug)]
pub struct Suppression {
    resolver: Arc<Resolver>,
    /// The history of calls.
    calls: Calls,
    store: Store,
    numbers: Mutex<Numbers>,
}

#[derive(Debug)]
struct Numbers {
    /// `[[suppress]]`
    configured: Suppressed,
    forgotten: Forgotten,
}

/// What `nameplate forget` has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the number was not forgotten before; with `--undo`, whether it was.
    pub is_changed: bool,
    /// Whether `[[suppress]]` has the number. Then `--undo` changes nothing.
    pub is_configured: bool,
    /// What was taken out of each list.
    pub lists: Vec<Cleared>,
    /// Why nothing was done.
    pub error: Option<String>,
    /// Whether other replicas take it over.
    #[serde(default)]
    pub others: Others,
}

/// Whether other replicas take a forgotten number over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// There are none, or nothing has changed.
    #[default]
    None,
    /// They do.
    Now,
    /// They do when their server answers again; why it does not now.
    Later(String),
}

/// What was taken out of the files of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The list's name.
    pub list: String,
    /// The records that were taken out of the list.
    pub records: usize,
    /// The records that were taken out of a list that is held back, and of the numbers that were lost.
    pub others: usize,
    /// The damaged files that were deleted, because they can't be searched.
    pub damaged: usize,
    /// Why files may still have the record.
    pub error: Option<String>,
}

impl Cleared {
    /// What is said of a failure.
    #[must_use]
    pub fn failed(list: &str, error: impl ToString) -> Self {
        Self { list: list.to_owned(), error: Some(error.to_string()), ..Self::default() }
    }
}

/// All numbers that must not be named: `configured`, and those in the file of `state_dir`.
///
/// # Errors
/// As [`Forgotten::read`].
pub fn all(state_dir: &Path, configured: &Suppressed) -> anyhow::Result<Suppressed> {
    Ok(configured.with(Forgotten::read(state_dir)?.numbers()))
}

/// Adds a number to the file of `state_dir`, or with `undo` takes it out, and has it followed in the files of all `lists`. For
/// a command with the lock.
///
/// # Errors
/// If the file can't be read or written.
pub fn change_alone(
    state_dir: &Path,
    configured: &Suppressed,
    (number, undo): (Number, bool),
    lists: impl Iterator<Item = String>,
) -> anyhow::Result<Report> {
    let mut forgotten = Forgotten::read(state_dir)?;
    let is_changed = forgotten.change(number, undo)?;
    let store = Store::new(state_dir);
    store.suppress(configured.with(forgotten.numbers()));
    let lists = if undo { Vec::new() } else { lists.map(|list| store.take_out_suppressed(&list)).collect() };
    Ok(Report { is_changed, is_configured: configured.has(number), lists, ..Report::default() })
}

impl Suppression {
    /// Reads the file of `state_dir`, and puts all numbers in force.
    ///
    /// # Errors
    /// As [`Forgotten::read`].
    pub fn start(
        state_dir: &Path,
        configured: Suppressed,
        resolver: &Arc<Resolver>,
        calls: &Calls,
    ) -> anyhow::Result<Self> {
        let forgotten = Forgotten::read(state_dir)?;
        let (resolver, calls, store) = (Arc::clone(resolver), calls.clone(), Store::new(state_dir));
        let suppression =
            Self { resolver, calls, store, numbers: Mutex::new(Numbers { configured, forgotten }) };
        suppression.put_in_force(&suppression.numbers());
        Ok(suppression)
    }

    /// The files of the lists. They get no record of these numbers.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes the numbers of another configuration.
    pub fn configure(&self, configured: Suppressed) {
        let mut numbers = self.numbers();
        numbers.configured = configured;
        self.put_in_force(&numbers);
    }

    /// Forgets a number, or with `undo` lets it be named again after the next refresh. Writes a file.
    pub fn change(&self, number: Number, undo: bool) -> Report {
        let mut numbers = self.numbers();
        let is_configured = numbers.configured.has(number);
        match numbers.forgotten.change(number, undo) {
            Ok(is_changed) => {
                self.put_in_force(&numbers);
                let masked = mask::Number(&number.to_string()).to_string();
                info!(number = %masked, undo, is_changed, "`nameplate forget`");
                Report { is_changed, is_configured, ..Report::default() }
            }
            Err(error) => Report { error: Some(format!("{error:#}")), ..Report::default() },
        }
    }

    /// Follows decisions of other replicas: each number is forgotten, or with `undo` may be named again. Writes a file. Whether that
    /// changed anything.
    ///
    /// # Errors
    /// If the file can't be written. Then nothing has changed.
    pub fn follow(&self, changes: &[(Number, bool)]) -> anyhow::Result<bool> {
        let mut numbers = self.numbers();
        let is_changed = numbers.forgotten.change_all(changes)?;
        if is_changed {
            self.put_in_force(&numbers);
            info!(numbers = changes.len(), "`nameplate forget` of other replicas");
        }
        Ok(is_changed)
    }

    /// The numbers of `nameplate forget`.
    #[must_use]
    pub fn forgotten(&self) -> Vec<Number> {
        self.numbers().forgotten.numbers().collect()
    }

    /// Takes the numbers out of the files of lists that are no longer in the configuration; `known` are those in it.
    #[must_use]
    pub fn take_out_of_removed(&self, known: &BTreeSet<String>) -> Vec<Cleared> {
        match self.store.removed(known) {
            Ok(removed) => {
                removed.iter().map(|removed| self.store.take_out_suppressed(&removed.list)).collect()
            }
            Err(error) => vec![Cleared::failed("lists that are no longer in the configuration", error)],
        }
    }

    fn put_in_force(&self, numbers: &Numbers) {
        let all = numbers.configured.with(numbers.forgotten.numbers());
        self.store.suppress(all.clone());
        self.resolver.suppress(&all);
        self.calls.forget(&all);
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
