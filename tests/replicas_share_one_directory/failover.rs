//! Another server takes the place of the one that is gone, as sentinels see to it.

use super::*;
use crate::lab::certificate::Certificate;
use crate::lab::redis::{Engine, Watched};

/// Two replicas that ask the sentinels.
async fn watched_replicas(
    watched: &Watched,
    crm: &StandIn,
    certificate: Option<&Certificate>,
) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let folder = configured(crm, &watched.servers[0], "2s");
        let config = std::fs::read_to_string(folder.path("nameplate.toml")).unwrap();
        let at = format!("url = \"{}\"", watched.servers[0].url());
        let mut section = watched.section();
        if let Some(certificate) = certificate {
            section += "\nca_file = \"valkey.pem\"\nclient_certificate = \"client.pem\"\nclient_key = \"client.pem\"";
            folder.write("valkey.pem", &certificate.authority);
            folder.write("client.pem", &certificate.with_key);
        }
        folder.write("nameplate.toml", config.replace(&at, &section));
        replicas.push(Replica::start(folder).await);
    }
    for replica in &replicas {
        replica.until_named(KARI).await;
        replica.nameplate.until_logged("the replicas' server answers", 1).await;
    }
    replicas
}

async fn promise(engine: Engine, certificate: Option<Certificate>) {
    let certificate = certificate.as_ref();
    let mut watched = tokio::task::block_in_place(|| Watched::start_with(engine, SITE, certificate));
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let replicas = watched_replicas(&watched, &crm, certificate).await;
    holder(&replicas).await;
    watched.servers[0].kill();
    for replica in &replicas {
        replica.nameplate.until_logged("the replicas' server can't be used", 1).await;
        assert_eq!(replica.name(), KARI);
        replica.nameplate.until_logged("the replicas' server answers", 2).await;
    }
    let master = tokio::task::block_in_place(|| watched.until_another(0));
    crm.set_records(married());
    for replica in &replicas {
        replica.until_named(MARRIED).await;
    }
    let holder = holder(&replicas).await;
    replicas[holder].nameplate.until_logged("the list is published for all replicas", 1).await;
    assert!(watched.servers[master].keys("{np:oslo}:*").contains(&"{np:oslo}:list:crm".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_costs_no_name_and_lists_go_on() {
    promise(Engine::Redis, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_tls() {
    promise(Engine::Redis, Some(Certificate::signed(30))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_valkey() {
    promise(Engine::Valkey, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_valkey_and_tls() {
    promise(Engine::Valkey, Some(Certificate::signed(30))).await;
}
