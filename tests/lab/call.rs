//! All of the lab wired together: SuperOffice → nameplate → Asterisk → a ringing phone.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::asterisk::{Asterisk, Setup};
use super::comparison::{AFTER_HALF_A_SECOND, AT_ONCE};
use super::nameplate::Nameplate;
use super::sip::{Behaviour, Call, Caller, Invite, Phone, Ring};
use super::superoffice::{Record, StandIn};
use super::way::Way;

/// How long a call may take to ring before a test gives up, on a machine that is busy. Promises of time are compared
/// with calls without us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A test that places many calls a second, or measures what a rush of them needs, stands in a module `alone` of its file: it
/// runs while no other one has a telephone system. `make test` runs those one after the other, all others side by side.
static TURNS: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// The right to use the machine beside others, or alone.
pub(crate) enum Turn {
    /// Beside others.
    Beside(OwnedRwLockReadGuard<()>),
    /// Alone.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Turn {
    /// Waits until nobody is alone.
    pub(crate) async fn beside() -> Self {
        assert!(!is_named_alone(), "a test in a module `alone` has the machine for itself");
        Self::Beside(Arc::clone(&TURNS).read_owned().await)
    }

    /// Waits until nobody else has a turn.
    pub(crate) async fn alone() -> Self {
        assert!(is_named_alone(), "a test that wants the machine for itself stands in a module `alone`");
        Self::Alone(Arc::clone(&TURNS).write_owned().await)
    }
}

/// Whether the test that runs on this thread stands in a module `alone`.
fn is_named_alone() -> bool {
    std::thread::current().name().is_some_and(|name| name.contains("::alone::"))
}

/// A whole telephone system with one trunk, one operator and one CRM.
pub(crate) struct Lab {
    /// The program under test. First, so that it goes first.
    pub nameplate: Nameplate,
    /// The trunk's other end.
    pub caller: Caller,
    /// The operator's phone.
    pub phone: Phone,
    /// The PBX.
    pub asterisk: Asterisk,
    /// The CRM.
    pub crm: StandIn,
    /// How its calls are answered.
    pub way: Way,
    /// Whether others may use the machine meanwhile. Last, so that all is gone before the next.
    pub turn: Turn,
}

impl Lab {
    /// Starts everything, with the dialplan of the documentation: look up, then dial the operator.
    pub(crate) async fn start(records: Vec<Record>) -> Self {
        Self::with_dialplan(records, |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await
    }

    /// Starts everything, with a dialplan that is made for the operator's address.
    pub(crate) async fn with_dialplan(records: Vec<Record>, dialplan: impl FnOnce(&str) -> String) -> Self {
        Self::by(Way::Websocket, Turn::beside().await, records, dialplan).await
    }

    /// As `start`, by any way.
    pub(crate) async fn start_by(way: Way, records: Vec<Record>) -> Self {
        Self::with_dialplan_by(way, records, |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await
    }

    /// As `with_dialplan`, by any way.
    pub(crate) async fn with_dialplan_by(
        way: Way,
        records: Vec<Record>,
        dialplan: impl FnOnce(&str) -> String,
    ) -> Self {
        Self::by(way, Turn::beside().await, records, dialplan).await
    }

    /// The same, while nobody else uses the machine, and without the dialplan in Asterisk's log.
    pub(crate) async fn alone_by(
        way: Way,
        records: Vec<Record>,
        dialplan: impl FnOnce(&str) -> String,
    ) -> Self {
        Self::by(way, Turn::alone().await, records, dialplan).await
    }

    async fn by(way: Way, turn: Turn, records: Vec<Record>, dialplan: impl FnOnce(&str) -> String) -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan = dialplan(&phone.uri());
        let verbose = matches!(turn, Turn::Beside(_));
        let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, verbose, ..Setup::default() });
        Self::configured(way, "", "", turn, records, asterisk, phone).await
    }

    /// Starts the rest around this Asterisk and phone, and waits until names are known.
    pub(crate) async fn around(turn: Turn, records: Vec<Record>, asterisk: Asterisk, phone: Phone) -> Self {
        Self::configured(Way::Websocket, "", "", turn, records, asterisk, phone).await
    }

    /// The same by any way, with these further lines of the source's configuration, and these further sections.
    pub(crate) async fn configured(
        way: Way,
        source: &str,
        sections: &str,
        turn: Turn,
        records: Vec<Record>,
        asterisk: Asterisk,
        phone: Phone,
    ) -> Self {
        let crm = StandIn::start(records).await.expect("the stand-in");
        let folder = way.folder(&crm, &asterisk);
        let config = way.config(&crm, &asterisk);
        let config = config.replace("type = \"superoffice\"", &format!("type = \"superoffice\"\n{source}"));
        folder.configure(&format!("{config}\n{sections}"));
        let nameplate = folder.serve();
        way.until_ready(&nameplate).await;
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        Self { nameplate, caller, phone, asterisk, crm, way, turn }
    }

    /// Starts the program anew, and waits until it answers calls. The old one has ended.
    pub(crate) async fn start_again(&mut self) {
        self.nameplate = self.way.folder(&self.crm, &self.asterisk).serve();
        self.way.until_ready(&self.nameplate).await;
    }

    /// Places a call and waits until the operator's phone rings.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) async fn ring(&self, invite: Invite) -> (Call, Ring) {
        ring(&self.caller, &self.phone, invite, || self.asterisk.log()).await
    }
}

