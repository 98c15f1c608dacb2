//! The metadata's patterns, compiled to automata.
//!
//! A [`regex_automata`] DFA is searched without a cache, so without a lock and without allocating,
//! whichever thread takes the call. `regex::Regex` shares pooled caches between threads and the
//! metadata crate's own compiled patterns sit behind one mutex.

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

/// Two groups are the most that a national prefix has (Brazil), and group 0 is the whole match.
const SLOTS: usize = 2 * (2 + 1);

/// A pattern that could not be compiled. Not met with the metadata this program is built with
/// (a test compiles all of it).
#[derive(Debug, thiserror::Error)]
#[error("pattern cannot be compiled: {0}")]
pub(in crate::number) struct BadPattern(String);

/// Decides whether digits match one of some patterns from the first to the last digit.
#[derive(Clone, Debug)]
pub(in crate::number) struct Whole(Option<dense::DFA<Vec<u32>>>);

impl Whole {
    /// Joins `patterns` to one automaton. None at all match nothing.
    pub(in crate::number) fn new<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Self, BadPattern> {
        // Patterns are joined by hand rather than by `build_many`: nobody asks which one matched.
        let joined =
            patterns.map(|pattern| format!("(?:{})", without_blanks(pattern))).collect::<Vec<_>>().join("|");
        if joined.is_empty() {
            return Ok(Self::none());
        }
        compile(&joined, MatchKind::All).map(|dfa| Self(Some(dfa)))
    }

    /// Matches no digits.
    pub(in crate::number) fn none() -> Self {
        Self(None)
    }

    /// Whether all of `digits` is a match.
    pub(in crate::number) fn matches(&self, digits: &[u8]) -> bool {
        // With `MatchKind::All` an anchored search reports the longest match there is.
        self.0.as_ref().and_then(|dfa| longest(dfa, digits)).is_some_and(|end| end == digits.len())
    }

    /// Whether some matching digits begin with `start`.
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

/// Finds a prefix: where it ends, and what its groups hold.
#[derive(Clone, Debug)]
pub(in crate::number) struct Prefix {
    ends: dense::DFA<Vec<u32>>,
    /// Only for the few countries whose prefix has groups.
    groups: Option<BoundedBacktracker>,
}

/// A prefix that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::number) struct PrefixMatch<'d> {
    /// Length of the prefix in digits.
    pub end: usize,
    /// What each group of the pattern holds; group 1 comes first.
    pub groups: [Option<&'d [u8]>; 2],
}

impl Prefix {
    /// Compiles one prefix pattern; of several ways to match, the one written first wins.
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

fn groups<'d>(pattern: &BoundedBacktracker, digits: &'d [u8]) -> [Option<&'d [u8]>; 2] {
    thread_local! {
        // One per thread for all patterns: it grows to the largest and is never shared.
        static CACHE: RefCell<Option<backtrack::Cache>> = const { RefCell::new(None) };
    }
    CACHE.with_borrow_mut(|cache| {
        let cache = cache.get_or_insert_with(|| pattern.create_cache());
        cache.reset(pattern);
        let mut slots: [Option<NonMaxUsize>; SLOTS] = [None; SLOTS];
        let input = Input::new(digits).anchored(Anchored::Yes);
        // An error means that the digits are too long for the backtracker; none are.
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
    // The search can fail only at a byte the automaton gives up on; these have none.
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

/// `\d` means 0 to 9: other scripts' digits are turned into these before anything is matched.
fn ascii() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// The metadata's source is laid out over several lines, and the blanks stay in its patterns.
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
