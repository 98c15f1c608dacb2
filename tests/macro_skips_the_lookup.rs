//! From `Macro()`, where Asterisk would not run the bound's `T`, the lookup skips itself: a hung service loses no call
//! there. Asterisk 16 is the one that still has macros.

use std::time::Duration;

use crate::lab::call::{Lab, Turn, asterisk_of, fjord, noted};
use crate::lab::comparison::{AT_ONCE, PAIRS};
use crate::lab::sip::{Behaviour, Invite, Phone};

#[tokio::test(flavor = "multi_thread")]
async fn and_the_call_rings_at_once() {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = format!(
        "[macro-inside]\n\
         exten => s,1,Gosub(nameplate,${{ARG1}},1)\n\
         \x20same => n,Log(NOTICE,after ${{NAMEPLATE_STATUS}})\n\
         [from-trunk]\n\
         exten => _[l]ookup!,1,Macro(inside,${{EXTEN}})\n\
         \x20same => n(dial),Dial(PJSIP/operator/{},30)\n\
         exten => {AT_ONCE},1,Goto(lookup,dial)\n",
        phone.uri()
    );
    let lab = Lab::around(turn, fjord(), asterisk_of("16", &dialplan), phone).await;
    lab.nameplate.signal("STOP");
    for lookup in ["lookup", "lookup-agi", "lookup-replicas", "lookup-agi-replicas"] {
        let comparison = lab.compare(&Invite::from("22334455").named("OSLO").to(lookup), AT_ONCE).await;
        comparison.assert("OSLO", Duration::from_millis(200));
    }
    noted(&lab.asterisk, "after SKIPPED", 4 * PAIRS).await;
}
