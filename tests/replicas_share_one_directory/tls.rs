//! The Redis speaks TLS, and wants a certificate of its clients.

use super::*;
use crate::lab::certificate::Certificate;
use crate::lab::redis::Engine;

/// A replica with these further lines in `[share]`.
fn folder(crm: &StandIn, redis: &Redis, url: &str, lines: &str, certificate: &Certificate) -> Folder {
    let folder = configured(crm, redis, "1h");
    let config = std::fs::read_to_string(folder.path("nameplate.toml")).unwrap();
    let at = format!("url = \"{}\"", redis.url());
    folder.write("nameplate.toml", config.replace(&at, &format!("url = \"{url}\"\n{lines}")));
    folder.write("valkey.pem", &certificate.authority);
    folder.write("client.pem", &certificate.with_key);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_shared_over_tls_and_no_certificate_is_trusted_blindly() {
    promise(Engine::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_valkey() {
    promise(Engine::Valkey).await;
}

async fn promise(engine: Engine) {
    let certificate = Certificate::signed(30);
    let (redis, url) = tokio::task::block_in_place(|| Redis::with_tls(engine, SITE, &certificate));
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let lines = "ca_file = \"valkey.pem\"\nclient_certificate = \"client.pem\"\nclient_key = \"client.pem\"";
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let replica = Replica::start(folder(&crm, &redis, &url, lines, &certificate)).await;
        replica.until_named(KARI).await;
        assert!(replica.metric("up") > 0.0);
        replicas.push(replica);
    }
    assert_eq!(crm.count(), 1);

    for (without, said) in [
        (
            "ca_file = \"valkey.pem\"\n",
            "the replicas' server can't be used: TLS: no trusted authority has signed",
        ),
        (
            "client_certificate = \"client.pem\"\nclient_key = \"client.pem\"",
            "the replicas' server can't be used: ",
        ),
    ] {
        let lines = lines.replace(without, "");
        let replica = Replica::start(folder(&crm, &redis, &url, &lines, &certificate)).await;
        replica.nameplate.until_logged(said, 1).await;
        assert!(replica.metric("up") < 1.0);
    }
}
