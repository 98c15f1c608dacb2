//! With the service absent, stopped or restarted, calls ring at once; when it is back, they have names again.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::call::{Lab, Turn, fjord, from_trunk, noted};
use crate::lab::comparison::{AT_ONCE, Comparison, PAIRS};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};

const NOTED: &str = "Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS})";

/// Far below the dialplan's bound.
const AT_MOST: Duration = Duration::from_millis(200);

fn kari() -> Invite {
    Invite::from("22334455").named("OSLO")
}

by_every_way! {
    async fn nobody_has_ever_connected(way) {
        let _turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let asterisk = way.asterisk(&from_trunk(NOTED, &phone.uri()));
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let comparison = Comparison::of(&caller, &phone, &kari(), AT_ONCE, || asterisk.log()).await;
        comparison.assert("OSLO", AT_MOST);
        noted(&asterisk, "after UNAVAILABLE", PAIRS).await;
    }
}

by_every_way! {
    async fn stopped_and_started_again(way) {
        let mut lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk(NOTED, phone)).await;
        lab.nameplate.signal("TERM");
        assert!(lab.nameplate.ended().await.success(), "{}", lab.nameplate.log());
        lab.asterisk.wait_without_apps();
        lab.compare(&kari(), AT_ONCE).await.assert("OSLO", AT_MOST);
        noted(&lab.asterisk, "after UNAVAILABLE", PAIRS).await;

        lab.start_again().await;
        let (_, ring) = lab.ring(kari()).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
    }
}

by_every_way! {
    async fn killed(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk(NOTED, phone)).await;
        lab.nameplate.signal("KILL");
        lab.asterisk.wait_without_apps();
        lab.compare(&kari(), AT_ONCE).await.assert("OSLO", AT_MOST);
        lab.asterisk.wait_idle();
    }
}
