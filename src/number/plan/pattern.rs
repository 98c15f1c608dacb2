//! The patterns of the metadata, compiled to automata.
//!
//! A search in a [`regex_automata`] DFA needs no cache, so no lock and no allocation, in any thread. `regex::Regex` shares
//! pooled caches between threads, and the compiled patterns of the metadata crate are behind one mutex.

use std::cell::RefCell;

use regex_automata::{
    Anchored, Input, MatchKind, PatternID,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{
        self,
        backtrack::{self, BoundedBacktracker},
    },
    util::{primitives::NonMaxUsize, syntax},
};

/// A national prefix has at most two groups (Brazil). Group 0 is the whole match.
const SLOTS: usize = 2 * (2 + 1);

/// A pattern that cannot be compiled. A test compiles all patterns of the metadata.
#[derive(Debug, thiserror::Error)]
#[error("pattern cannot be compiled: {0}")]
pub(in crate::number) struct BadPattern(String);

/// A pattern for whole numbers.
#[derive(Clone, Debug)]
pub(in crate::number) struct Whole(Option<dense::DFA<Vec<u32>>>);

impl Whole {
    /// Joins `patterns` to one automaton. No pattern at all matches nothing.
    pub(in crate::number) fn new<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Self, BadPattern> {
        // Not `build_many`: the matching pattern is not needed.
        let joined =
            patterns.map(|pattern| format!("(?:{})", without_blanks(pattern))).collect::<Vec<_>>().join("|");
        if joined.is_empty() {
            return Ok(Self::none());
        }
        compile(&joined, MatchKind::All).map(|dfa| Self(Some(dfa)))
    }

    /// A pattern that matches nothing.
    pub(in crate::number) fn none() -> Self {
        Self(None)
    }

    /// Whether the whole of `digits` matches.
    pub(in crate::number) fn matches(&self, digits: &[u8]) -> bool {
        // With `MatchKind::All` an anchored search reports the longest match.
        self.0.as_ref().and_then(|dfa| longest(dfa, digits)).is_some_and(|end| end == digits.len())
    }

    /// Whether some match begins with `start`.
    pub(in crate::number) fn can_begin_with(&self, start: &[u8]) -> bool {
        let Some(dfa) = &self.0 else { return false };
        let input = Input::new(start).anchored(Anchored::Yes);
        let Ok(state) = dfa.start_state_forward(&input) else {
            return false;
        };
        let state = start.iter().fold(state, |state, &digit| dfa.next_state(state, digit));
        !dfa.is_dead_state(state)
    }
}

/// A pattern for prefixes, with the content of its groups.
#[derive(Clone, Debug)]
pub(in crate::number) struct Prefix {
    ends: dense::DFA<Vec<u32>>,
    /// Only for countries with groups in their prefix.
    groups: Option<BoundedBacktracker>,
}

/// A match of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::number) struct PrefixMatch<'d> {
    /// The length of the prefix, in digits.
    pub end: usize,
    /// The content of groups 1 and 2.
    pub groups: [Option<&'d [u8]>; 2],
}

impl Prefix {
    /// Compiles one prefix pattern. The first alternative that matches wins.
    pub(in crate::number) fn new(pattern: &str) -> Result<Self, BadPattern> {
        let pattern = without_blanks(pattern);
        let ends = compile(&pattern, MatchKind::LeftmostFirst)?;
        let groups = BoundedBacktracker::builder()
            .syntax(ascii())
            .thompson(thompson::Config::new().utf8(false))
            .build(&pattern)
            .map_err(|error| BadPattern(error.to_string()))?;
        let has_groups = groups.get_nfa().group_info().group_len(PatternID::ZERO) > 1;
        Ok(Self { ends, groups: has_groups.then_some(groups) })
    }

    /// The prefix at the start of `digits`.
    pub(in crate::number) fn find<'d>(&self, digits: &'d [u8]) -> Option<PrefixMatch<'d>> {
        let end = longest(&self.ends, digits)?;
        let groups = match &self.groups {
            Some(pattern) => groups(pattern, digits),
            None => [None; 2],
        };
        Some(PrefixMatch { end, groups })
    }
}

/// A pattern for whole numbers, with the content of all its groups.
#[derive(Clone, Debug)]
pub(in crate::number) struct Groups(BoundedBacktracker);

impl Groups {
    /// Compiles one pattern.
    pub(in crate::number) fn new(pattern: &str) -> Result<Self, BadPattern> {
        let pattern = format!("(?:{})\\z", without_blanks(pattern));
        BoundedBacktracker::builder()
            .syntax(ascii())
            .thompson(thompson::Config::new().utf8(false))
            .build(&pattern)
            .map(Self)
            .map_err(|error| BadPattern(error.to_string()))
    }

