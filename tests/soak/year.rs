//! A year of the lists, from July 2027 to June 2028: with a leap day and both ends of daylight saving in the time zone of an office.
//!
//! The schedules, the logins, the guard and the files of the lists are the program's own; so is the HTTP, to two stand-ins of
//! SuperOffice's cloud. Time is tokio's paused clock, and the clock on the wall goes with it ([`clock`]).
//!
//! - `tokens`: asked every two hours, with access tokens that end after four
//! - `system`: asked every 23 hours by a system user, whose ticket has ended each time
//! - `file`: a CSV file, looked at every three hours
//!
//! What is done to them stands in [`Day`], what has to hold in [`checks`].

mod checks;
mod clock;
mod list;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nameplate::config::Config;
use nameplate::lists::schedule::{Act, Order};
use nameplate::observe::metrics::Metrics;
use serde_json::json;
use tokio::sync::oneshot;

use crate::lab::nameplate::project;
use crate::lab::superoffice::login::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SYSTEM_TOKEN, TENANT};
use crate::lab::superoffice::{Credential, Fault, Record, StandIn};
use clock::Clock;
use list::List;

/// 1 July 2027, 0:00 UTC.
const START: i64 = 1_814_400_000;
const DAYS: u32 = 366;
const DAY: Duration = Duration::from_hours(24);
/// The life of an access token.
const TOKEN_LIFE: Duration = Duration::from_hours(4);

/// Everything that lives for this year.
struct Year {
    clock: Arc<Clock>,
    metrics: Metrics,
    folder: tempfile::TempDir,
    tokens_crm: StandIn,
    system_crm: StandIn,
    tokens: List,
    system: List,
    file: List,
}

pub(crate) fn run() {
    match clock::start_again("Europe/Oslo") {
        Some(true) => return,
        Some(false) => panic!("the year has failed"),
        None => {}
    }
    nameplate::tls::install();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let begun = std::time::Instant::now();
        let mut year = Year::begin().await;
        for day in 0..DAYS {
            year.live(day).await;
            if day % 30 == 29 {
                println!("{} days in {:.0?}", day + 1, begun.elapsed());
            }
        }
        checks::whole_year(&year);
        println!("{DAYS} days in {:.0?}", begun.elapsed());
    });
}

impl Year {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(Clock::new(START));
        let tokens_crm = crm(Credential::Bearer("nobody has it yet".into())).await;
        let system_crm = crm(Credential::Ticket("nobody has it yet".into())).await;
        tokens_crm.login(|login| login.expires_in = TOKEN_LIFE.as_secs());
        tokens_crm.set_records(people(100, 0));
        system_crm.set_records(people(100, 0));
        write_file(folder.path(), 0);
        let config = configuration(folder.path(), &tokens_crm, &system_crm);
        let config = Config::parse(&folder.path().join("nameplate.toml"), &config).expect("a configuration");
        let metrics = Metrics::new();
        let state_dir = folder.path().join("state");
        let lists = config.sources.iter().map(|source| List::start(source, &state_dir, &clock, &metrics));
        let [tokens, system, file] = lists.collect::<Vec<_>>().try_into().ok().expect("three lists");
        Self { clock, metrics, folder, tokens_crm, system_crm, tokens, system, file }
    }

    /// Does what is to happen on a day, and lets it pass.
    async fn live(&mut self, day: u32) {
        self.change(day);
        self.trouble(day).await;
        // Quarter by quarter, because an access token ends, and the CRM refuses it then.
        let mut issued = (self.tokens_crm.login(|login| login.issued), self.clock.elapsed());
        for quarter in 1..=96 {
            tokio::time::sleep_until(self.clock.at(DAY * day + DAY / 96 * quarter)).await;
            let now = self.tokens_crm.login(|login| login.issued);
            if now != issued.0 {
                issued = (now, self.clock.elapsed());
            } else if self.clock.elapsed() > issued.1 + TOKEN_LIFE {
                self.tokens_crm.set_credential(Credential::Bearer("it has ended".into()));
            }
        }
        checks::day(self, day);
    }

    /// What users change in the CRM and in the file.
    fn change(&self, day: u32) {
        self.tokens_crm.set_records(if day == 300 { Vec::new() } else { people(100, day) });
        write_file(self.folder.path(), day);
        // Of 100 people: 30 leave at once, and 30 more after 50 days, which makes most of those that were known.
        let left = match day {
            0..40 => 100,
            40..90 => 70,
            90..160 => 40,
            // 15 of 40, and after the 90 days in which they count 10 of 25.
            160..260 => 25,
            _ => 15,
        };
        self.system_crm.set_records(people(left, 0));
    }

    /// What goes wrong.
    async fn trouble(&self, day: u32) {
        let wrong = match day {
            20 => 3600,
            60 => -3600,
            _ => 0,
        };
        self.clock.set_wrong(wrong);
        for crm in [&self.tokens_crm, &self.system_crm] {
            // Theirs is right.
            crm.login(|login| login.ahead = -wrong);
        }
        self.tokens_crm.heal();
        if day == 200 {
            self.tokens_crm.fail(Fault::status(503));
        }
        let refusal = (day == 220).then(|| (400, json!({ "error": "invalid_grant" })));
        self.tokens_crm.login(|login| login.refusal = refusal);
        if day == 310 {
            let (reply, result) = oneshot::channel();
            self.tokens.orders.send(Order { act: Act::Refresh, reply }).await.expect("a schedule");
            assert!(result.await.expect("an answer").error.is_none());
        }
    }
}

