//! A site: replicas of the real program, one SuperOffice, three servers with three sentinels; the first two replicas have an Asterisk each,
//! with calls all the time. A test makes trouble; what has to hold meanwhile is watched:
//!
//! - [`calls`]: what calls show
//! - [`witness`]: what each replica knows, on disk and by its answers, and what the servers have
//!
//! The last of the people in the CRM has another name in each *generation*, which counts up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

pub(crate) mod calls;
pub(crate) mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::configuration::{config, crm_folder, onsite, superoffice};
use super::machine::free_tcp_port;
use super::nameplate::{Folder, Nameplate};
use super::people::crowd;
use super::redis::{Engine, PASSWORD, Watched};
use super::superoffice::{Record, StandIn};
use super::uptime::Uptime;
use super::web;
use calls::Pbx;
use witness::{Seen, Witness};

/// The name of the site.
pub(crate) const SITE: &str = "oslo";
/// The people in the CRM.
pub(crate) const PEOPLE: u32 = 20;
/// The interval of refreshes, and the shortest wait between two: waits are random.
pub(crate) const REFRESH: Duration = Duration::from_secs(3);
/// How long a lease and what follows it may take: it lives 30 s, and the others ask every 10 s at least.
const TAKEOVER: Duration = Duration::from_secs(75);

/// A replica.
pub(crate) struct Member {
    /// None only while it is started anew.
    nameplate: Option<Nameplate>,
    /// Where its answers are.
    pub web: SocketAddr,
    /// The user that it has in the servers.
    pub user: String,
    state: PathBuf,
    uptime: Option<Uptime>,
}

/// A site.
pub(crate) struct Site {
    /// The replicas.
    pub members: Vec<Member>,
    /// What calls those with a PBX; its telephones stay when a replica goes.
    pub pbxs: Vec<Pbx>,
    /// The CRM.
    pub crm: StandIn,
    /// The servers.
    pub watched: Watched,
    witness: Witness,
    generation: u32,
}

/// The people of a generation.
pub(crate) fn people(generation: u32) -> Vec<Record> {
    let mut people = crowd(PEOPLE);
    if let Some(last) = people.last_mut() {
        last.person_name = Some(format!("Version {generation}"));
    }
    people
}

impl Site {
    /// Starts all of it, and waits until each replica has its list.
    pub(crate) async fn start(engine: Engine, count: usize, with_pbx: usize) -> Self {
        let watched = tokio::task::block_in_place(|| Watched::start(engine, SITE));
        let crm = StandIn::start(people(1)).await.expect("the stand-in");
        let (mut members, mut pbxs) = (Vec::new(), Vec::new());
        for place in 0..count {
            if place < with_pbx {
                pbxs.push(Pbx::start().await);
            }
            let user = format!("nameplate-{place}");
            members.push(Member::start(&crm, &watched, user, pbxs.get(place)));
        }
        let witness = Witness::of(&members, &watched);
        let site = Self { members, pbxs, crm, watched, witness, generation: 1 };
        site.all_know(1).await;
        for (pbx, member) in site.pbxs.iter().zip(&site.members) {
            member.nameplate().until_ready().await;
            member.uptime.as_ref().expect("it is watched").until_up().await;
            pbx.begin();
        }
        site
    }

    /// The CRM has the next generation from now on; which.
    pub(crate) fn change(&mut self) -> u32 {
        self.generation += 1;
        self.crm.set_records(people(self.generation));
        self.generation
    }

    /// Waits until all replicas that are there know this generation, or a later one.
    ///
    /// # Panics
    /// When one does not.
    pub(crate) async fn all_know(&self, generation: u32) {
        let begun = Instant::now();
        loop {
            let ignorant: Vec<_> =
                self.places().filter(|place| self.witness.arrival(*place, generation).is_none()).collect();
            if ignorant.is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < TAKEOVER,
                "{ignorant:?} do not know generation {generation}:\n{}",
                self.members[ignorant[0]].nameplate().log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// When this replica was first seen to know this generation or a later one.
    pub(crate) fn knew(&self, place: usize, generation: u32) -> Option<Instant> {
        self.witness.arrival(place, generation)
    }

    /// The replicas that are there: no trouble of the test keeps them from anything.
    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|place| !self.witness.is_away(*place))
    }

    /// The CRM changes, and all replicas know it. How long the last one took after the CRM's answer, less the time in which the machine has
    /// let nobody go on.
    pub(crate) async fn spread(&mut self) -> Duration {
        let changed = Instant::now();
        let generation = self.change();
        let mut stall = Duration::ZERO;
        let stalls = async {
            loop {
                let due = Instant::now() + Duration::from_millis(10);
                tokio::time::sleep_until(due.into()).await;
                stall = stall.max(due.elapsed());
            }
        };
        tokio::select! {
            () = self.all_know(generation) => {}
            () = stalls => {}
        }
        let answers = self.crm.requests().into_iter().filter_map(|request| request.answered);
        let answered = answers.map(|(_, at)| at).find(|at| *at > changed).expect("the CRM was asked");
        let last = self.places().filter_map(|place| self.witness.arrival(place, generation)).max();
        last.expect("somebody").saturating_duration_since(answered).saturating_sub(stall)
    }

