//! The promises hold wherever the dialplan calls it from: for a caller in `Queue()` and `FollowMe()`, through `Local/`
//! channels, in nested `Gosub()`s, and for legs of such calls that look the caller up themselves.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// How much longer a lookup may take than the wait beside it: on 16 an answer by ARI takes up to 200 ms. A bound that does not
/// hold would take half a second more.
const MORE: Duration = Duration::from_millis(400);

/// Where a caller looks up, and where a leg of the call does; 107 is three Gosubs deep, 108 looks up on both legs.
const DIALPLAN: &str = "
[from-trunk]
exten => 101,1,Gosub(looked-up,s,1)
 same => n,Queue(phones${CALLERID(num)})
exten => 102,1,Queue(locals${CALLERID(num)})
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
 same => n,Queue(locals${CALLERID(num)})

[members]
exten => 200,1,Gosub(looked-up,s,1)
 same => n,Dial(PJSIP/operator/PHONE,30)
exten => 201,1,Dial(PJSIP/operator/PHONE,30)

[looked-up]
exten => s,1,GotoIf($[\"${CALLERID(num)}\"=\"22000000\"]?without-us)
 same => n,Gosub(nameplate,lookup,1)
 same => n,Log(NOTICE,after ${NAMEPLATE_STATUS} original=${NAMEPLATE_ORIGINAL_NAME} limit=${TIMEOUT(absolute)}.)
 same => n,Return()
 same => n(without-us),Wait(${CALLERID(name)})
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

/// How many lookups a call to each extension makes.
const PLACES: [(&str, u32); 8] =
    [("101", 1), ("102", 1), ("103", 1), ("104", 1), ("105", 1), ("106", 1), ("107", 1), ("108", 2)];

/// Calls each extension; `name` is what its phone shows, `status` what each lookup says. A call beside it goes the same way and
/// waits, instead of the lookup, as many seconds as the lookup may take.
async fn calls(lab: &Lab, name: &str, status: &str, wait: &str) {
    let mut lookups = 0_u32;
    for (extension, each) in PLACES {
        let rings = lab.phone.rings();
        let invites = [Invite::from("22000000").named(wait), Invite::from("22334455").named("OSLO")];
        let calls = invites.map(|invite| lab.caller.invite(invite.to(extension)));
        let mut took = [Duration::ZERO; 2];
        for _ in &calls {
            let ring = lab.phone.next_ring(PATIENCE).await;
            let ring = ring.unwrap_or_else(|| panic!("{extension}, {status}:\n{}", lab.asterisk.log()));
            let is_ours = ring.number() == "22334455";
            assert_eq!(ring.name(), if is_ours { name } else { wait }, "{extension}, {status}");
            took[usize::from(is_ours)] = ring.received.duration_since(calls[usize::from(is_ours)].sent());
        }
        let [without_us, with_us] = took;
        let most = without_us + MORE * each;
        assert!(
            with_us < most,
            "{extension}, {status}: it rang after {with_us:?}, {without_us:?} without us"
        );
        drop(calls);
        lab.asterisk.wait_idle();
        assert_eq!(lab.phone.rings(), rings + 2, "{extension}, {status}");
        lookups += each;
    }
    noted(&lab.asterisk, &format!("after {status} original=OSLO limit=0."), lookups as usize).await;
}

by_every_way! {
    async fn from_queues_followme_local_channels_and_gosubs(way) {
        let turn = Turn::beside().await;
        // It rings until the caller hangs up, or a queue would try again.
        let phone = Phone::bind(Behaviour::Ring180).await.expect("a phone");
        // A queue with one member rings for one caller at a time, so the call without us has its own.
        let queues = ["22334455", "22000000"].map(|caller| {
            let member = format!("PJSIP/operator/{},0,phone,Local/201@members", phone.uri());
            format!(
                "[phones{caller}]\nringinuse = yes\nmember => {member}\n\
                 [locals{caller}]\nringinuse = yes\nmember => Local/200@members/n\n"
            )
        });
        let queues = queues.concat();
        let followme = "[phones]\ncontext => members\nnumber => 201,30\n[locals]\ncontext => members\nnumber => 200,30\n";
        let setup = Setup {
            extra_conf: &[("queues.conf", &queues), ("followme.conf", followme)],
            ..Setup::default()
        };
        let asterisk = way.asterisk_with(&Setup { dialplan: &DIALPLAN.replace("PHONE", &phone.uri()), ..setup });
        let mut lab = Lab::configured(way, "", "", turn, fjord(), asterisk, phone).await;

        calls(&lab, KARI, "FOUND", "0").await;
        for note in ["inner c inner.", "outer a b outer.", "back in 107"] {
            noted(&lab.asterisk, note, 2).await;
        }
        lab.nameplate.signal("STOP");
        calls(&lab, "OSLO", "TIMEOUT", "0.5").await;
        lab.nameplate.signal("KILL");
        lab.nameplate.ended().await;
        lab.asterisk.wait_without_apps();
        calls(&lab, "OSLO", "UNAVAILABLE", "0").await;
        // No argument of another Gosub was taken for a country.
        assert!(!lab.nameplate.log().contains("country"), "{}", lab.nameplate.log());
    }
}
