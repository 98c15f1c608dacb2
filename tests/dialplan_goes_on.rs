//! The user's dialplan goes on where it was, and what it uses is untouched.

use crate::by_every_way;
use crate::lab::call::{Lab, PATIENCE, fjord, noted, notes};
use crate::lab::sip::{Behaviour, Invite};

/// A dialplan with everything that a lookup could disturb, and a note of it before and after.
fn noting(phone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => _X.,1,Set(DB(lab/key)=kept)\n\
         \x20same => n,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Log(NOTICE,after exten=${{EXTEN}} context=${{CONTEXT}} dst=${{CDR(dst)}})\n\
         \x20same => n,Log(NOTICE,number=${{CALLERID(num)}} status=${{NAMEPLATE_STATUS}} person=${{NAMEPLATE_PERSON_ID}} contact=${{NAMEPLATE_CONTACT_ID}} original=${{NAMEPLATE_ORIGINAL_NAME}} limit=${{TIMEOUT(absolute)}})\n\
         \x20same => n,Log(NOTICE,dst=${{CDR(dst)}} dcontext=${{CDR(dcontext)}} db=${{DB(lab/key)}} shell=${{SHELL(printf works)}})\n\
         \x20same => n,Set(DB(lab/after)=${{EXTEN}})\n\
         \x20same => n,Log(NOTICE,written=${{DB(lab/after)}})\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => h,1,Log(NOTICE,own h exten=${{EXTEN}} context=${{CONTEXT}})\n"
    )
}

by_every_way! {
    async fn where_it_was_with_all_that_it_uses(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), noting).await;
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO").to("4711")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        assert!(call.ended(PATIENCE).await.is_some());
        lab.asterisk.wait_idle();
        for note in [
            "after exten=4711 context=from-trunk dst=",
            "dst=4711 dcontext=from-trunk db=kept shell=works",
            "status=FOUND person=654 contact=243 original=OSLO limit=0",
            "written=4711",
            "own h exten=h context=from-trunk",
        ] {
            noted(&lab.asterisk, note, 1).await;
        }
        assert!(!lab.asterisk.log().contains("Dangerous function"));
        // CDR() sees a line late what runs: after any Gosub() the next line reads where that ended. It is an extension of the
        // context's own, not the one that carried the name; by FastAGI `done` after an Asterisk's first lookup only.
        let notes = notes(&lab.asterisk);
        let is_ended = |dst: &str| notes.contains(&format!("after exten=4711 context=from-trunk dst={dst}\n"));
        assert!(is_ended("done") || way.is_agi() && is_ended("lookup-agi=allowed0001"), "{notes}");

        // The call's record is the one that a call without lookup has.
        let cdrs = lab.asterisk.until_recorded();
        let record = cdrs.lines().next().unwrap_or_default();
        assert!(record.contains("\"4711\",\"from-trunk\""), "{record}");
        assert!(record.contains("\"Dial\""), "{record}");
    }
}

by_every_way! {
    async fn what_it_says_of_each_outcome(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), noting).await;
        for (digits, note) in [
            ("22334400", "status=FOUND person= contact=243"),
            ("22334460", "status=FOUND person= contact=243"),
            ("22999999", "status=NOTFOUND person= contact= "),
            ("unknown", "status=SKIPPED person= contact= "),
        ] {
            lab.ring(Invite::from(digits)).await;
            noted(&lab.asterisk, &format!("number={digits} {note}"), 1).await;
        }
    }
}

/// Two lookups of one call, the second of another number and with a limit on the call.
fn twice(phone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => _X.,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Set(CALLERID(num)=${{EXTEN}})\n\
         \x20same => n,Set(TIMEOUT(absolute)=20)\n\
         \x20same => n,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Log(NOTICE,second status=${{NAMEPLATE_STATUS}} person=${{NAMEPLATE_PERSON_ID}} contact=${{NAMEPLATE_CONTACT_ID}} original=${{NAMEPLATE_ORIGINAL_NAME}} limit=${{TIMEOUT(absolute):0:3}} exten=${{EXTEN}} context=${{CONTEXT}})\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n"
    )
}

by_every_way! {
    async fn a_second_lookup_forgets_the_first_but_not_the_providers_name(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), twice).await;
        for (second, name, note) in [
            ("22334400", "Fjord Sjømat AS", "second status=FOUND person= contact=243 original=OSLO limit=19. "),
            // Nobody: the name of the first stays where it is, as any name does.
            ("22999999", "Kari Nordmann (Fjord Sjømat AS)", "second status=NOTFOUND person= contact= original=OSLO limit=19. "),
        ] {
            let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO").to(second)).await;
            assert_eq!(ring.name(), name);
            noted(&lab.asterisk, &format!("{note}exten={second} context=from-trunk"), 1).await;
        }
    }
}

/// Calls with a limit of their own, 2 s and 0.3 s: with a lookup, and without us.
fn limited(phone: &str) -> String {
    let mut dialplan = "[from-trunk]\n".to_owned();
    for (extension, limit) in LIMITS {
        for (prefix, lookup) in [("1", "Gosub(nameplate,lookup,1)"), ("2", "NoOp()")] {
            dialplan += &format!(
                "exten => {prefix}{extension},1,Set(TIMEOUT(absolute)={limit})\n\
                 \x20same => n,{lookup}\n\
                 \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
                 \x20same => n,Hangup()\n"
            );
        }
    }
    dialplan
}

/// Longer than our bound, and shorter.
const LIMITS: [(&str, &str); 2] = [("00", "2"), ("01", "0.3")];

/// How much longer calls live with a lookup than without us, in s: the median of five pairs, for each limit.
async fn longer_life(lab: &Lab) -> [f64; 2] {
    let place = |extension: String| lab.caller.invite(Invite::from("22334455").to(&extension));
    let pairs = LIMITS.map(|(extension, _)| {
        (0..5).map(|_| ["1", "2"].map(|prefix| place(format!("{prefix}{extension}")))).collect::<Vec<_>>()
    });
    let mut longer = [0.0; 2];
    for (at, pairs) in pairs.iter().enumerate() {
        let mut differences = Vec::new();
        for pair in pairs {
            let mut lives = [0.0; 2];
            for (life, call) in lives.iter_mut().zip(pair) {
                let ended = call.ended(PATIENCE).await.expect("the limit ends the call");
                *life = ended.duration_since(call.sent()).as_secs_f64();
            }
            differences.push(lives[0] - lives[1]);
        }
        differences.sort_by(f64::total_cmp);
        longer[at] = differences[2];
    }
    lab.asterisk.wait_idle();
    longer
}

by_every_way! {
    async fn a_limit_on_the_call_still_holds(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), limited).await;
        lab.phone.behave(Behaviour::Ring180);
        // While the service answers, and while it hangs.
        for signal in ["CONT", "STOP"] {
            lab.nameplate.signal(signal);
            for (longer, (_, limit)) in longer_life(&lab).await.into_iter().zip(LIMITS) {
                assert!(longer.abs() < 0.15, "a limit of {limit} s holds {longer} s longer ({signal})");
            }
        }
    }
}
