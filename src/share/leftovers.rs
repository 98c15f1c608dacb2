//! The chunks in the server that no list needs any more, as far as this replica has to do with them: without it they would live as long
//! as those in use, and fill the server with many versions of a list. A machine without I/O.

use std::collections::BTreeMap;

/// The chunks that no list needs any more.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// Those of a version that is not published, and perhaps never will be.
    unpublished: Vec<String>,
    /// Those of the version before the published one, by list.
    replaced: BTreeMap<String, Vec<String>>,
}

impl Leftovers {
    /// This chunk is sent to the server.
    pub fn sends(&mut self, chunk: &str) {
        self.unpublished.push(chunk.to_owned());
    }

    /// The chunks that were sent for nothing.
    #[must_use]
    pub fn unpublished(&self) -> Vec<String> {
        self.unpublished.clone()
    }

    /// They are removed; or the server is asked to publish them, which it may do without an answer.
    pub fn settles(&mut self) {
        self.unpublished.clear();
    }

    /// A version of the list with these chunks was replaced. Returns the chunks of the one before it, which nobody reads any more.
    pub fn replaces(&mut self, list: &str, chunks: Vec<String>) -> Vec<String> {
        self.replaced.insert(list.to_owned(), chunks).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_left_over_until_it_is_removed_or_may_be_published() {
        let mut leftovers = Leftovers::default();
        leftovers.sends("a");
        leftovers.sends("b");
        // The server may not answer when they are to be removed.
        assert_eq!(leftovers.unpublished(), ["a", "b"]);
        assert_eq!(leftovers.unpublished(), ["a", "b"]);
        leftovers.settles();
        leftovers.sends("c");
        assert_eq!(leftovers.unpublished(), ["c"]);
    }

    #[test]
    fn of_each_list_the_version_before_the_published_one_stays() {
        let mut leftovers = Leftovers::default();
        assert!(leftovers.replaces("crm", vec!["a".into()]).is_empty());
        assert!(leftovers.replaces("vip", vec!["v".into()]).is_empty());
        assert_eq!(leftovers.replaces("crm", vec!["b".into()]), ["a"]);
        assert_eq!(leftovers.replaces("crm", Vec::new()), ["b"]);
    }
}
