//! What goes wrong.

use std::time::{Duration, Instant};

use crate::lab::sip::Invite;
use crate::lab::superoffice::Fault;
use crate::service::Service;
use crate::stage::{PROVIDER, Stage, known, people};

/// Of so many FastAGI connections one is cut.
const CUT_SESSIONS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// First: what is ordinary.
    None,
    Kill,
    Stop,
    Swap,
    Reload,
    /// The same with calls that are not looked up: what a reload costs any call.
    ReloadAlone,
    Cut,
    Crm,
    Disk,
    HangUps,
    Strangers,
    Withheld,
}

impl Trouble {
    pub(crate) const ALL: [Self; 12] = [
        Self::None,
        Self::Kill,
        Self::Stop,
        Self::Swap,
        Self::Reload,
        Self::ReloadAlone,
        Self::Cut,
        Self::Crm,
        Self::Disk,
        Self::HangUps,
        Self::Strangers,
        Self::Withheld,
    ];

    /// As an argument.
    pub(crate) fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// As a heading.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "killed",
            Self::Stop => "stopped",
            Self::Swap => "directory swapped",
            Self::Reload => "Asterisk reloaded",
            Self::ReloadAlone => "(no lookup)",
            Self::Cut => "connection cut",
            Self::Crm => "SuperOffice fails",
            Self::Disk => "disk full",
            Self::HangUps => "callers hang up",
            Self::Strangers => "strangers",
            Self::Withheld => "withheld",
        }
    }

    /// Whether the CRM is asked, and knows who calls.
    pub(crate) fn has_names(self) -> bool {
        !matches!(self, Self::Strangers | Self::Withheld | Self::ReloadAlone)
    }

    /// Whether calls are looked up at all.
    pub(crate) fn has_lookup(self) -> bool {
        self != Self::ReloadAlone
    }

    /// The call at this place.
    pub(crate) fn invite(self, at: u32) -> Invite {
        match self {
            Self::Strangers => Invite::from(format!("{}", 21_000_000 + at)).named(PROVIDER),
            Self::Withheld => Invite { withheld: true, ..known(at) },
            _ => known(at),
        }
    }

    /// Makes it until `end`, while calls are placed. Says what was done.
    pub(crate) async fn make(self, stage: &Stage, service: &mut Service, end: Instant) -> String {
        let size = &stage.size;
        let mut rhythm = Rhythm { next: Instant::now(), end };
        let mut times = 0;
        match self {
            Self::None | Self::Strangers | Self::Withheld => String::new(),
            Self::Kill => {
                while rhythm.beat(size.every, Duration::ZERO).await {
                    service.kill(size.dead).await;
                    times += 1;
                }
                format!("{times} × SIGKILL, started again after {:?}", size.dead)
            }
            Self::Stop => {
                let pause = size.stopped / 2;
                while rhythm.beat(pause, size.stopped).await {
                    service.stop(size.stopped).await;
                    rhythm.next = Instant::now();
                    times += 1;
                }
                format!("{times} × SIGSTOP for {:?}", size.stopped)
            }
            Self::Swap => {
                while rhythm.beat(size.swap, Duration::ZERO).await {
                    times += 1;
                    stage.crm.set_records(people(size.people, times));
                    service.refresh();
                }
                let swapped = service.logged("directory is in place") - 1;
                format!("{swapped} directories of {} put in place", size.people)
            }
            Self::Reload | Self::ReloadAlone => {
                while rhythm.beat(size.every / 2, Duration::ZERO).await {
                    tokio::task::block_in_place(|| stage.asterisk.cli("core reload"));
                    times += 1;
                }
                format!("{times} × core reload")
            }
            // A FastAGI connection is a call's own and lives for a millisecond: some are cut before they have answered.
            Self::Cut if stage.way.is_agi() => {
                let line = service.line.as_ref().expect("a line");
                line.cut_one_in(CUT_SESSIONS);
                tokio::time::sleep_until(end.into()).await;
                line.cut_one_in(0);
                service.uptime.broken(&line.cuts());
                format!("{} × cut before the answer", line.cuts().len())
            }
            Self::Cut => {
                while rhythm.beat(size.every, Duration::ZERO).await {
                    service.cut().await;
                    times += 1;
                }
                format!("{times} × cut")
            }
            Self::Crm => fail(stage, service, end).await,
            Self::Disk => fill(stage, service, rhythm).await,
            Self::HangUps => {
                let awake = Duration::from_millis(400);
                while rhythm.beat(awake, awake).await {
                    service.stop(awake).await;
                    rhythm.next = Instant::now();
                    times += 1;
                }
                format!("before it rings; {times} × SIGSTOP for {awake:?}")
            }
        }
    }
}

/// The CRM answers with one fault after the other, and then not at all.
async fn fail(stage: &Stage, service: &Service, end: Instant) -> String {
    let faults = [
        Fault::status(500),
        Fault::status(401),
        Fault::Dropped,
        Fault::Truncated,
        Fault::empty_list(),
        Fault::null(),
        Fault::login_page(),
        Fault::body(200, "{\"CallerIDs\":["),
    ];
    let each = end.saturating_duration_since(Instant::now()) / 9;
    let mut rhythm = Rhythm { next: Instant::now(), end };
    let asked = stage.crm.count();
    for fault in faults {
        stage.crm.fail(fault);
        service.refresh();
        rhythm.beat(each, Duration::ZERO).await;
    }
    stage.crm.fail(Fault::Silent);
    tokio::time::sleep_until(end.into()).await;
    let asked = stage.crm.count() - asked;
    stage.crm.heal();
    format!("{asked} questions, each answered wrongly or not at all")
}

/// No byte more on the disk, while the CRM's list changes; and a start with it.
async fn fill(stage: &Stage, service: &mut Service, mut rhythm: Rhythm) -> String {
    let disk = service.disk.as_ref().expect("a disk of its own").0.clone();
    // Writes what fits, and fails.
    let full = std::fs::write(disk.join("fill"), vec![0; 17 << 20]).is_err();
    let half = rhythm.next + rhythm.end.saturating_duration_since(rhythm.next) / 2;
    let (mut times, mut killed) = (0, 0);
    while rhythm.beat(stage.size.swap, Duration::ZERO).await {
        times += 1;
        stage.crm.set_records(people(stage.size.people, 1_000 + times));
        service.refresh();
        if killed == 0 && Instant::now() >= half {
            service.kill(stage.size.dead).await;
            killed += 1;
        }
    }
    let said = service.logged("can't be written to disk");
    let filled = if full { "full" } else { "NOT full" };
    format!("{filled}, {times} new lists, {said} × said that it can't be written, {killed} × SIGKILL")
}

/// When something is done next.
struct Rhythm {
    next: Instant,
    end: Instant,
}

impl Rhythm {
    /// Waits for the next time, `every` after the last. False: what takes so long would not be done by the end.
    async fn beat(&mut self, every: Duration, takes: Duration) -> bool {
        self.next = (self.next + every).max(Instant::now());
        if self.next + takes >= self.end {
            return false;
        }
        tokio::time::sleep_until(self.next.into()).await;
        true
    }
}
