//! Callers who hang up in mid-lookup leave nothing behind, and their own `h` runs.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::by_every_way;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone};

fn dialplan(phone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => _X.,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => 200,1,Set(TIMEOUT(absolute)=60)\n\
         \x20same => n,Goto(100,1)\n\
         exten => h,1,Log(NOTICE,own h of ${{CALLERID(num)}}.)\n"
    )
}

/// Lookups of a user's own that stand in the shipped context, one and two deep, with and without a limit on the call; an `h`
/// that leads back into it (300); contexts that include it (400); and calls that enter it themselves (500).
const WRAPPED: &str = "
[nameplate](+)
exten => mine,1,Gosub(nameplate,lookup,1)
 same => n,Return()
exten => mine-again,1,Gosub(mine,1)
 same => n,Return()
exten => enter,1,Gosub(mine,1)

[from-trunk]
exten => 100,1,Gosub(nameplate,mine,1)
exten => 101,1,Set(TIMEOUT(absolute)=60)
 same => n,Gosub(nameplate,mine,1)
exten => 200,1,Gosub(nameplate,mine-again,1)
exten => 201,1,Set(TIMEOUT(absolute)=60)
 same => n,Gosub(nameplate,mine-again,1)
exten => 300,1,Goto(circle,s,1)
exten => 400,1,Goto(including,s,1)
exten => 500,1,Goto(nameplate,enter,1)
exten => h,1,Log(NOTICE,own h of ${CALLERID(num)}.)

[circle]
exten => s,1,Gosub(nameplate,mine,1)
exten => h,1,Log(NOTICE,own h of ${CALLERID(num)}.)
 same => n,Goto(nameplate,h,1)

[including]
include => nameplate
exten => s,1,Gosub(including-too,s,1)
[including-too]
include => nameplate
exten => s,1,Gosub(nameplate,mine,1)
 same => n,Return()
";

/// What is called, and whether an `h` of the user's runs then.
const WRAPPERS: [(&str, bool); 7] = [
    ("100", true),
    ("101", true),
    ("200", true),
    ("201", true),
    ("300", true),
    ("400", false),
    ("500", false),
];

/// Waits until so many calls have entered their lookup, as the dialplan's log has it.
async fn until_inside(lab: &Lab, calls: usize) {
    let enters = if lab.way.is_agi() { "] AGI(" } else { "] Stasis(" };
    let begun = Instant::now();
    while lab.asterisk.log().matches(enters).count() < calls && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(5)).await;
    }
}

by_every_way! {
    async fn while_the_service_hangs(way) {
        let turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let asterisk = way.asterisk(&dialplan(&phone.uri()));
        let lab = Lab::configured(way, "", "", turn, fjord(), asterisk, phone).await;
        lab.nameplate.signal("STOP");
        // Every other one has a limit of its own.
        let invite = |at: usize| Invite::from("22334455").to(if at.is_multiple_of(2) { "100" } else { "200" });
        // Each has half a second, so few at a time.
        for round in 1..=5 {
            let calls: Vec<_> = (0..4).map(|at| lab.caller.invite(invite(at))).collect();
            until_inside(&lab, round * calls.len()).await;
            for call in &calls {
                call.cancel();
            }
            for call in &calls {
                assert_eq!(call.final_response(PATIENCE).await, Some(487));
            }
        }
        lab.asterisk.wait_idle();
        assert_eq!(lab.phone.rings(), 0);
        noted(&lab.asterisk, "own h of 22334455.", 20).await;

        lab.nameplate.signal("CONT");
        if !way.is_agi() {
            lab.nameplate.until_logged("status=Found", 20).await;
        }
        // They are gone, which is normal: nothing to warn of.
        sleep(Duration::from_millis(200)).await;
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
    }
}

by_every_way! {
    async fn through_lookups_of_ones_own_in_the_context(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |_| WRAPPED.into()).await;
        lab.nameplate.signal("STOP");
        let calls = WRAPPERS.map(|(to, _)| lab.caller.invite(Invite::from("22334455").to(to)));
        until_inside(&lab, calls.len()).await;
        for call in &calls {
            call.cancel();
        }
        for call in &calls {
            assert_eq!(call.final_response(PATIENCE).await, Some(487));
        }
        lab.asterisk.wait_idle();
        let own = WRAPPERS.into_iter().filter(|(_, runs)| *runs).count();
        noted(&lab.asterisk, "own h of 22334455.", own).await;
    }
}

by_every_way! {
    async fn at_any_moment_of_a_lookup(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), dialplan).await;
        lab.phone.behave(Behaviour::Ring180);
        let mut calls = Vec::new();
        for at in 0..200_u64 {
            let call = lab.caller.invite(Invite::from("22334455"));
            // A lookup takes a fraction of a millisecond, the whole set-up two.
            sleep(Duration::from_micros(at % 50 * 60)).await;
            call.cancel();
            calls.push(call);
        }
        for call in &calls {
            assert!(call.ended(PATIENCE).await.is_some());
        }
        lab.asterisk.wait_idle();
        noted(&lab.asterisk, "own h of 22334455.", 200).await;
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());

        lab.phone.behave(Behaviour::Decline486);
        while lab.phone.next_ring(Duration::from_millis(50)).await.is_some() {}
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
    }
}
