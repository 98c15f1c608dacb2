//! A hundred calls a second, and a reload each second.

use std::time::{Duration, Instant};

use super::{OLA, VIP, take, with_numbers};
use crate::by_every_way;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn};
use crate::lab::fate::{Calls, Fate};
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;

by_every_way! {
    async fn a_hundred_calls_a_second_with_a_reload_each_second(way) {
        under_load(way).await;
    }
}

/// The configuration in each of its forms. Each change is one that a call could notice.
fn form(config: &str, at: u32) -> String {
    let odd = at % 2 == 1;
    let config = with_numbers(config, if odd { "strip_prefixes = [\"9\"]" } else { "internal = [\"4xx\"]" });
    // The next user takes the application over from the first.
    let config = if at % 3 == 1 {
        config.replace(
            "username = \"nameplate\"\npassword_file = \"ari",
            "username = \"other\"\npassword_file = \"ari",
        )
    } else {
        config
    };
    let names =
        format!("\n[names]\nmax_bytes = {}\n[ranges]\nguess = {odd}\n[log]\nlevel = \"info\"\n", 56 - at % 2);
    let nobody =
        "[[asterisk]]\nname = \"pbx2\"\nurl = \"http://127.0.0.1:9\"\nusername = \"a\"\npassword = \"b\"\n";
    config + &names + if odd { VIP } else { nobody }
}

async fn under_load(way: Way) {
    const SECONDS: u32 = 7;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    // The number called tells calls apart.
    let dialplan = format!(
        "[from-trunk]\nexten => _X.,1,Gosub(nameplate,lookup,1)\n same => n,Dial(PJSIP/operator/sip:${{EXTEN}}@{phone},30)\n\
         exten => _*X.,1,Dial(PJSIP/operator/sip:${{EXTEN:1}}@{phone},30)\n",
        phone = phone.local_addr()
    );
    let turn = Turn::alone().await;
    let users = [("nameplate", "lab-password"), ("other", "lab-password")];
    let setup = Setup { dialplan: &dialplan, verbose: false, ari_users: &users, ..Setup::default() };
    let asterisk = way.asterisk_with(&setup);
    let calls = SECONDS * 100;
    let lab = Lab::configured(way, "", "", turn, crowd(calls), asterisk, phone).await;
    lab.nameplate.folder().write("vip.csv", OLA);
    let config = way.config(&lab.crm, &lab.asterisk);
    let begun = tokio::time::Instant::now();
    let place = async {
        let mut placed = Calls::new();
        let mut add = |number: String, dialled: &str, caller: String, known_as: Option<String>| {
            let call = lab.caller.invite(Invite::from(caller).named("OSLO").to(dialled));
            let (sent, unnamed) = (call.sent(), "OSLO");
            let fate = Fate { placed: sent, rung: None, answer: None, known_as, unnamed, given_up: false };
            placed.insert(number, (call, fate));
        };
        for at in 0..calls {
            tokio::time::sleep_until(begun + Duration::from_millis(10) * at).await;
            let number = (1_000_000 + at).to_string();
            let (caller, name) = one_of_crowd(at);
            add(number.clone(), &number, caller, Some(name));
            if at % 10 == 0 {
                // Without a lookup: what the machine itself does to a call at that moment.
                let number = (2_000_000 + at).to_string();
                add(number.clone(), &format!("*{number}"), one_of_crowd(at).0, None);
            }
        }
        placed
    };
    let reloads = || {
        for at in 1..SECONDS {
            let due = begun.into_std() + Duration::from_secs(1) * at;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            take(&lab.nameplate, &form(&config, at));
        }
    };
    // On a thread of their own: calls are placed while a command runs.
    let placed = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope.spawn(reloads);
            tokio::runtime::Handle::current().block_on(place)
        })
    });
    let fates = Fate::of_all(placed, &lab.phone, Instant::now() + PATIENCE).await;
    assert!(fates.iter().all(|fate| fate.rung.is_some()), "every call rings");
    let (known, others): (Vec<_>, Vec<_>) = fates.iter().partition(|fate| fate.known_as.is_some());
    assert_eq!((known.len(), others.len()), (calls as usize, calls as usize / 10));
    // A call without an answer in the dialplan's half second is one without a name: so none was late either.
    let is_named = |fate: &Fate| fate.rung.as_ref().map(|(_, name)| name) == fate.known_as.as_ref();
    let took =
        |fate: &Fate| fate.rung.as_ref().map_or(PATIENCE, |(rung, _)| rung.duration_since(fate.placed));
    // Where the machine holds up even a call without a lookup, the half second passes whatever the service does.
    let bound = Duration::from_millis(500);
    let is_held_up = |fate: &Fate| {
        let is_near = |other: &&&Fate| {
            let (one, other) = (fate.placed, other.placed);
            one.max(other).duration_since(one.min(other)) < bound
        };
        took(fate) >= bound && others.iter().filter(is_near).any(|other| took(other) > bound / 5)
    };
    let unnamed = known.iter().filter(|fate| !is_named(fate) && !is_held_up(fate));
    let when: Vec<_> =
        unnamed.map(|fate| (fate.placed.duration_since(begun.into_std()), took(fate))).collect();
    assert!(when.is_empty(), "unnamed, so long after the first: {when:?}\n{}", lab.nameplate.log());
    assert_eq!(lab.nameplate.log().matches("the configuration is reloaded").count(), 6);
    lab.asterisk.wait_idle();
}
