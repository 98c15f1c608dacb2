//! Builds a directory whenever a list or the configuration is new, and puts it in use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;
use tracing::{error, info};

use super::engine::Engine;
use super::snapshot::Snapshot;
use super::store::Store;
use super::{ListConfig, configured, refresh};
use crate::directory::merge::{MergeError, Rules};
use crate::lookup::Resolver;
use crate::observe::panics;
use crate::source::Settings;

/// Changes that may wait for the next directory. If there are more, their schedules wait.
pub(super) const QUEUE: usize = 16;
/// The interval of the search for files of lists that were taken out of the configuration.
const DAY: Duration = Duration::from_hours(24);

/// What makes a new directory.
pub enum Change {
    /// The list with this name is new.
    List(String, Snapshot),
    /// The configuration is new.
    Configuration(Box<Configuration>),
}

/// The part of a new configuration that makes a new directory.
pub struct Configuration {
    /// The sources, in their order.
    pub sources: Vec<Settings>,
    /// How lists become a directory.
    pub rules: Rules,
    /// Takes the lists of these sources, when their directory is in use.
    pub reply: Reply,
}

type Reply = oneshot::Sender<Vec<(ListConfig, Snapshot)>>;

/// Builds a directory whenever a list or the configuration is new, and puts it in use.
pub(super) struct Publisher {
    pub(super) engine: Engine,
    rules: Rules,
    resolver: Arc<Resolver>,
}

impl Publisher {
    /// Begins with the directory of the lists on disk, if there is any.
    pub(super) fn start(engine: Engine, rules: Rules, resolver: Arc<Resolver>) -> Self {
        let mut publisher = Self { engine, rules, resolver };
        if publisher.has_a_list() {
            publisher.publish("from disk");
        }
        publisher
    }

    /// Whether there is a list. An empty one counts: an administrator accepted it, and calls can be answered from ranges and
    /// searches.
    fn has_a_list(&self) -> bool {
        self.engine.lists().iter().any(|(_, snapshot)| !matches!(snapshot, Snapshot::Absent))
    }

    /// Builds the directory and puts it in use. Takes seconds for a large list, so a thread for blocking work does it.
    pub(super) fn publish(&mut self, lists: &str) {
        let mut built = self.engine.directory(&self.rules);
        // A damaged list does not hold up the others.
        if matches!(built, Err(MergeError::Unreadable(_))) && self.engine.reopen_damaged() {
            built = self.engine.directory(&self.rules);
        }
        match built {
            Ok(directory) => {
                self.resolver.swap(directory);
                info!(numbers = self.resolver.numbers(), %lists, "directory is in place");
            }
            Err(error) => error!("the directory stays as it was: {error}"),
        }
    }

    pub(super) async fn run(mut self, mut receive: mpsc::Receiver<Change>, is_writer: bool) {
        let mut daily = interval(DAY);
        loop {
            let mut changes = Vec::new();
            tokio::select! {
                // Lists that arrive together make one directory.
                received = receive.recv_many(&mut changes, QUEUE) => if received == 0 { return },
                _ = daily.tick(), if is_writer => {
                    self.engine.remove_old_files().await;
                    continue;
                }
            }
            let published = panics::blocking(move || {
                let replies = self.take(changes, is_writer);
                (self, replies)
            });
            match published.await {
                Ok((publisher, replies)) => {
                    self = publisher;
                    if !replies.is_empty() {
                        // Lists may be gone from the configuration, or back in it.
                        daily.reset_immediately();
                    }
                    for reply in replies {
                        // If the service stops, no one waits for it.
                        let _ = reply.send(self.engine.lists().to_vec());
                    }
                }
                Err(error) => return error!("no further directory can be built: {error}"),
            }
        }
    }

    /// Takes the changes, and puts their directory in use. Returns who waits for that.
    fn take(&mut self, changes: Vec<Change>, is_writer: bool) -> Vec<Reply> {
        let mut replies = Vec::new();
        for change in changes {
            match change {
                Change::List(list, snapshot) => self.engine.replace(&list, snapshot),
                Change::Configuration(new) => {
                    let Configuration { sources, rules, reply } = *new;
                    let lists = configured(&sources);
                    // A list that was in the configuration before may be on disk still.
                    self.engine.reconfigure(sources, lists, |store, list| read(store, list, is_writer));
                    self.rules = rules;
                    replies.push(reply);
                }
            }
        }
        // A directory without a list takes the names of a removed one away, but is no first directory.
        if self.has_a_list() || self.resolver.is_filled() {
            self.publish(if replies.is_empty() { "new" } else { "of the new configuration" });
        }
        replies
    }
}

/// Opens a list. Without the right to write, damaged files stay where they are.
pub(super) fn read(store: &Store, list: &ListConfig, is_writer: bool) -> Snapshot {
    if is_writer { store.load(&list.name, refresh::now()) } else { store.look(&list.name) }
}
