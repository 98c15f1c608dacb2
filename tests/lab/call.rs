//! All of the lab wired together: SuperOffice → nameplate → Asterisk → a ringing phone.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::asterisk::{Asterisk, Setup};
use super::nameplate::{Folder, Nameplate};
use super::sip::{Behaviour, Call, Caller, Invite, Phone, Ring};
use super::superoffice::{Record, StandIn};

/// How long a call may take to ring before a test gives up. Promises of time are tested apart.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The password of the stand-in's user.
pub const CRM_PASSWORD: &str = "pass:wørd";

/// Tests that measure time run while no other one has a telephone system: the machine may have two cores.
static TURNS: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// The right to use the machine beside others, or alone.
pub enum Turn {
    /// Beside others.
    Beside(OwnedRwLockReadGuard<()>),
    /// Alone.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Turn {
    /// Waits until nobody is alone.
    pub async fn beside() -> Self {
        Self::Beside(Arc::clone(&TURNS).read_owned().await)
    }

    /// Waits until nobody else has a turn.
    pub async fn alone() -> Self {
        Self::Alone(Arc::clone(&TURNS).write_owned().await)
    }
}

/// A whole telephone system with one trunk, one operator and one CRM.
pub struct Lab {
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
    /// Whether others may use the machine meanwhile. Last, so that all is gone before the next.
    pub turn: Turn,
}

impl Lab {
    /// Starts everything, with the dialplan of the documentation: look up, then dial the operator.
    pub async fn start(records: Vec<Record>) -> Self {
        Self::with_dialplan(records, |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await
    }

    /// Starts everything, with a dialplan that is made for the operator's address.
    pub async fn with_dialplan(records: Vec<Record>, dialplan: impl FnOnce(&str) -> String) -> Self {
        let turn = Turn::beside().await;
        Self::in_turn(turn, records, dialplan).await
    }

    /// The same, while nobody else uses the machine: for promises of time.
    pub async fn alone(records: Vec<Record>, dialplan: impl FnOnce(&str) -> String) -> Self {
        let turn = Turn::alone().await;
        Self::in_turn(turn, records, dialplan).await
    }

    async fn in_turn(turn: Turn, records: Vec<Record>, dialplan: impl FnOnce(&str) -> String) -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let asterisk = Asterisk::start(&dialplan(&phone.uri()));
        Self::around(turn, records, asterisk, phone).await
    }

    /// Starts the rest around this Asterisk and phone, and waits until names are known.
    pub async fn around(turn: Turn, records: Vec<Record>, asterisk: Asterisk, phone: Phone) -> Self {
        let crm = StandIn::start(records).await.expect("the stand-in");
        let nameplate = folder(&crm, &asterisk).serve();
        nameplate.until_ready().await;
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        Self { nameplate, caller, phone, asterisk, crm, turn }
    }

    /// Places a call and waits until the operator's phone rings.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ring(&self, invite: Invite) -> (Call, Ring) {
        ring(&self.caller, &self.phone, invite, || self.asterisk.log()).await
    }
}

/// Places a call and waits until the phone rings; `log` is for the message when it does not.
pub async fn ring(caller: &Caller, phone: &Phone, invite: Invite, log: impl Fn() -> String) -> (Call, Ring) {
    let call = caller.invite(invite);
    let ring = phone.next_ring(PATIENCE).await;
    let ring = ring.unwrap_or_else(|| panic!("the phone does not ring: {:?}\n{}", call.progress(), log()));
    (call, ring)
}

/// A user's dialplan: `priorities` in front of dialling the operator, for any extension.
pub fn from_trunk(priorities: &str, phone: &str) -> String {
    let lookups: String =
        priorities.lines().map(|priority| format!(" same => n,{}\n", priority.trim())).collect();
    format!("[from-trunk]\nexten => _X.,1,NoOp()\n{lookups} same => n,Dial(PJSIP/operator/{phone},30)\n")
}

/// What the test's dialplan has noted with `Log(NOTICE,…)`, a line each.
pub fn notes(asterisk: &Asterisk) -> String {
    let log = asterisk.log();
    let notes = log.lines().filter_map(|line| Some(line.split_once("] Ext. ")?.1.split_once(": ")?.1));
    notes.map(|note| format!("{note}\n")).collect()
}

/// Waits until the test's dialplan has noted `text` `count` times: Asterisk writes its log a little later.
///
/// # Panics
/// With all notes, when it has noted it less or more often.
pub async fn noted(asterisk: &Asterisk, text: &str, count: usize) {
    let begun = Instant::now();
    while notes(asterisk).matches(text).count() < count && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let notes = notes(asterisk);
    assert_eq!(notes.matches(text).count(), count, "how often {text:?} is noted in:\n{notes}");
}

/// A folder with a configuration for this CRM and this PBX.
pub fn folder(crm: &StandIn, asterisk: &Asterisk) -> Folder {
    let folder = Folder::new(&config(&crm.api_url(), &asterisk.http_url()));
    folder.write("superoffice.password", format!("{CRM_PASSWORD}\n"));
    folder.write("ari.password", asterisk.ari_password());
    folder
}

/// A configuration with one CRM, whose password is in `superoffice.password`, and one PBX, whose
/// password is in `ari.password`.
pub fn config(api: &str, ari: &str) -> String {
    format!(
        r#"[numbers]
country = "NO"

[[source]]
name = "crm"
type = "superoffice"
api = "{api}"
auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
refresh = "1s"

[[asterisk]]
name = "pbx1"
url = "{ari}"
username = "nameplate"
password_file = "ari.password"
"#
    )
}

/// An Asterisk of another version than the lab's usual one.
pub fn asterisk_of(version: &str, dialplan: &str) -> Asterisk {
    Asterisk::start_with(&Setup { dialplan, version: Some(version), ..Setup::default() })
}

/// The people whom most promises are proved with.
pub fn fjord() -> Vec<Record> {
    vec![
        Record::person(47, 22_334_455, (654, "Kari Nordmann"), (243, "Fjord Sjømat AS")),
        Record::person(47, 22_334_460, (655, "Ola Hansen"), (243, "Fjord Sjømat AS")),
        Record::person(47, 22_334_460, (656, "Eva Berg"), (243, "Fjord Sjømat AS")),
        Record::company(47, 22_334_400, (243, "Fjord Sjømat AS")),
    ]
}
