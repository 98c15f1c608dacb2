//! Eight replicas in trouble.

use std::time::{Duration, Instant};

use crate::lab::redis::Engine;
use crate::lab::site::{REFRESH, Site};

/// The replicas, and how many of them have a PBX.
const COUNT: usize = 8;
const WITH_PBX: usize = 2;
/// How long something is stopped.
const STOPPED: Duration = Duration::from_mins(1);
/// How long all may take for a small list, after the CRM's answer, while there is no trouble.
const SPREAD: Duration = Duration::from_secs(2);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    HolderKilled,
    HolderKilledInside,
    HolderStopped,
    HolderCut,
    ReaderKilled,
    MasterKilled,
    MasterStopped,
    MasterCut,
    Emptied,
}

impl Trouble {
    const ALL: [Self; 10] = [
        Self::None,
        Self::HolderKilled,
        Self::HolderKilledInside,
        Self::HolderStopped,
        Self::HolderCut,
        Self::ReaderKilled,
        Self::MasterKilled,
        Self::MasterStopped,
        Self::MasterCut,
        Self::Emptied,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::HolderKilled => "the holder is killed",
            Self::HolderKilledInside => "killed while it publishes",
            Self::HolderStopped => "the holder is stopped for 60 s",
            Self::HolderCut => "the holder is cut off",
            Self::ReaderKilled => "another replica is killed",
            Self::MasterKilled => "the master is killed",
            Self::MasterStopped => "the master is stopped for 60 s",
            Self::MasterCut => "the master is cut off from the others",
            Self::Emptied => "the servers are emptied",
        }
    }

    /// Makes it, changes the CRM's list meanwhile, and returns when all replicas know it and no trouble is left. Says after how long those
    /// that were there knew it.
    async fn make(self, site: &mut Site) -> Duration {
        let holder = site.holder().await;
        let master = site.watched.master();
        let begun = Instant::now();
        match self {
            Self::None => {}
            Self::HolderKilled => site.kill(holder),
            Self::ReaderKilled => site.kill((holder + 1) % COUNT),
            Self::HolderStopped => site.stop(holder),
            Self::HolderCut => site.cut(holder, true),
            Self::MasterKilled => site.watched.servers[master].kill(),
            Self::MasterStopped => site.watched.servers[master].signal("STOP"),
            Self::MasterCut => blocking(|| site.watched.part(master, true)),
            Self::Emptied => blocking(|| site.watched.servers[master].run::<()>(&["FLUSHALL"])),
            Self::HolderKilledInside => {
                site.change();
                let asked = site.crm.count();
                site.crm.until_count(asked + 1, 2 * REFRESH).await;
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..40_000))).await;
                site.kill(holder);
            }
        }
        let generation = site.change();
        site.all_know(generation).await;
        let took = begun.elapsed();
        match self {
            Self::None | Self::Emptied => {}
            Self::HolderKilled | Self::HolderKilledInside => site.start_again(holder).await,
            Self::ReaderKilled => site.start_again((holder + 1) % COUNT).await,
            Self::HolderStopped => {
                tokio::time::sleep_until((begun + STOPPED).into()).await;
                let published = site.published_by(holder);
                site.go_on(holder);
                site.members[holder].until_reader().await;
                assert_eq!(site.published_by(holder), published, "it was stopped, and publishes again");
            }
            Self::HolderCut => {
                let another = async || site.holder().await != holder;
                while !another().await {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                site.cut(holder, false);
            }
            Self::MasterKilled => {
                blocking(|| site.watched.until_another(master));
                site.watched.servers[master].again();
                blocking(|| site.watched.until_copied(master));
            }
            Self::MasterStopped => {
                blocking(|| site.watched.until_another(master));
                tokio::time::sleep_until((begun + STOPPED).into()).await;
                site.watched.servers[master].signal("CONT");
                blocking(|| site.watched.until_copied(master));
            }
            Self::MasterCut => {
                blocking(|| site.watched.until_another(master));
                let generation = site.change();
                site.all_know(generation).await;
                blocking(|| site.watched.part(master, false));
                blocking(|| site.watched.until_copied(master));
            }
        }
        let generation = site.change();
        site.all_know(generation).await;
        for member in &site.members {
            member.until_shared().await;
        }
        took
    }
}

fn blocking<T>(run: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(run)
}

/// Each trouble once, and on for so many minutes.
pub(crate) async fn run(minutes: Option<u64>) -> bool {
    let end = Instant::now() + Duration::from_mins(minutes.unwrap_or(0));
    let mut site = Site::start(Engine::Redis, COUNT, WITH_PBX).await;
    println!(
        "# Chaos\n\n{COUNT} replicas, {WITH_PBX} of them with an Asterisk and calls all the time; 3 Redis servers, 3 sentinels.\n"
    );
    println!(
        "| trouble                               | all knew after | then, at rest | questions at rest | of at most |"
    );
    println!(
        "|---------------------------------------|----------------|---------------|-------------------|------------|"
    );
    let (mut is_good, mut round) = (true, 0);
    while round == 0 || Instant::now() < end {
        let mut troubles = Trouble::ALL;
        if round > 0 {
            fastrand::shuffle(&mut troubles);
        }
        for trouble in troubles {
            let took = trouble.make(&mut site).await;
            let begun = Instant::now();
            let mut slowest = Duration::ZERO;
            for _ in 0..3 {
                slowest = slowest.max(site.spread().await);
            }
            let asked = site.asked_since(begun);
            // Waits are random, between a half and all of the interval.
            let most = 2 + (begun.elapsed().as_millis() / (REFRESH / 2).as_millis()) as usize;
            println!(
                "| {:<37} | {:>12.1} s | {:>11.2} s | {asked:>17} | {most:>10} |",
                trouble.as_str(),
                took.as_secs_f64(),
                slowest.as_secs_f64()
            );
            is_good &= slowest <= SPREAD && asked <= most;
        }
        round += 1;
    }
    let (calls, seen) = site.end().await;
    println!(
        "\n{} calls: {} named, {} while their service was down, {} under way at that moment. Unnamed {}, wrong {}, lost {}.",
        calls.placed, calls.named, calls.down, calls.inside, calls.unnamed, calls.wrong, calls.lost
    );
    println!(
        "{} lookups at the replicas with the right name. {} versions published, {} seen on disk.",
        seen.named,
        seen.published.len(),
        seen.taken.len()
    );
    for wrong in &seen.wrong {
        println!("NOT SO: {wrong}");
    }
    let is_good = is_good && seen.wrong.is_empty() && calls.unnamed + calls.wrong + calls.lost == 0;
    println!("{}", if is_good { "All is as it has to be." } else { "Not all is as it has to be." });
    is_good
}
