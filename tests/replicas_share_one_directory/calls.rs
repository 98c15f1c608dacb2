//! Real calls, while the Redis hangs, and is gone.

use super::*;
use crate::lab::asterisk::Setup;
use crate::lab::call::ring;
use crate::lab::configuration::folder;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::way::Way;

#[tokio::test(flavor = "multi_thread")]
async fn calls_have_their_names_while_the_server_hangs_and_is_gone() {
    let _turn = Turn::beside().await;
    let way = Way::Websocket;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = from_trunk("Gosub(nameplate,lookup,1)", &phone.uri());
    let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, ..Setup::default() });
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    let name = async || {
        let call = ring(&caller, &phone, Invite::from("22334455"), || asterisk.log()).await;
        call.1.name().to_owned()
    };

    let on_pbx = folder(&crm, &asterisk);
    let config = crate::lab::configuration::config(&crm.api_url(), &asterisk.http_url());
    on_pbx.configure(&format!("{config}\n[web]\nlisten = \"127.0.0.1:0\"\n{}", share(&redis)));
    secrets(&on_pbx);
    let on_pbx = Replica::start(on_pbx).await;
    on_pbx.nameplate.until_ready().await;
    let beside = Replica::start(configured(&crm, &redis, "1s")).await;
    beside.until_named(KARI).await;
    assert_eq!(name().await, KARI);

    redis.signal("STOP");
    assert_eq!(name().await, KARI);
    on_pbx.nameplate.until_logged("the replicas' server can't be used: it does not answer in time", 1).await;
    assert_eq!((name().await.as_str(), on_pbx.metric("up")), (KARI, 0.0));
    // After twice the interval each one asks by itself.
    crm.set_records(married());
    on_pbx.until_named(MARRIED).await;
    beside.until_named(MARRIED).await;
    assert_eq!(name().await, MARRIED);

    redis.kill();
    assert_eq!(name().await, MARRIED);
    redis.again();
    on_pbx.nameplate.until_logged("the replicas' server answers", 2).await;
    beside.nameplate.until_logged("the replicas' server answers", 2).await;
    // One asks again, and the other has its list.
    crm.set_records(fjord());
    on_pbx.until_named(KARI).await;
    beside.until_named(KARI).await;
    assert_eq!(name().await, KARI);
    assert!(on_pbx.is_holder() != beside.is_holder());
}
