//! Who calls whom, and how often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::fate::{Calls, Fate, Tally};
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::sip::{Behaviour, Call, Caller, Invite, Phone};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::way::Way;
use crate::service::Service;
use crate::table::Row;
use crate::trouble::Trouble;

/// How long the last calls may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The dialplan's bound, and how much more than that is late.
const BOUND: Duration = Duration::from_millis(500);
const MARGIN: Duration = Duration::from_millis(250);
/// The name that the provider sends.
pub(crate) const PROVIDER: &str = "OSLO";

/// How large a drill is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Calls for each trouble.
    pub calls: u32,
    /// Strangers, and as many withheld.
    pub others: u32,
    /// Calls a second.
    pub per_second: u32,
    /// People in the CRM, at least as many as calls.
    pub people: u32,
    /// From one kill or cut to the next.
    pub every: Duration,
    /// From a kill to the new start.
    pub dead: Duration,
    /// How long it is stopped.
    pub stopped: Duration,
    /// From one new list to the next.
    pub swap: Duration,
    /// Ways that are drilled side by side.
    pub ways_at_once: usize,
    /// Whether calls that are late or unnamed fail it too.
    pub is_strict: bool,
}

/// `make drill`. `dead` is what the shipped unit has for `RestartSec`.
pub(crate) const LONG: Size = Size {
    calls: 2_000,
    others: 500,
    per_second: 100,
    people: 20_000,
    every: Duration::from_secs(3),
    dead: Duration::from_secs(1),
    stopped: Duration::from_secs(5),
    swap: Duration::from_secs(1),
    ways_at_once: 1,
    is_strict: true,
};

/// `make test`.
pub(crate) const SHORT: Size = Size {
    calls: 100,
    others: 30,
    per_second: 50,
    people: 2_000,
    every: Duration::from_millis(900),
    dead: Duration::from_millis(300),
    stopped: Duration::from_millis(1_200),
    swap: Duration::from_millis(300),
    ways_at_once: 3,
    is_strict: false,
};

impl Size {
    /// How many calls there are in this trouble.
    pub(crate) fn calls_in(&self, trouble: Trouble) -> u32 {
        if matches!(trouble, Trouble::Strangers | Trouble::Withheld) { self.others } else { self.calls }
    }
}

/// All that stays when the service is started anew.
pub(crate) struct Stage {
    pub way: Way,
    pub size: Size,
    pub asterisk: Asterisk,
    pub crm: StandIn,
    caller: Arc<Caller>,
    phone: Arc<Phone>,
    /// How many calls there were: each has a number of its own to call.
    placed: u32,
    /// How long a call takes without trouble.
    ordinary: Duration,
}

impl Stage {
    pub(crate) async fn start(way: Way, size: Size) -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        // The number called goes on to the phone, where it tells calls apart.
        let dialplan = format!(
            "[from-trunk]\n\
             exten => _X.,1,Gosub(nameplate,lookup,1)\n\
             \x20same => n(ring),Dial(PJSIP/operator/sip:${{EXTEN}}@{},30)\n\
             exten => _*X.,1,Goto(${{EXTEN:1}},ring)\n",
            phone.local_addr()
        );
        let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, verbose: false, ..Setup::default() });
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let crm = StandIn::start(people(size.people, 0)).await.expect("the stand-in");
        let (caller, phone) = (Arc::new(caller), Arc::new(phone));
        Self { way, size, asterisk, crm, caller, phone, placed: 0, ordinary: Duration::ZERO }
    }

    /// Places calls while the trouble goes on, and counts.
    pub(crate) async fn drill(&mut self, trouble: Trouble) -> Row {
        self.crm.heal();
        let Some(mut service) = Service::start(self, trouble).await else {
            return Row::skipped(trouble);
        };
        let looked_up = service.looked_up();
        let calls = self.place(trouble);
        let end =
            Instant::now() + Duration::from_secs(1) * self.size.calls_in(trouble) / self.size.per_second;
        let done = trouble.make(self, &mut service, end).await;
        let (calls, stall) = calls.await.expect("calls");
        let fates = Fate::of_all(calls, &self.phone, Instant::now() + PATIENCE).await;
        let left_over = self.left_over().await;
        let allowed = self.ordinary + BOUND + MARGIN;
        let tally = Tally::of(&fates, &service.uptime.spans(), allowed);
        if trouble == Trouble::None {
            self.ordinary = tally.median();
        }
        // It comes back by itself, whatever was done to it.
        let up = tokio::time::timeout(Duration::from_secs(15), service.uptime.until_up()).await;
        assert!(up.is_ok(), "{trouble:?}: the service is not ready again\n{}", last_lines(&service.log()));
        // A call is counted when its answer has gone.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let looked_up = service.looked_up() - looked_up;
        let row = Row { trouble, tally, left_over, looked_up, stall, done, is_skipped: false };
        if !row.is_good(&self.size) {
            println!("{trouble:?}:\n{}\n{}", last_lines(&service.log()), last_lines(&self.asterisk.log()));
        }
        row
    }

    /// Places them; gives also by how much the machine has let one leave too late.
    fn place(&mut self, trouble: Trouble) -> JoinHandle<(Calls, Duration)> {
        let (caller, size, before) = (Arc::clone(&self.caller), self.size, self.placed);
        let calls = size.calls_in(trouble);
        self.placed += calls;
        tokio::spawn(async move {
            let begun = Instant::now();
            let mut placed = JoinSet::new();
            let mut stall = Duration::ZERO;
            for at in 0..calls {
                let due = begun + Duration::from_secs(1) * at / size.per_second;
                tokio::time::sleep_until(due.into()).await;
                stall = stall.max(due.elapsed());
                let number = (1_000_000 + before + at).to_string();
                let called = if trouble.has_lookup() { number.clone() } else { format!("*{number}") };
                placed.spawn(one(caller.invite(trouble.invite(at).to(&called)), number, trouble, at));
            }
            (placed.join_all().await.into_iter().collect(), stall)
        })
    }

    /// Channels that stay in Asterisk.
    async fn left_over(&self) -> usize {
        let begun = Instant::now();
        loop {
            let left = self.asterisk.channels_left();
            if left == 0 || begun.elapsed() > Duration::from_secs(5) {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A call that was placed; its caller hangs up where that is the trouble.
async fn one(call: Call, number: String, trouble: Trouble, at: u32) -> (String, (Call, Fate)) {
    let given_up = trouble == Trouble::HangUps;
    if given_up {
        // Every other one within the time that a lookup takes, the others within the dialplan's bound.
        let most = if at.is_multiple_of(2) { 5_000 } else { 450_000 };
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..most))).await;
        call.cancel();
    }
    let unnamed = if call.invite().withheld { "Anonymous" } else { PROVIDER };
    let known_as = trouble.has_names().then(|| one_of_crowd(at).1);
    let fate = Fate { placed: call.sent(), rung: None, answer: None, known_as, unnamed, given_up };
    (number, (call, fate))
}

/// So many people, the last of them another one in each version.
pub(crate) fn people(count: u32, version: u32) -> Vec<Record> {
    let mut people = crowd(count);
    if let Some(last) = people.last_mut() {
        last.person_name = Some(format!("Version {version}"));
    }
    people
}

/// A caller whom the CRM knows.
pub(crate) fn known(at: u32) -> Invite {
    Invite::from(one_of_crowd(at).0).named(PROVIDER)
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> =
        log.lines().filter(|line| !line.contains(" INFO call ") && !line.contains(": call ")).collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
