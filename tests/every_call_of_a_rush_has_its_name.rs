//! Two hundred calls at 50 a second all ring, each with its own name.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::call::{Lab, from_trunk};
use crate::lab::people::{Entry, people, records};
use crate::lab::sip::{Invite, Load};

fn full_name(person: &Entry) -> String {
    let company = person.record.contact_name.clone().unwrap_or_default();
    match person.record.person_name.as_deref() {
        None | Some("") => company,
        Some(name) => format!("{name} ({company})"),
    }
}

mod alone {
    use super::*;

    by_every_way! {
        async fn two_hundred_calls_at_50_a_second(way) {
            let people = people(7, 1_000);
            // Each has the dialplan's half second.
            let lab = Lab::alone_by(way, records(&people), |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await;
            let callers: Vec<_> = people.iter().step_by(people.len() / 200).take(200).collect();
            let load = Load { calls: 200, per_second: 50.0, patience: Duration::from_secs(10) };
            let report = load.run(&lab.caller, &lab.phone, |at| Invite::from(&callers[at].e164)).await;
            assert!(report.lost.is_empty(), "{report}\n{:?}", report.lost);
            for person in callers {
                let ring = &report.rings[&person.e164];
                let full = full_name(person);
                // Longer ones are cut, and show it; the right person's beginning is there.
                let cut = ring.name().split_once('…').map(|(beginning, _)| beginning);
                assert!(
                    ring.name() == full || cut.is_some_and(|cut| cut.len() > 40 && full.starts_with(cut)),
                    "{}: {} is shown as {}",
                    person.e164,
                    full,
                    ring.name()
                );
            }
            lab.asterisk.wait_idle();
        }
    }
}