/// Places a call and waits until the phone rings; `log` is for the message when it does not.
pub(crate) async fn ring(
    caller: &Caller,
    phone: &Phone,
    invite: Invite,
    log: impl Fn() -> String,
) -> (Call, Ring) {
    let call = caller.invite(invite);
    let ring = phone.next_ring(PATIENCE).await;
    let ring = ring.unwrap_or_else(|| panic!("the phone does not ring: {:?}\n{}", call.progress(), log()));
    (call, ring)
}

/// A user's dialplan: `priorities` in front of dialling the operator, for any number. Two extensions go without us, for a
/// [`comparison`](super::comparison).
pub(crate) fn from_trunk(priorities: &str, phone: &str) -> String {
    let lookups: String =
        priorities.lines().map(|priority| format!(" same => n,{}\n", priority.trim())).collect();
    let dial = format!("Dial(PJSIP/operator/{phone},30)");
    format!(
        "[from-trunk]\nexten => _X.,1,NoOp()\n{lookups} same => n,{dial}\n\
         exten => {AT_ONCE},1,{dial}\n\
         exten => {AFTER_HALF_A_SECOND},1,Wait(0.5)\n same => n,{dial}\n"
    )
}

/// What the test's dialplan has noted with `Log(NOTICE,…)`, a line each.
pub(crate) fn notes(asterisk: &Asterisk) -> String {
    let log = asterisk.log();
    let notes = log.lines().filter_map(|line| Some(line.split_once("] Ext. ")?.1.split_once(": ")?.1));
    notes.map(|note| format!("{note}\n")).collect()
}

/// Waits until the test's dialplan has noted `text` `count` times: Asterisk writes its log a little later.
///
/// # Panics
/// With all notes, when it has noted it less or more often.
pub(crate) async fn noted(asterisk: &Asterisk, text: &str, count: usize) {
    let begun = Instant::now();
    while notes(asterisk).matches(text).count() < count && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let notes = notes(asterisk);
    assert_eq!(notes.matches(text).count(), count, "how often {text:?} is noted in:\n{notes}");
}

/// An Asterisk of another version than the lab's usual one.
pub(crate) fn asterisk_of(version: &str, dialplan: &str) -> Asterisk {
    Asterisk::start_with(&Setup { dialplan, version: Some(version), ..Setup::default() })
}

/// The people whom most promises are proved with.
pub(crate) fn fjord() -> Vec<Record> {
    vec![
        Record::person(47, 22_334_455, (654, "Kari Nordmann"), (243, "Fjord Sjømat AS")),
        Record::person(47, 22_334_460, (655, "Ola Hansen"), (243, "Fjord Sjømat AS")),
        Record::person(47, 22_334_460, (656, "Eva Berg"), (243, "Fjord Sjømat AS")),
        Record::company(47, 22_334_400, (243, "Fjord Sjømat AS")),
    ]
}
