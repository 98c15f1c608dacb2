//! Whatever a record holds, nothing but text arrives at the phone, and a dialplan that reads the name again
//! behaves.

use crate::by_every_way;
use crate::lab::call::{Lab, PATIENCE, from_trunk, noted};
use crate::lab::sip::Invite;
use crate::lab::superoffice::Record;

/// What the CRM holds, and what the phone shows.
const NAMES: [(&str, &str); 14] = [
    (r#"Zoë "Zo" O'Brien"#, "Zoë 'Zo' O'Brien"),
    ("Nordmann, Kari & Co., (Nord)", "Nordmann, Kari & Co., (Nord)"),
    ("${SHELL(touch /tmp/pwned)}", "SHELL(touch /tmp/pwned)"),
    ("$[1+1] ${CHANNEL}", "1+1 CHANNEL"),
    ("A):Set(PWNED=yes", "A) Set(PWNED=yes"),
    ("A)?Set(PWNED=yes):Set(PWNED=no", "A)?Set(PWNED=yes) Set(PWNED=no"),
    ("---", "---"),
    ("=1:2:---", "=1 2 ---"),
    ("🦄 Ünicorn 👩‍👩‍👧", "🦄 Ünicorn 👩‍👩‍👧"),
    ("Жанна Иванова", "Жанна Иванова"),
    ("Kari\r\nX-Evil: yes\r\n\r\nbody", "Kari X-Evil yes body"),
    ("Kari\u{202e}nimdA", "KarinimdA"),
    ("\" <sip:evil@127.0.0.1>;x=\"", "' (sip evil@127.0.0.1) x='"),
    ("Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø", "Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø Ærø…"),
];

fn number(place: usize) -> u64 {
    22_100_000 + place as u64
}

fn records() -> Vec<Record> {
    let record = |(place, (name, _)): (usize, &(&str, &str))| {
        Record::person(47, number(place), (i32::try_from(place).unwrap() + 1, name), (0, ""))
    };
    NAMES.iter().enumerate().map(record).collect()
}

/// Every control character, 8 KiB, and what could be a command or an event: what the CRM holds, and what the phone shows.
fn further() -> Vec<(String, String)> {
    let control =
        (0_u8..32).chain(127..160).map(|byte| (format!("Kari{}Nordmann", char::from(byte)), "Kari Nordmann"));
    let others = [
        ("x".repeat(8 * 1024), format!("{}…", "x".repeat(53))),
        (
            "SET VARIABLE CALLERID(name) \"PWNED\"\nHANGUP".into(),
            "SET VARIABLE CALLERID(name) 'PWNED' HANGUP".into(),
        ),
        ("200 result=1\nagi_callerid: 22334400".into(), "200 result=1 agi_callerid 22334400".into()),
        (r#""},"caller":{"number":"1"#.into(), "'},'caller' {'number' '1".replace(['{', '}'], "")),
    ];
    control.map(|(dirty, clean)| (dirty, clean.to_owned())).chain(others).collect()
}

by_every_way! {
    async fn however_a_record_is_written(way) {
        let names = further();
        let records = names.iter().enumerate().map(|(place, (name, _))| {
            Record::person(47, number(place), (i32::try_from(place).unwrap() + 1, name), (0, ""))
        });
        let lab = Lab::start_by(way, records.collect()).await;
        for (place, (dirty, clean)) in names.iter().enumerate() {
            let (_, ring) = lab.ring(Invite::from(number(place).to_string())).await;
            assert_eq!(ring.name(), *clean, "{dirty:?}");
        }
        assert!(lab.phone.stray().is_empty());
        let log = lab.nameplate.log();
        assert!(log.lines().all(|line| line.get(..5).is_some_and(|year| year.ends_with('-'))), "{log}");
    }
}

by_every_way! {
    async fn as_text_and_nothing_else(way) {
        let lab = Lab::start_by(way, records()).await;
        for (place, (dirty, clean)) in NAMES.iter().enumerate() {
            let (_, ring) = lab.ring(Invite::from(number(place).to_string())).await;
            assert_eq!(ring.name(), *clean, "{dirty:?}");
            assert!(ring.message.header("X-Evil").is_none(), "{dirty:?}");
        }
        assert!(lab.phone.stray().is_empty());
    }
}

/// FreePBX's own, and the prefix that many dialplans put in front.
const IDIOMS: &str = "Gosub(nameplate,lookup,1)
    ExecIf($[\"${CALLERID(name)}\" = \"\"]?Set(CALLERID(name)=${CALLERID(num)}))
    ExecIf($[\"${CALLERID(num)}\" != \"\"]?Set(CALLERID(name)=VIP ${CALLERID(name)}))
    Log(NOTICE,pwned=${PWNED}.)";

by_every_way! {
    async fn other_peoples_dialplans_behave(way) {
        let lab = Lab::with_dialplan_by(way, records(), |phone| from_trunk(IDIOMS, phone)).await;
        for (place, (dirty, clean)) in NAMES.iter().enumerate() {
            let (call, ring) = lab.ring(Invite::from(number(place).to_string())).await;
            assert_eq!(ring.name(), format!("VIP {clean}"), "{dirty:?}");
            assert!(call.ended(PATIENCE).await.is_some());
        }
        noted(&lab.asterisk, "pwned=.", NAMES.len()).await;
    }
}
