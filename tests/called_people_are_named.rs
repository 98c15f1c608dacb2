//! An operator who dials an outside number sees the name of the person called: before the answer, after it, and whatever the
//! provider says. The name reaches nobody outside.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::by_every_way;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, noted, ring};
use crate::lab::machine::installed;
use crate::lab::nameplate::project;
use crate::lab::sip::{Behaviour, Caller, Invite, Message, Phone, RingState};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::way::Way;

const KARI: &str = "\"Kari Nordmann (Fjord Sjømat AS)\" <sip:22334455@";
/// The provider's name for the person called.
const PROVIDERS: &str = "\"K NORDMANN\" <sip:+4722334455@provider.example>";

/// The operators' dialplan, with the line of the documentation. `far` is the phone behind the provider's trunk.
fn from_desk(far: &str, colleague: &str) -> String {
    let called = "Gosub(nameplate,called,1(";
    let note = "Log(NOTICE,called ${EXTEN}: ${NAMEPLATE_CALLED_STATUS} ${NAMEPLATE_CALLED_PERSON_ID} \
                ${NAMEPLATE_CALLED_CONTACT_ID}, caller: ${NAMEPLATE_STATUS} ${NAMEPLATE_PERSON_ID})";
    format!(
        "[from-desk]\n\
         exten => _[+0-9*].,1,{called}${{EXTEN}}))\n same => n,{note}\n same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => _se.,1,{called}${{EXTEN:2}},SE))\n same => n,{note}\n same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => _de.,1,{called}${{EXTEN:2}},DE))\n same => n,{note}\n same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => _up.,1,Answer()\n same => n,{called}${{EXTEN:2}}))\n same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => _twice.,1,{called}22334455))\n same => n,{called}${{EXTEN:5}}))\n same => n,{note}\n\
         \x20same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => _local.,1,{called}${{EXTEN:5}}))\n same => n,Dial(Local/${{EXTEN:5}}@outside/n,30,I)\n\
         exten => _loop.,1,Dial(Local/${{EXTEN:4}}@from-desk/n,30)\n\
         exten => _queue.,1,{called}${{EXTEN:5}}))\n same => n,Queue(outside,I,,,20)\n\
         exten => _timed.,1,Set(TIMEOUT(absolute)=60)\n same => n,{called}${{EXTEN:5}}))\n\
         \x20same => n,Log(NOTICE,limit ${{TIMEOUT(absolute):0:1}})\n same => n,Dial(PJSIP/provider/{far},30,I)\n\
         exten => colleague,1,Dial(PJSIP/operator/{colleague},30)\n\
         [outside]\nexten => _X.,1,Dial(PJSIP/provider/{far},30)\n\
         [from-trunk]\n\
         exten => 100,1,Gosub(nameplate,lookup,1)\n same => n,{called}22334455))\n same => n,{note}\n\
         \x20same => n,Dial(PJSIP/provider/{far},30,I)\n"
    )
}

fn shown(messages: &[Message]) -> Vec<String> {
    let of = |message: &Message| Some(format!("{} {}", message.kind(), message.asserted_identity()?));
    messages.iter().filter_map(of).collect()
}

