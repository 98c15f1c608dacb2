//! An Asterisk that answers no requests on the websocket (before 20.14, 21.9, 22.4) is found out by asking,
//! and served over HTTP. 16.28 is the oldest that is still met.

use crate::lab::call::{Lab, Turn, asterisk_of, fjord, from_trunk};
use crate::lab::sip::{Behaviour, Invite, Phone};

#[tokio::test(flavor = "multi_thread")]
async fn calls_ring_with_their_names() {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = asterisk_of("16", &from_trunk("Gosub(nameplate,lookup,1)", &phone.uri()));
    let lab = Lab::around(turn, fjord(), asterisk, phone).await;
    lab.nameplate.until_logged("answers go over HTTP", 1).await;
    let (_, ring) = lab.ring(Invite::from("+4722334455").named("OSLO")).await;
    assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
    let (_, ring) = lab.ring(Invite::from("22999999").named("OSLO")).await;
    assert_eq!(ring.name(), "OSLO");
    lab.asterisk.wait_idle();
    assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
}