    /// How often the CRM was asked since then.
    pub(crate) fn asked_since(&self, begin: Instant) -> usize {
        self.crm.requests().iter().filter(|request| request.at >= begin).count()
    }

    /// Waits until one of the replicas that are there asks for all; its place.
    ///
    /// # Panics
    /// When nobody does.
    pub(crate) async fn holder(&self) -> usize {
        let begun = Instant::now();
        loop {
            let holder = self.places().find(|place| self.members[*place].is_holder());
            if let Some(holder) = holder {
                return holder;
            }
            assert!(begun.elapsed() < TAKEOVER, "nobody asks for all");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// From now on this replica is not up, because the test is about to see to it.
    fn away(&self, place: usize) {
        self.witness.set_away(place, true);
        self.members[place].uptime.iter().for_each(Uptime::away);
    }

    fn back(&self, place: usize) {
        self.members[place].uptime.iter().for_each(Uptime::back);
        self.witness.set_away(place, false);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, place: usize) {
        self.away(place);
        self.members[place].nameplate.as_mut().expect("it runs").kill();
    }

    /// Starts one again that was killed, and waits until it knows its list.
    pub(crate) async fn start_again(&mut self, place: usize) {
        let nameplate = self.members[place].nameplate.take().expect("it was started").again();
        self.members[place].nameplate = Some(nameplate);
        let member = &self.members[place];
        let number = witness::last_number();
        member.nameplate().until_logged("directory is in place", 1).await;
        let begun = Instant::now();
        while witness::ask(member.web, &number).is_none() {
            assert!(begun.elapsed() < TAKEOVER, "it does not know its list:\n{}", member.nameplate().log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.back(place);
    }

    /// SIGSTOP.
    pub(crate) fn stop(&self, place: usize) {
        self.away(place);
        self.members[place].nameplate().signal("STOP");
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self, place: usize) {
        self.members[place].nameplate().signal("CONT");
        self.back(place);
    }

    /// The servers refuse this replica, or take it again. Its calls have names all the same.
    pub(crate) fn cut(&self, place: usize, is_cut: bool) {
        let user = &self.members[place].user;
        tokio::task::block_in_place(|| self.watched.allow(user, !is_cut));
    }

    /// How many versions of the list the servers were seen to have from this replica, since its last start.
    pub(crate) fn published_by(&self, place: usize) -> usize {
        let id = witness::id(&self.members[place].state).expect("it has published or read something");
        let seen = self.witness.seen();
        seen.published.keys().filter(|version| version.split('.').nth(1) == Some(id.as_str())).count()
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.witness.seen()
    }

    /// Ends the calls, and says what became of them, and what was seen.
    pub(crate) async fn end(&mut self) -> (super::fate::Tally, Seen) {
        let mut all = super::fate::Tally::default();
        for (pbx, member) in self.pbxs.iter_mut().zip(&self.members) {
            let spans = member.uptime.as_ref().expect("it is watched").spans();
            pbx.end(&spans, &mut all).await;
        }
        (all, self.witness.seen())
    }
}

impl Member {
    fn start(crm: &StandIn, watched: &Watched, user: String, pbx: Option<&Pbx>) -> Self {
        let web = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()));
        let source = match pbx {
            Some(pbx) => config(&crm.api_url(), &pbx.asterisk.http_url()),
            None => superoffice(&onsite(&crm.api_url())),
        };
        let source = source.replace("refresh = \"1s\"", &format!("refresh = \"{}s\"", REFRESH.as_secs()));
        let folder: Folder = crm_folder(&format!(
            "{source}\n[web]\nlisten = \"{web}\"\n[share]\n{}\nusername = \"{user}\"\npassword_file = \"share.password\"\n\
             key_file = \"share.key\"\nsite = \"{SITE}\"\n",
            watched.section()
        ));
        folder.write("share.password", PASSWORD);
        folder.write("share.key", BASE64.encode([7; 32]));
        if let Some(pbx) = pbx {
            folder.write("ari.password", pbx.asterisk.ari_password());
        }
        let state = folder.path("state");
        let uptime = pbx.map(|_| Uptime::watch(web));
        Self { nameplate: Some(folder.serve()), web, user, state, uptime }
    }

    /// The program.
    pub(crate) fn nameplate(&self) -> &Nameplate {
        self.nameplate.as_ref().expect("it was started")
    }

    /// Whether it asks the CRM for all.
    pub(crate) fn is_holder(&self) -> bool {
        let line = format!("nameplate_share_holder{{site=\"{SITE}\"}} 1");
        witness::get(self.web, "/metrics").is_some_and(|metrics| metrics.contains(&line))
    }

    /// Waits until the servers answer it.
    pub(crate) async fn until_shared(&self) {
        self.until_metric("up", 1).await;
    }

    /// Waits until it does not count itself as the holder.
    pub(crate) async fn until_reader(&self) {
        self.until_metric("holder", 0).await;
    }

    async fn until_metric(&self, name: &str, value: u8) {
        let line = format!("nameplate_share_{name}{{site=\"{SITE}\"}} {value}\n");
        web::until(self.web, "/metrics", |answer| answer.body.contains(&line)).await;
    }
}
