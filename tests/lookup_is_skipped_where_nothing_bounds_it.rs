//! Where Asterisk would not run the bound's `T`, the lookup skips itself, and a hung service holds nothing: in `h` and what
//! `h` calls, in hangup handlers, and in the handlers of `Dial()` that run on the phone's leg. (In a Macro, too:
//! `macro_skips_the_lookup`.)

use crate::by_every_way;
use crate::lab::call::{Lab, PATIENCE, fjord, noted};
use crate::lab::sip::{Behaviour, Invite};
use crate::lab::way::Way;

const DIALPLAN: &str = "
[from-trunk]
exten => 100,1,Hangup()
exten => 101,1,Goto(h-by-gosub,s,1)
exten => 102,1,Set(CHANNEL(hangup_handler_push)=looking,s,1)
 same => n,Goto(no-h,s,1)
exten => 103,1,Goto(no-h,before-it-rings,1)
exten => 104,1,Goto(no-h,answered,1)
exten => h,1,Gosub(nameplate,LOOKUP,1)
 same => n,Log(NOTICE,after ${NAMEPLATE_STATUS}.)

[h-by-gosub]
exten => s,1,Hangup()
exten => h,1,Gosub(looking,s,1)

[no-h]
exten => s,1,Hangup()
exten => before-it-rings,1,Dial(PJSIP/operator/PHONE,30,b(looking^s^1))
exten => answered,1,Dial(PJSIP/operator/PHONE,30,U(looking))

[looking]
exten => s,1,Gosub(nameplate,LOOKUP,1)
 same => n,Log(NOTICE,after ${NAMEPLATE_STATUS}.)
 same => n,Return()
";

fn dialplan(way: Way, phone: &str) -> String {
    DIALPLAN.replace("LOOKUP", if way.is_agi() { "lookup-agi" } else { "lookup" }).replace("PHONE", phone)
}

by_every_way! {
    async fn after_the_hangup_and_on_the_phones_leg(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| dialplan(way, phone)).await;
        for (round, signal) in ["CONT", "STOP"].into_iter().enumerate() {
            lab.nameplate.signal(signal);
            for (at, extension) in ["100", "101", "102", "103", "104"].into_iter().enumerate() {
                let answers = extension == "104";
                lab.phone.behave(if answers { Behaviour::Answer200 } else { Behaviour::Decline486 });
                let call = lab.caller.invite(Invite::from("22334455").named("OSLO").to(extension));
                let answer = call.final_response(PATIENCE).await;
                match extension {
                    "103" => assert_eq!(answer, Some(486), "{signal}"),
                    "104" => assert_eq!(answer, Some(200), "{signal}"),
                    _ => assert!(answer.is_some(), "{extension}, {signal}"),
                }
                noted(&lab.asterisk, "after SKIPPED.", 5 * round + at + 1).await;
                call.bye();
                lab.asterisk.wait_idle();
            }
        }
    }
}
