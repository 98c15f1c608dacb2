//! Whatever a caller sends for a name or a number is text: nothing of it is run, read as another caller's, or seen as a line
//! of its own in the log, and the phone shows what it shows without us.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::call::{Lab, Turn, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone, Ring};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// 100 looks the caller up, 200 does not; in front of both, 10x makes the name long, 20x the number, whatever SIP lets through.
const DIALPLAN: &str = "
[globals]
LONG = XXXX
[from-trunk]
exten => 100,1,Gosub(nameplate,lookup,1)
 same => n,Log(NOTICE,after ${NAMEPLATE_STATUS} pwned=${PWNED}.)
 same => n,Dial(PJSIP/operator/PHONE,30)
exten => 101,1,Set(CALLERID(name)=${LONG}${LONG})
 same => n,Goto(100,1)
exten => 102,1,Set(CALLERID(num)=${LONG}${LONG})
 same => n,Goto(100,1)
exten => 200,1,Dial(PJSIP/operator/PHONE,30)
exten => 202,1,Set(CALLERID(num)=${LONG}${LONG})
 same => n,Goto(200,1)
";

fn hostile() -> Vec<Vec<u8>> {
    let control: Vec<u8> = (1..32).chain([127]).filter(|byte| !b"\r\n".contains(byte)).collect();
    // By itself, and within what a dialplan could take it for the end of.
    let mut texts: Vec<Vec<u8>> = control.iter().map(|byte| vec![b'A', *byte, b'B']).collect();
    texts.extend([
        control,
        vec![b'x'; 8 * 1024],
        b"K\xe5re \xff\xfe \xc3".to_vec(),
        "Ærø ".repeat(30).into_bytes(),
    ]);
    let written = [
        "agi_callerid: 22334400",
        "200 result=1",
        "SET VARIABLE PWNED \"yes\"",
        "\"} , \"caller\":{\"number\":\"22334400\"},\"x\":{\"",
        "{\"type\":\"StasisStart\"}",
        "${SHELL(touch /tmp/pwned)}",
        "$[1+1]${PWNED}${EXTEN}",
        "A):Set(PWNED=yes",
        "22334455):1",
        "):0:0",
        "A)?Set(PWNED=yes):Set(PWNED=no",
        "A,PWNED=yes,B|PWNED=yes&C^D;E",
        "A\",PWNED=yes",
        "=1:2:KARI",
        "\" <sip:22999999@127.0.0.1>;x=\"",
        "A\r\n X-Evil: yes",
        "A\r\n agi_callerid: 22334455",
        "A%0d%0aX-Evil: yes",
        "unknown",
        "\u{202e}irak\u{2028}B",
    ];
    // A caller's line breaks are FastAGI's as well.
    texts.extend(
        [
            "22999999\nagi_callerid: 22334455",
            "22334455\r\nX-Evil: yes",
            "1\nagi_callingpres: 0\n\n200 result=1\n",
            "A\0B",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    texts.extend(written.map(|text| text.as_bytes().to_vec()));
    texts
}

/// The user part of a SIP address that is decoded to these bytes.
fn escaped(text: &[u8]) -> String {
    let byte = |byte: &u8| {
        if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02x}") }
    };
    text.iter().map(byte).collect()
}

/// What there is to see of a caller at the phone.
fn seen(ring: &Ring) -> (Option<String>, String, Option<String>) {
    (ring.from.display.clone(), ring.number().to_owned(), ring.asserted_identity())
}

/// The ring of a call without a lookup; none where Asterisk itself refuses such a caller.
async fn without(lab: &Lab, invite: Invite) -> Option<Ring> {
    let call = lab.caller.invite(invite);
    // Some are no SIP to Asterisk, and not even answered.
    let answered = call.final_response(Duration::from_secs(2)).await;
    if answered != Some(486) {
        return None;
    }
    lab.phone.next_ring(Duration::from_secs(1)).await
}

by_every_way! {
    async fn at_the_phone_in_the_dialplan_and_in_the_log(way) {
        let turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan = DIALPLAN.replace("PHONE", &phone.uri()).replace("XXXX", &"x".repeat(4_000));
        let asterisk = way.asterisk(&dialplan);
        // All that could break a line is in it.
        let lab = Lab::configured(way, "", "[log]\nmask = false\n", turn, fjord(), asterisk, phone).await;

        let (mut names, mut numbers) = (0, 0);
        for text in hostile() {
            let what = String::from_utf8_lossy(&text).into_owned();
            let stranger = Invite::from("22999999").named(&text);
            if let Some(without) = without(&lab, stranger.clone().to("200")).await {
                names += 1;
                let (_, with) = lab.ring(stranger).await;
                assert_eq!(seen(&with), seen(&without), "{what:?}");
                let (_, known) = lab.ring(Invite::from("22334455").named(&text)).await;
                assert_eq!(known.name(), KARI, "{what:?}");
                assert!(known.message.header("X-Evil").is_none(), "{what:?}");
            }
            let stranger = Invite::from(escaped(&text)).named("OSLO");
            if let Some(without) = without(&lab, stranger.clone().to("200")).await {
                numbers += 1;
                let (_, with) = lab.ring(stranger).await;
                assert_eq!(seen(&with), seen(&without), "{what:?}");
            }
        }
        // What would tear an expression apart that has the number in it.
        let withheld = Invite { withheld: true, ..Invite::from(escaped(b"22334455):1")).named("OSLO") };
        let lookups = 2 * names + numbers;
        // A line may be written when the phone rings already.
        lab.nameplate.until_logged(" call ", lookups).await;
        let (_, with) = lab.ring(withheld.clone()).await;
        let (_, without) = lab.ring(withheld.to("200")).await;
        assert_eq!(seen(&with), seen(&without), "withheld");

        let (_, known) = lab.ring(Invite::from("22334455").to("101")).await;
        assert_eq!(known.name(), KARI, "8 KiB of name");
        let (_, with) = lab.ring(Invite::from("22334455").named("OSLO").to("102")).await;
        let (_, without) = lab.ring(Invite::from("22334455").named("OSLO").to("202")).await;
        assert_eq!(seen(&with), seen(&without), "8 KiB of number");

        assert!(names >= 40 && numbers >= 40, "{names} names and {numbers} numbers got through");
        noted(&lab.asterisk, " pwned=.", 2 * names + numbers + 3).await;
        noted(&lab.asterisk, "after FOUND ", names + 1).await;
        assert!(!lab.asterisk.dir().parent().is_some_and(|tmp| tmp.join("pwned").exists()));
        assert!(lab.phone.stray().is_empty());
        lab.nameplate.until_logged(" call ", lookups + 2).await;
        let log = lab.nameplate.log();
        // All but the withheld one.
        assert_eq!(log.matches(" call ").count(), lookups + 2, "{log}");
        for line in log.lines() {
            let begins = line.get(..5).is_some_and(|year| year.ends_with('-'));
            let levels = [" INFO ", " WARN ", " ERROR "].iter().filter(|level| line.contains(*level)).count();
            assert!(begins && levels == 1, "{line:?} of\n{log}");
        }
        assert_eq!(log.matches("status=Found").count(), names + 1, "{log}");
    }
}