    /// The content of each group, if the whole of `digits` matches; "" for a group that is not in the match.
    pub(in crate::number) fn of<'d>(&self, digits: &'d [u8]) -> Option<Vec<&'d str>> {
        let mut captures = self.0.create_captures();
        let input = Input::new(digits).anchored(Anchored::Yes);
        // The only error is for digits that are too long for the backtracker; no digits are.
        self.0.try_captures(&mut self.0.create_cache(), input, &mut captures).ok()?;
        captures.is_match().then(|| {
            let group = |at| captures.get_group(at).and_then(|span| digits.get(span.range()));
            let text = |at| group(at).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
            (1..captures.group_len()).map(text).collect()
        })
    }
}

fn groups<'d>(pattern: &BoundedBacktracker, digits: &'d [u8]) -> [Option<&'d [u8]>; 2] {
    thread_local! {
        // One cache for each thread, for all patterns. It grows to the largest.
        static CACHE: RefCell<Option<backtrack::Cache>> = const { RefCell::new(None) };
    }
    CACHE.with_borrow_mut(|cache| {
        let cache = cache.get_or_insert_with(|| pattern.create_cache());
        cache.reset(pattern);
        let mut slots: [Option<NonMaxUsize>; SLOTS] = [None; SLOTS];
        let input = Input::new(digits).anchored(Anchored::Yes);
        // The only error is for digits that are too long for the backtracker; no digits are.
        if !matches!(pattern.try_search_slots(cache, &input, &mut slots), Ok(Some(_))) {
            return [None; 2];
        }
        let group = |n: usize| {
            let from = slots.get(2 * n).copied().flatten()?;
            let to = slots.get(2 * n + 1).copied().flatten()?;
            digits.get(from.get()..to.get())
        };
        [group(1), group(2)]
    })
}

fn longest(dfa: &dense::DFA<Vec<u32>>, digits: &[u8]) -> Option<usize> {
    let input = Input::new(digits).anchored(Anchored::Yes);
    // The only error is for a byte at which the automaton gives up; there is no such byte.
    dfa.try_search_fwd(&input).ok().flatten().map(|m| m.offset())
}

fn compile(pattern: &str, kind: MatchKind) -> Result<dense::DFA<Vec<u32>>, BadPattern> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Anchored)
                .match_kind(kind)
                .accelerate(false)
                .minimize(true),
        )
        .syntax(ascii())
        .thompson(thompson::Config::new().utf8(false).which_captures(thompson::WhichCaptures::None))
        .build(pattern)
        .map_err(|error| BadPattern(error.to_string()))
}

/// `\d` is 0 to 9: digits of other scripts are converted before the match.
fn ascii() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// Some patterns of the metadata are written over several lines, with blanks.
fn without_blanks(pattern: &str) -> String {
    pattern.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(patterns: &[&str]) -> Whole {
        Whole::new(patterns.iter().copied()).unwrap()
    }

    #[test]
    fn a_whole_match_reaches_the_last_digit() {
        let pattern = whole(&["4\n  \\d{3}", "4\\d{3}|55"]);
        assert!(pattern.matches(b"4123"));
        assert!(pattern.matches(b"55"));
        assert!(!pattern.matches(b"41234"));
        assert!(!pattern.matches(b"412"));
        assert!(!pattern.matches(b""));
    }

    #[test]
    fn of_two_lengths_the_longer_is_seen_although_the_shorter_is_written_first() {
        assert!(whole(&["12|123"]).matches(b"123"));
    }

    #[test]
    fn no_pattern_matches_nothing() {
        let none = whole(&[]);
        assert!(!none.matches(b""));
        assert!(!none.matches(b"1"));
        assert!(!none.can_begin_with(b"0"));
    }

    #[test]
    fn the_first_digits_decide_whether_a_match_is_still_possible() {
        let pattern = whole(&["0[1-3]\\d{2}"]);
        assert!(pattern.can_begin_with(b"0"));
        assert!(!pattern.can_begin_with(b"04"));
    }

    #[test]
    fn a_prefix_ends_where_the_first_alternative_ends() {
        let prefix = Prefix::new("0|00").unwrap();
        assert_eq!(prefix.find(b"0012").unwrap().end, 1);
        assert_eq!(prefix.find(b"12"), None);
    }

    #[test]
    fn a_prefix_tells_its_groups() {
        let brazil = Prefix::new("(?:0|90)(?:(15|21)(\\d{10,11}))?").unwrap();
        let found = brazil.find(b"0211134567890").unwrap();
        assert_eq!(found.groups, [Some(&b"21"[..]), Some(&b"1134567890"[..])]);
        let found = brazil.find(b"01134567890").unwrap();
        assert_eq!((found.end, found.groups), (1, [None, None]));
    }

    #[test]
    fn a_pattern_that_is_none_is_an_error() {
        assert!(Whole::new(["("].into_iter()).is_err());
        assert!(Prefix::new("[").is_err());
    }
}
