//! The lab's own checks: caller and phone face to face, without Asterisk between them.

use std::time::Duration;

use super::clock::T1;
use super::{Address, Behaviour, Caller, Invite, Load, Message, Phone, RingState};

const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_declined_call_carries_name_and_number() {
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let call = caller.invite(Invite::from("+4722334455").named("Åse \"Ås\" O'Brien \\ Ø").to("123"));
    let ring = phone.ring_of("+4722334455", SOON).await.unwrap();
    assert_eq!(ring.name(), "Åse \"Ås\" O'Brien \\ Ø");
    assert_eq!((ring.number(), ring.dialled.as_str(), ring.to_user.as_str()), ("+4722334455", "123", "123"));
    assert_eq!(call.final_response(SOON).await, Some(486));
    assert!(call.ended(SOON).await.is_some());
    assert!(ring.received >= call.sent());
}

#[tokio::test]
async fn a_ringing_call_is_cancelled() {
    let phone = Phone::bind(Behaviour::Ring180).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let call = caller.invite(Invite::from("22334455"));
    // Before the 180 is in: the CANCEL has to wait for it.
    call.cancel();
    let ring = phone.next_ring(SOON).await.unwrap();
    assert!(ring.until(RingState::Cancelled, SOON).await);
    assert_eq!(call.final_response(SOON).await, Some(487));
    assert_eq!(phone.rings(), 1);
}

#[tokio::test]
async fn an_answered_call_ends_from_either_side() {
    let phone = Phone::bind(Behaviour::Answer200).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    for is_caller_first in [true, false] {
        let call = caller.invite(Invite::from("22334455"));
        let ring = phone.next_ring(SOON).await.unwrap();
        assert_eq!(call.final_response(SOON).await, Some(200));
        if is_caller_first {
            call.bye();
        } else {
            ring.hang_up();
        }
        assert!(ring.until(RingState::Ended, SOON).await);
        assert!(call.ended(SOON).await.is_some());
    }
}

#[tokio::test]
async fn a_withheld_number_is_only_asserted() {
    let phone = Phone::bind(Behaviour::Manual).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let call = caller.invite(Invite { withheld: true, ..Invite::from("+4722334455").named("Kari") });
    let ring = phone.next_ring(SOON).await.unwrap();
    assert_eq!((ring.name(), ring.number()), ("Anonymous", "anonymous"));
    assert_eq!(ring.message.text("Privacy"), "id");
    assert!(ring.asserted_identity().unwrap().starts_with("\"Kari\" <sip:+4722334455@"));
    ring.ring();
    assert_eq!(call.ringing(SOON).await, Some(180));
    // A call that is dropped hangs up.
    drop(call);
    assert!(ring.until(RingState::Cancelled, SOON).await);
}

#[tokio::test]
async fn a_lost_invite_is_repeated_and_rings_once() {
    let deaf = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let caller = Caller::new(deaf.local_addr().unwrap()).await.unwrap();
    let call = caller.invite(Invite::from("22334455"));
    let mut datagrams = Vec::new();
    for _ in 0..2 {
        let mut buffer = vec![0; 4096];
        let received = tokio::time::timeout(SOON, deaf.recv_from(&mut buffer)).await;
        buffer.truncate(received.unwrap().unwrap().0);
        datagrams.push(buffer);
    }
    assert_eq!(datagrams[0], datagrams[1]);
    assert_eq!(Message::parse(&datagrams[0]).unwrap().text("Call-ID"), call.call_id());
    assert!(call.sent().elapsed() >= T1);

    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    for _ in 0..3 {
        deaf.send_to(&datagrams[0], phone.local_addr()).await.unwrap();
        let mut answer = [0; 4096];
        tokio::time::timeout(SOON, deaf.recv_from(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(b"SIP/2.0 486 "));
    }
    assert!(phone.next_ring(SOON).await.is_some());
    assert_eq!((phone.rings(), phone.repeated()), (1, 2));
}

#[tokio::test]
async fn hostile_bytes_travel_as_they_are() {
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let _call = caller.invite(Invite::from("22334455").named(b"\xff\x07a\r\nX-Injected: yes"));
    let ring = phone.next_ring(SOON).await.unwrap();
    assert!(ring.message.text("X-Injected").starts_with("yes\" <sip:22334455@"));
    assert!(ring.datagram.windows(4).any(|bytes| bytes == b"\xff\x07a\r"));
}

#[tokio::test]
async fn garbage_disturbs_nobody() {
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = fastrand::Rng::with_seed(5060);
    let invite: &[u8] =
        b"INVITE sip:1@h SIP/2.0\r\nVia: x\r\nf: \"\\\r\nTo: <\r\ni: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    for _ in 0..300 {
        let mut bytes = invite[..random.usize(..=invite.len())].to_vec();
        for _ in 0..random.usize(..8) {
            let at = random.usize(..=bytes.len());
            bytes.insert(at, random.u8(..));
        }
        noise.send_to(&bytes, phone.local_addr()).unwrap();
        noise.send_to(&bytes, caller.local_addr()).unwrap();
    }
    let call = caller.invite(Invite::from("22334455"));
    assert_eq!(call.final_response(SOON).await, Some(486));
}

#[tokio::test]
async fn hundreds_of_calls_at_a_time() {
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let caller = Caller::new(phone.local_addr()).await.unwrap();
    let load = Load { calls: 300, per_second: 2000.0, patience: SOON };
    let report = load.run(&caller, &phone, |at| Invite::from(format!("+47220{at:05}"))).await;
    assert!(report.lost.is_empty(), "{report}");
    assert_eq!(report.answers.get(&486), Some(&300), "{report}");
}

#[test]
fn addresses_as_they_are_met() {
    let parse = |value: &str| Address::parse(value.as_bytes());
    let quoted = parse(r#""Kari \"K\" <x> Nordmann"  <sip:+4722@h;user=phone>;tag=a;x=y"#);
    assert_eq!(quoted.display.as_deref(), Some(r#"Kari "K" <x> Nordmann"#));
    assert_eq!((quoted.user.as_str(), quoted.tag.as_deref()), ("+4722", Some("a")));
    assert_eq!(quoted.uri, "sip:+4722@h;user=phone");
    assert_eq!(parse("Kari Nordmann <sip:22@h>").display.as_deref(), Some("Kari Nordmann"));
    assert_eq!(
        (parse("sip:22%23@h;tag=b").user, parse("sip:22@h;tag=b").tag),
        ("22#".into(), Some("b".into()))
    );
    assert_eq!(parse("<tel:+4722;phone-context=x>").user, "+4722");
    assert_eq!(parse("<sip:host>").user, "");
    for broken in ["", "\"", "\"\\", "<", ">", "%", "<sip:%zz@>", ";tag="] {
        parse(broken);
    }
}