/// So many people, one of whom has another name each day.
fn people(count: u32, day: u32) -> Vec<Record> {
    let person = |at: u32| {
        let name = if at == 0 { format!("Person of day {day}") } else { format!("Person {at}") };
        let id = i32::try_from(at + 1).expect("small");
        Record::person(47, 22_330_000 + u64::from(at), (id, &name), (id, &format!("Firma {at} AS")))
    };
    (0..count).map(person).collect()
}

fn write_file(folder: &Path, day: u32) {
    let new = folder.join("vip.new");
    fs::write(&new, format!("number,person,company\n22334455,Kari of day {day},Fjord AS\n")).expect("a file");
    fs::rename(new, folder.join("vip.csv")).expect("a file");
}

async fn crm(credential: Credential) -> StandIn {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    crm.set_credential(credential);
    crm.set_app_token(CLIENT_SECRET);
    crm
}

fn configuration(folder: &Path, tokens: &StandIn, system: &StandIn) -> String {
    let key = fs::read_to_string(project().join("tests/data/test-only-partner-key.pem")).expect("a key");
    fs::write(folder.join("private.key"), key).expect("a file");
    let cloud = |name: &str, crm: &StandIn, refresh: &str, auth: &str| {
        let host = crm.host();
        // Limits of time that no busy machine reaches.
        format!(
            "[[source]]\nname = \"{name}\"\ntype = \"superoffice\"\ntenant = \"{TENANT}\"\nhost = \"{host}\"\nrefresh = \"{refresh}\"\n\
             first_byte = \"30m\"\ntimeout = \"30m\"\nauth = {{ {auth} }}\n"
        )
    };
    let tokens = cloud(
        "tokens",
        tokens,
        "2h",
        &format!(
            "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret = \"{CLIENT_SECRET}\", refresh_token = \"{REFRESH_TOKEN}\""
        ),
    );
    let system = cloud(
        "system",
        system,
        "23h",
        &format!(
            "type = \"system_user\", system_token = \"{SYSTEM_TOKEN}\", client_secret = \"{CLIENT_SECRET}\", private_key_file = \"private.key\""
        ),
    );
    format!(
        "state_dir = \"state\"\n[numbers]\ncountry = \"NO\"\n{tokens}{system}\
         [[source]]\nname = \"file\"\ntype = \"csv\"\npath = \"vip.csv\"\nrefresh = \"3h\"\n"
    )
}
