//! A PBX whose host vanishes, without a word on the network, is noticed within 10 s, and served again when it is back.
//! Its calls do not wait for that: the dialplan's bound holds.

use std::time::{Duration, Instant};

use crate::by_every_way_of_ari;
use crate::lab::call::{Turn, from_trunk, noted, ring};
use crate::lab::configuration::csv_folder;
use crate::lab::network::Network;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

by_every_way_of_ari! {
    async fn within_ten_seconds(way) {
        let _turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan =
            from_trunk("Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS})", &phone.uri());
        let asterisk = way.asterisk(&dialplan);
        let mut network = Network::new();
        let ari = network.relay(asterisk.http()).await;
        let pbx = format!(
            "[[asterisk]]\nname = \"pbx1\"\nurl = \"http://{ari}\"\nusername = \"nameplate\"\npassword = \"{}\"\n",
            asterisk.ari_password()
        );
        let nameplate = csv_folder(&pbx, "").serve_in(&network);
        way.until_ready(&nameplate).await;
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let called = || ring(&caller, &phone, Invite::from("22334455").named("OSLO"), || asterisk.log());
        assert_eq!(called().await.1.name(), KARI);

        network.cut();
        let cut = Instant::now();
        // Asterisk has not noticed either: the call enters the application, and the dialplan takes it out.
        assert_eq!(called().await.1.name(), "OSLO");
        noted(&asterisk, "after TIMEOUT", 1).await;
        nameplate.until_logged("not connected: nothing heard for", 1).await;
        let took = cut.elapsed();
        assert!(took < Duration::from_secs(10), "noticed after {took:?}");
        // It is tried again, and again in vain.
        nameplate.until_logged("not connected:", 2).await;

        network.mend();
        nameplate.until_logged("connected; answers go over", 2).await;
        assert_eq!(called().await.1.name(), KARI);
        let log = nameplate.log();
        assert!(!log.contains("ERROR"), "{log}");
        asterisk.wait_idle();
    }
}
