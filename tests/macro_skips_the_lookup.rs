//! From `Macro()`, where Asterisk would not run the bound's `T`, the lookup skips itself: a hung service loses no call
//! there. Asterisk 16 is the one that still has macros.

use std::time::Duration;

use crate::lab::call::{Lab, Turn, asterisk_of, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone};

#[tokio::test(flavor = "multi_thread")]
async fn and_the_call_rings_at_once() {
    let turn = Turn::alone().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = format!(
        "[macro-inside]\n\
         exten => s,1,Gosub(nameplate,${{ARG1}},1)\n\
         \x20same => n,Log(NOTICE,after ${{NAMEPLATE_STATUS}})\n\
         [from-trunk]\n\
         exten => _[l]ookup!,1,Macro(inside,${{EXTEN}})\n\
         \x20same => n,Dial(PJSIP/operator/{},30)\n",
        phone.uri()
    );
    let lab = Lab::around(turn, fjord(), asterisk_of("16", &dialplan), phone).await;
    lab.nameplate.signal("STOP");
    for lookup in ["lookup", "lookup-agi", "lookup-replicas", "lookup-agi-replicas"] {
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO").to(lookup)).await;
        assert_eq!(ring.name(), "OSLO", "{lookup}");
        let took = ring.received.duration_since(call.sent());
        assert!(took < Duration::from_millis(400), "{lookup}: it rang after {took:?}");
    }
    noted(&lab.asterisk, "after SKIPPED", 4).await;
}
