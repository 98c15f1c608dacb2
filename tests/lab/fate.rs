//! What became of calls that were placed while something was done to the service, counted at the phones.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::sip::{Call, Phone, Ring};
use super::uptime::{During, Spans};

/// A call from its placing to its end.
pub(crate) struct Fate {
    /// When its INVITE left.
    pub placed: Instant,
    /// When the phone's INVITE came, and the name in it. None: it did not ring.
    pub rung: Option<(Instant, String)>,
    /// What the caller was answered in the end; none where it was not.
    pub answer: Option<u16>,
    /// The name of the caller in the CRM; none where it has none.
    pub known_as: Option<String>,
    /// What the phone shows without the service.
    pub unnamed: &'static str,
    /// Whether the caller hung up meanwhile: then it need not have rung.
    pub given_up: bool,
}

/// Calls that were placed, by the number they were placed to, which each has for itself.
pub(crate) type Calls = HashMap<String, (Call, Fate)>;

/// How many calls fared how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All.
    pub placed: usize,
    /// Those that rang.
    pub rung: usize,
    /// Those whose callers hung up before it rang.
    pub given_up: usize,
    /// Neither of the two, or never answered.
    pub lost: usize,
    /// Shown with their name.
    pub named: usize,
    /// Without, as the service was not up when they were placed.
    pub down: usize,
    /// Without, as the service was taken away while they were under way.
    pub inside: usize,
    /// Without, though it was up all the time.
    pub unnamed: usize,
    /// Shown with a name that is neither theirs nor the provider's.
    pub wrong: usize,
    /// Rung after more than was allowed.
    pub late: usize,
    /// From INVITE to INVITE, shortest first.
    pub times: Vec<Duration>,
}

impl Fate {
    /// Waits until `deadline` for what becomes of these calls.
    pub(crate) async fn of_all(mut calls: Calls, phone: &Phone, deadline: Instant) -> Vec<Self> {
        let mut missing = calls.values().filter(|(_, fate)| !fate.given_up).count();
        let left = || deadline.saturating_duration_since(Instant::now());
        while missing > 0 {
            let Some(ring) = phone.next_ring(left()).await else { break };
            missing -= usize::from(Self::rings(&mut calls, &ring));
        }
        let mut answers = HashMap::with_capacity(calls.len());
        for (number, (call, _)) in &calls {
            answers.insert(number.clone(), call.final_response(left()).await);
        }
        // Who has hung up may have rung all the same.
        while let Some(ring) = phone.next_ring(Duration::from_millis(20)).await {
            Self::rings(&mut calls, &ring);
        }
        let ended = |(number, (_, fate)): (String, (Call, Self))| Self { answer: answers[&number], ..fate };
        calls.into_iter().map(ended).collect()
    }

    /// False: nobody who is meant to ring.
    fn rings(calls: &mut Calls, ring: &Ring) -> bool {
        let Some((_, fate)) = calls.get_mut(&ring.dialled) else { return false };
        let is_first = fate.rung.is_none();
        fate.rung.get_or_insert((ring.received, ring.name().to_owned()));
        is_first && !fate.given_up
    }
}

impl Tally {
    /// Counts; a call is late that took longer than `allowed`.
    pub(crate) fn of(fates: &[Fate], spans: &Spans, allowed: Duration) -> Self {
        let mut tally = Self { placed: fates.len(), ..Self::default() };
        for fate in fates {
            tally.add(fate, spans, allowed);
        }
        tally.times.sort_unstable();
        tally
    }

    fn add(&mut self, fate: &Fate, spans: &Spans, allowed: Duration) {
        let Some((rung, name)) = &fate.rung else {
            let gone = fate.given_up && fate.answer.is_some();
            *(if gone { &mut self.given_up } else { &mut self.lost }) += 1;
            return;
        };
        self.rung += 1;
        self.lost += usize::from(fate.answer.is_none());
        let took = rung.duration_since(fate.placed);
        self.late += usize::from(took > allowed);
        self.times.push(took);
        let unnamed = self.unnamed;
        let count = match (&fate.known_as, name) {
            (Some(known), name) if known == name => &mut self.named,
            (known, name) if name != fate.unnamed => {
                eprintln!("a wrong name: {name:?} instead of {known:?}");
                &mut self.wrong
            }
            (None, _) => return,
            (Some(_), _) => match spans.during(fate.placed, *rung) {
                During::Up => &mut self.unnamed,
                During::Broken => &mut self.inside,
                During::Down => &mut self.down,
            },
        };
        *count += 1;
        if self.unnamed > unnamed || took > allowed {
            let up = spans.before(fate.placed);
            eprintln!("late or unnamed: placed {up:.0?} after the service was up, rang {took:.0?} later");
        }
    }

    /// The time that half of them stayed below; zero for none.
    pub(crate) fn median(&self) -> Duration {
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }

    /// The longest time; zero for none.
    pub(crate) fn longest(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }
}

mod checks {
    use super::*;

    #[test]
    fn each_call_is_counted_as_what_it_is() {
        let placed = Instant::now();
        let fate = |name: Option<&str>, took| Fate {
            placed,
            rung: name.map(|name| (placed + Duration::from_millis(took), name.to_owned())),
            answer: Some(486),
            known_as: Some("Kari".into()),
            unnamed: "OSLO",
            given_up: false,
        };
        let fates = [
            fate(Some("Kari"), 1),
            fate(Some("Kari"), 800),
            fate(Some("OSLO"), 1),
            fate(Some("Ola"), 1),
            fate(Some("Ola"), 1),
            fate(None, 0),
            Fate { given_up: true, ..fate(None, 0) },
            Fate { given_up: true, answer: None, ..fate(None, 0) },
            Fate { known_as: None, ..fate(Some("OSLO"), 1) },
            Fate { known_as: None, ..fate(Some("Kari"), 1) },
            Fate { answer: None, ..fate(Some("Kari"), 1) },
        ];
        let tally = Tally::of(&fates, &Spans::default(), Duration::from_millis(750));
        let times = tally.times.clone();
        assert_eq!((times.len(), tally.longest()), (8, Duration::from_millis(800)));
        let expected = Tally {
            placed: 11,
            rung: 8,
            given_up: 1,
            lost: 3,
            named: 3,
            down: 1,
            inside: 0,
            unnamed: 0,
            wrong: 3,
            late: 1,
            times,
        };
        assert_eq!(tally, expected);
    }
}
