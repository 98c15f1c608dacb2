//! Finds persons and companies of the directory by name, company or digits, while somebody types.
//!
//! The index is built only where somebody asks, from the first question on, on a thread of its own after each new directory. No call
//! waits for it. A number that must not be named is in no answer.
//!
//! - [`Find`]: the index of the moment
//! - [`index`]: words and numbers → persons and companies
//! - `query`: a question → an answer
//! - `fold`: words without marks and case: `aase` finds Åse
//! - `words`, `numbers`, `bits`: the parts of the index

mod bits;
mod fold;
pub mod index;
mod numbers;
mod query;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, error};

use crate::lookup::Resolver;
use crate::observe::panics;
pub use index::Index;
pub use query::{Answer, Hit, MAX_QUERY};

/// The index of the moment. A clone shares it.
#[derive(Clone, Debug)]
pub struct Find {
    wanted: Arc<watch::Sender<bool>>,
    index: Arc<watch::Sender<Option<Arc<Index>>>>,
}

impl Default for Find {
    fn default() -> Self {
        Self { wanted: Arc::new(watch::Sender::new(false)), index: Arc::new(watch::Sender::new(None)) }
    }
}

impl Find {
    /// The index. The first question has it built, and waits at most so long. None: it is not built yet.
    pub async fn index(&self, longest: Duration) -> Option<Arc<Index>> {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
        let mut index = self.index.subscribe();
        let built = timeout(longest, index.wait_for(Option::is_some)).await;
        built.ok()?.ok()?.clone()
    }

    /// Keeps the index, once it is wanted, that of the newest directory. Never ends.
    pub async fn run(self, resolver: Arc<Resolver>) {
        // The senders are fields, so no wait can fail.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
        let mut placed = resolver.placed();
        let _ = placed.wait_for(|filled| *filled).await;
        loop {
            placed.mark_unchanged();
            let directory = resolver.directory();
            match panics::blocking(move || Index::build(directory)).await {
                Ok(Some(index)) => {
                    debug!(numbers = index.numbers(), "the index for searches by name is built");
                    self.index.send_replace(Some(Arc::new(index)));
                }
                Ok(None) => error!("the directory has more persons, companies or words than can be searched"),
                Err(error) => error!("the index for searches by name is not built: {error}"),
            }
            let _ = placed.changed().await;
        }
    }
}
