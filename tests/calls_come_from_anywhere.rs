//! The promises hold wherever the dialplan calls it from: for a caller in `Queue()` and `FollowMe()`, through `Local/`
//! channels, in nested `Gosub()`s, and for legs of such calls that look the caller up themselves.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, Turn, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// Where a caller looks up, and where a leg of the call does; 107 is three Gosubs deep, 108 looks up on both legs.
const DIALPLAN: &str = "
[from-trunk]
exten => 101,1,Gosub(looked-up,s,1)
 same => n,Queue(phones)
exten => 102,1,Queue(locals)
exten => 103,1,Gosub(looked-up,s,1)
 same => n,FollowMe(phones,d)
exten => 104,1,FollowMe(locals,d)
exten => 105,1,Gosub(looked-up,s,1)
 same => n,Dial(Local/201@members/n,30)
exten => 106,1,Dial(Local/200@members,30)
exten => 107,1,Gosub(outer,s,1(a,b))
 same => n,Log(NOTICE,back in ${EXTEN})
 same => n,Dial(PJSIP/operator/PHONE,30)
exten => 108,1,Gosub(looked-up,s,1)
 same => n,Queue(locals)

[members]
exten => 200,1,Gosub(looked-up,s,1)
 same => n,Dial(PJSIP/operator/PHONE,30)
exten => 201,1,Dial(PJSIP/operator/PHONE,30)

[looked-up]
exten => s,1,Gosub(nameplate,lookup,1)
 same => n,Log(NOTICE,after ${NAMEPLATE_STATUS} original=${NAMEPLATE_ORIGINAL_NAME} limit=${TIMEOUT(absolute)}.)
 same => n,Return()

[outer]
exten => s,1,Set(LOCAL(MINE)=outer)
 same => n,Gosub(inner,s,1(c))
 same => n,Log(NOTICE,outer ${ARG1} ${ARG2} ${MINE}.)
 same => n,Return()

[inner]
exten => s,1,Set(LOCAL(MINE)=inner)
 same => n,Gosub(looked-up,s,1)
 same => n,Log(NOTICE,inner ${ARG1} ${MINE}.)
 same => n,Return()
";

/// How many lookups a call to each extension makes, and how long it takes without any, in ms: `FollowMe()` answers, and waits half
/// a second for the caller's media.
const PLACES: [(&str, usize, u64); 8] = [
    ("101", 1, 0),
    ("102", 1, 0),
    ("103", 1, 700),
    ("104", 1, 700),
    ("105", 1, 0),
    ("106", 1, 0),
    ("107", 1, 0),
    ("108", 2, 0),
];

/// Calls each extension; `name` is what its phone shows, `status` what each lookup says within this time in ms.
async fn calls(lab: &Lab, name: &str, status: &str, within: u64) {
    let mut lookups = 0;
    for (extension, each, own) in PLACES {
        let rings = lab.phone.rings();
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO").to(extension)).await;
        assert_eq!(ring.name(), name, "{extension}, {status}");
        let took = ring.received.duration_since(call.sent());
        let most = Duration::from_millis(own + within * each as u64);
        assert!(took < most, "{extension}, {status}: it rang after {took:?}");
        drop(call);
        lab.asterisk.wait_idle();
        assert_eq!(lab.phone.rings(), rings + 1, "{extension}, {status}");
        lookups += each;
    }
    noted(&lab.asterisk, &format!("after {status} original=OSLO limit=0."), lookups).await;
}

by_every_way! {
    async fn from_queues_followme_local_channels_and_gosubs(way) {
        let turn = Turn::alone().await;
        // It rings until the caller hangs up, or a queue would try again.
        let phone = Phone::bind(Behaviour::Ring180).await.expect("a phone");
        let queues = format!(
            "[phones]\nringinuse = yes\nmember => PJSIP/operator/{},0,phone,Local/201@members\n[locals]\nringinuse = yes\nmember => Local/200@members/n\n",
            phone.uri()
        );
        let followme = "[phones]\ncontext => members\nnumber => 201,30\n[locals]\ncontext => members\nnumber => 200,30\n";
        let setup = Setup {
            extra_conf: &[("queues.conf", &queues), ("followme.conf", followme)],
            verbose: false,
            ..Setup::default()
        };
        let asterisk = way.asterisk_with(&Setup { dialplan: &DIALPLAN.replace("PHONE", &phone.uri()), ..setup });
        let mut lab = Lab::configured(way, "", "", turn, fjord(), asterisk, phone).await;

        calls(&lab, KARI, "FOUND", 600).await;
        for note in ["inner c inner.", "outer a b outer.", "back in 107"] {
            noted(&lab.asterisk, note, 1).await;
        }
        lab.nameplate.signal("STOP");
        calls(&lab, "OSLO", "TIMEOUT", 900).await;
        lab.nameplate.signal("KILL");
        lab.nameplate.ended().await;
        calls(&lab, "OSLO", "UNAVAILABLE", 450).await;
        // No argument of another Gosub was taken for a country.
        assert!(!lab.nameplate.log().contains("country"), "{}", lab.nameplate.log());
    }
}