/// Waits until a message of this kind says who is called.
async fn shows(kind: &str, heard: impl Fn() -> Vec<Message>) -> String {
    let begun = Instant::now();
    loop {
        let shown = shown(&heard());
        if let Some(found) = shown.iter().find(|shown| shown.starts_with(kind)) {
            return found.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "no {kind} in {shown:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many legs have been joined to another one since Asterisk's start. Before that nothing can be transferred.
async fn talks(lab: &Lab, legs: usize) {
    let begun = Instant::now();
    while lab.asterisk.log().matches(" joined '").count() < legs {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.asterisk.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a message of this kind has come, with this text in its body.
async fn heard(kind: &str, text: &str, heard: impl Fn() -> Vec<Message>) {
    let begun = Instant::now();
    let is_it =
        |message: &Message| message.kind() == kind && String::from_utf8_lossy(&message.body).contains(text);
    while !heard().iter().any(is_it) {
        assert!(begun.elapsed() < PATIENCE, "no {kind} {text} in {:?}", heard());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Nothing that the far end has received has a name of the CRM.
fn is_not_told(far: &Phone) {
    for message in far.heard() {
        let headers = message.headers.iter().map(|(_, value)| value);
        for text in headers.chain([&message.body]).map(|bytes| String::from_utf8_lossy(bytes)) {
            assert!(!text.contains("Kari") && !text.contains("Fjord"), "{text}");
        }
    }
}

/// A telephone system whose queue `outside` has one agent, behind the provider's trunk; and the phone of a colleague.
async fn start(way: Way) -> (Lab, Phone) {
    let turn = Turn::beside().await;
    let far = Phone::bind(Behaviour::Manual).await.expect("a phone");
    let queue = ("queues.conf", "[outside]\nstrategy = ringall\nmember => Local/22334455@outside/n\n");
    let colleague = Phone::bind(Behaviour::Manual).await.expect("a phone");
    let dialplan = from_desk(&far.uri(), &colleague.uri());
    let setup = Setup { dialplan: &dialplan, extra_conf: &[queue], ..Setup::default() };
    let asterisk = way.asterisk_with(&setup);
    (Lab::configured(way, "", "", turn, fjord(), asterisk, far).await, colleague)
}

by_every_way! {
    async fn the_second_of_two_services_answers(way) {
        let turn = Turn::beside().await;
        let far = Phone::bind(Behaviour::Ring180).await.expect("a phone");
        let dialplan = format!(
            "[from-desk]\nexten => _X.,1,Gosub(nameplate,called-replicas,1(${{EXTEN}}))\n\
             \x20same => n,Log(NOTICE,called ${{NAMEPLATE_CALLED_STATUS}})\n same => n,Dial(PJSIP/provider/{},30,I)\n",
            far.uri()
        );
        let asterisk = way.asterisk(&dialplan);
        let crm = StandIn::start(fjord()).await.expect("the stand-in");
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let (call, _ring) = ring(&caller, &far, Invite::dialling("22334455"), || asterisk.log()).await;
        noted(&asterisk, "called UNAVAILABLE\n", 1).await;
        drop(call);
        let folder = way.folder(&crm, &asterisk);
        folder.configure(&way.config_of_replica(2, &crm, &asterisk));
        let nameplate = folder.serve();
        way.until_ready(&nameplate).await;
        let (call, _ring) = ring(&caller, &far, Invite::dialling("22334455"), || asterisk.log()).await;
        assert!(shows("180", || call.heard()).await.contains(KARI));
        noted(&asterisk, "called FOUND\n", 1).await;
        is_not_told(&far);
        drop(turn);
    }

    async fn a_name_in_doubt_is_marked_or_left_out(way) {
        // In Germany these digits are Hans' number, and Kari's without its plus.
        let mut records = fjord();
        records.push(Record::person(49, 4_722_334_455, (9, "Hans"), (8, "Cux GmbH")));
        for (doubtful, marked) in [("mark", true), ("none", false)] {
            let far = Phone::bind(Behaviour::Ring180).await.expect("a phone");
            let asterisk = way.asterisk(&from_desk(&far.uri(), &far.uri()));
            let names = format!("[names]\ndoubtful = \"{doubtful}\"\n");
            let lab = Lab::configured(way, "", &names, Turn::beside().await, records.clone(), asterisk, far).await;
            let (call, _ring) = lab.ring(Invite::dialling("de4722334455")).await;
            if marked {
                assert!(shows("180", || call.heard()).await.contains("\"~Hans (Cux GmbH)\""));
            }
            let found = if marked { "FOUND  " } else { "NOTFOUND  " };
            noted(&lab.asterisk, &format!("called de4722334455: {found}, caller"), 1).await;
            heard("180", "", || call.heard()).await;
            assert!(marked || shown(&call.heard()).is_empty(), "{:?}", shown(&call.heard()));
        }
    }

    async fn the_operators_phone_shows_the_name(way) {
        let (lab, _colleague) = start(way).await;
        for (identity, early) in [(None, 180), (Some(PROVIDERS), 180), (Some(PROVIDERS), 183)] {
            lab.phone.asserts(identity);
            let (call, ring) = lab.ring(Invite::dialling("22334455")).await;
            assert_eq!(ring.name(), "Operator");
            if early == 180 { ring.ring() } else { ring.progress() }
            let before = shows(&early.to_string(), || call.heard()).await;
            ring.answer();
            let after = shows("200", || call.heard()).await;
            for shown in [before, after] {
                assert!(shown.contains(KARI), "{identity:?}: {shown}");
            }
            call.bye();
            assert!(ring.until(RingState::Ended, PATIENCE).await);
        }
        noted(&lab.asterisk, "called 22334455: FOUND 654 243, caller:  \n", 3).await;
        is_not_told(&lab.phone);
    }

    async fn who_calls_does_not_matter(way) {
        let (lab, _colleague) = start(way).await;
        // The operator withholds the own number, and has a name from the PBX.
        let withheld = Invite { withheld: true, ..Invite::dialling("004722334455") };
        let (call, ring) = lab.ring(withheld).await;
        ring.ring();
        assert!(shows("180", || call.heard()).await.contains("\"Kari Nordmann (Fjord Sjømat AS)\" <sip:004722334455@"));
        drop(call);
        // Swedish digits, a call with a limit of its own.
        let (call, ring) = lab.ring(Invite::dialling("se0047-22334455")).await;
        ring.ring();
        assert!(shows("180", || call.heard()).await.contains("Kari Nordmann"));
        drop(call);
        let (call, ring) = lab.ring(Invite::dialling("timed22334455")).await;
        ring.ring();
        assert!(shows("180", || call.heard()).await.contains(KARI));
        noted(&lab.asterisk, "limit 5\n", 1).await;
        is_not_told(&lab.phone);
    }

    async fn nobody_is_named_in_anybodys_place(way) {
        let (lab, _colleague) = start(way).await;
        lab.phone.asserts(Some(PROVIDERS));
        for (dialled, answer) in [
            ("22999999", "NOTFOUND  "),
            ("112", "SKIPPED  "),
            ("1234", "SKIPPED  "),
            ("*7222334455", "SKIPPED  "),
            ("22334460", "FOUND  243"),
        ] {
            let (call, ring) = lab.ring(Invite::dialling(dialled)).await;
            ring.ring();
            assert_eq!(call.ringing(PATIENCE).await, Some(180));
            let shown = shown(&call.heard()).join("; ");
            assert!(!shown.contains("Kari"), "{dialled}: {shown}");
            assert_eq!(shown.contains("\"Fjord Sjømat AS\""), dialled == "22334460", "{dialled}: {shown}");
            drop(call);
            noted(&lab.asterisk, &format!("called {dialled}: {answer}, caller:  \n"), 1).await;
        }
        // The second number that one call dials.
        let (call, ring) = lab.ring(Invite::dialling("twice22999999")).await;
        ring.ring();
        assert_eq!(call.ringing(PATIENCE).await, Some(180));
        let shown = shown(&call.heard()).join("; ");
        assert!(!shown.contains("Kari"), "{shown}");
        noted(&lab.asterisk, "called twice22999999: NOTFOUND  , caller:  \n", 1).await;
    }

    async fn a_leg_that_is_up_is_told_at_once(way) {
        let (lab, _colleague) = start(way).await;
        // Without UPDATE, a phone is told by an INVITE.
        let dialling = Invite::dialling("up22334455");
        for (invite, kind) in [(dialling.clone(), "INVITE"), (dialling.with_update(), "UPDATE")] {
            let (call, ring) = lab.ring(invite).await;
            let shown = shows(kind, || call.heard()).await;
            assert!(shown.contains(KARI), "{shown}");
            ring.decline();
            assert!(call.ended(PATIENCE).await.is_some());
        }
        // Click-to-dial: Asterisk calls the operator first.
        let desk = Phone::bind(Behaviour::Answer200).await.expect("a phone");
        let originate = format!("channel originate PJSIP/operator/{} extension 22334455@from-desk", desk.uri());
        lab.asterisk.cli(&originate);
        let operators = desk.next_ring(PATIENCE).await.expect("the operator's phone rings");
        let outside = lab.phone.next_ring(PATIENCE).await.expect("the far end rings");
        let shown = shows("INVITE", || operators.heard()).await;
        assert!(shown.contains(KARI), "{shown}");
        outside.answer();
        assert!(outside.until(RingState::Answered, PATIENCE).await);
        operators.hang_up();
        assert!(outside.until(RingState::Ended, PATIENCE).await);
        is_not_told(&lab.phone);
    }

    async fn through_a_local_channel_and_a_queue(way) {
        let (lab, _colleague) = start(way).await;
        lab.phone.asserts(Some(PROVIDERS));
        for (dialled, kind) in [("local22334455", "180"), ("queue22334455", "200")] {
            let (call, ring) = lab.ring(Invite::dialling(dialled)).await;
            ring.ring();
            if kind == "200" { ring.answer() }
            let shown = shows(kind, || call.heard()).await;
            assert!(shown.contains(KARI), "{dialled}: {shown}");
            ring.answer();
            assert_eq!(call.final_response(PATIENCE).await, Some(200));
            call.bye();
            assert!(ring.until(RingState::Ended, PATIENCE).await);
        }
        // Looked up inside the Local channel.
        lab.phone.asserts(None);
        let (call, ring) = lab.ring(Invite::dialling("loop22334455")).await;
        ring.ring();
        let shown = shows("180", || call.heard()).await;
        assert!(shown.contains(KARI), "{shown}");
        is_not_told(&lab.phone);
    }

    async fn a_transfer_tells_nobody_outside(way) {
        let (lab, phone) = start(way).await;
        lab.phone.asserts(Some(PROVIDERS));
        // The operator sends the person called on to a colleague.
        let (call, ring) = lab.ring(Invite::dialling("22334455")).await;
        ring.answer();
        talks(&lab, 2).await;
        call.transfer("colleague");
        let colleague = phone.next_ring(PATIENCE).await.expect("the colleague's phone rings");
        colleague.answer();
        talks(&lab, 4).await;
        is_not_told(&lab.phone);
        colleague.hang_up();
        assert!(ring.until(RingState::Ended, PATIENCE).await);
        // The operator asks the colleague first.
        let (call, ring) = lab.ring(Invite::dialling("22334455")).await;
        ring.answer();
        talks(&lab, 6).await;
        let asking = lab.caller.invite(Invite::dialling("colleague"));
        let colleague = phone.next_ring(PATIENCE).await.expect("the colleague's phone rings");
        colleague.answer();
        talks(&lab, 8).await;
        call.join(&asking, "colleague");
        heard("NOTIFY", "SIP/2.0 200", || call.heard()).await;
        call.bye();
        asking.bye();
        assert_eq!(ring.state(), RingState::Answered);
        is_not_told(&lab.phone);
        colleague.hang_up();
        assert!(ring.until(RingState::Ended, PATIENCE).await);
        is_not_told(&lab.phone);
    }

    async fn a_forwarded_caller_is_not_told(way) {
        let (lab, _colleague) = start(way).await;
        let (call, ring) = lab.ring(Invite::from("22334460").named("OSLO")).await;
        noted(&lab.asterisk, "called 100: FOUND 654 243, caller: ", 1).await;
        ring.ring();
        assert_eq!(call.ringing(PATIENCE).await, Some(180));
        ring.answer();
        assert_eq!(call.final_response(PATIENCE).await, Some(200));
        let shown = shown(&call.heard()).join("; ");
        assert!(!shown.contains("Kari"), "{shown}");
    }

    async fn without_an_answer_the_call_goes_out(way) {
        let (mut lab, _colleague) = start(way).await;
        // The first lookup since Asterisk's start is a longer one.
        let (call, ring) = lab.ring(Invite::dialling("22999999")).await;
        ring.decline();
        assert_eq!(call.final_response(PATIENCE).await, Some(486));
        lab.nameplate.signal("STOP");
        let (call, _) = lab.ring(Invite::dialling("22334455")).await;
        noted(&lab.asterisk, "called 22334455: TIMEOUT  , caller:  \n", 1).await;
        drop(call);
        lab.nameplate.signal("CONT");
        lab.nameplate.kill();
        lab.asterisk.wait_without_apps();
        let (_call, _) = lab.ring(Invite::dialling("22334455")).await;
        noted(&lab.asterisk, "called 22334455: UNAVAILABLE  , caller:  \n", 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_softphone_shows_it() {
    let (lab, _colleague) = start(Way::Websocket).await;
    let script = project().join("tests/lab/pjsua.py");
    let mut softphone = Command::new("python3")
        .arg(script)
        .args([lab.asterisk.sip().to_string(), "22334455".to_owned()])
        .env("PYTHONPATH", installed("pjsua2"))
        // It ends with this.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    let mut shown = BufReader::new(softphone.stdout.take().expect("its output")).lines();
    // The library has lines of its own.
    let mut next = async || loop {
        let line = timeout(PATIENCE, shown.next_line()).await.ok()?.ok()??;
        if let Some(shown) = line.strip_prefix("shown ") {
            return Some(shown.to_owned());
        }
    };
    let ring = lab.phone.next_ring(PATIENCE).await.expect("the far end rings");
    ring.ring();
    assert_eq!(next().await.as_deref(), Some("180 Kari Nordmann (Fjord Sjømat AS)"));
    ring.answer();
    assert_eq!(next().await.as_deref(), Some("200 Kari Nordmann (Fjord Sjømat AS)"));
    is_not_told(&lab.phone);
}
