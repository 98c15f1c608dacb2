//! The server of the replicas: a real Redis, with all that may be wrong with it.

use nameplate::secret::Secret;
use nameplate::share::connector::Connector;
use nameplate::share::life::Sign;
use nameplate::share::seal::Key;
use nameplate::share::version::ReplicaId;

use super::*;
use crate::lab::redis::{Engine, PASSWORD, Redis, Watched};
use crate::lab::web;

const SITE: &str = "oslo";
const PLACE: &str = "[share]";

/// A replica that asks this CRM, with the server at `url` and these further lines in `[share]`.
fn replica(crm: &StandIn, url: &str, lines: &str) -> Folder {
    let source = superoffice(&onsite(&crm.api_url()).replace("refresh = \"1s\"", "refresh = \"1h\""));
    let at = if lines.contains("sentinels = ") { String::new() } else { format!("url = \"{url}\"\n") };
    let folder = crm_folder(&format!(
        "{source}[web]\nlisten = \"127.0.0.1:0\"\n[share]\n{at}username = \"nameplate\"\npassword_file = \"share.password\"\n\
         key_file = \"share.key\"\nsite = \"{SITE}\"\n{lines}\n"
    ));
    folder.write("share.password", PASSWORD);
    folder.write("share.key", "07".repeat(32));
    for secret in ["superoffice.password", "share.password", "share.key"] {
        fs::set_permissions(folder.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

async fn crm() -> StandIn {
    StandIn::start(fjord()).await.expect("the stand-in")
}

/// What the finding of this level says mends it.
fn remedy(found: &Found, level: &str, what: &str) -> String {
    let lines = found.all();
    let findings = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut fitting = findings
        .filter(|finding| finding["level"] == level && finding["what"].as_str().unwrap().contains(what));
    fitting.next().unwrap_or_else(|| panic!("{lines}"))["remedy"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_the_holder_and_the_lists_are_said_and_no_key_is_left() {
    all_is_well(Engine::Redis, "Redis 7.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_with_a_valkey_it_is_named() {
    all_is_well(Engine::Valkey, "Valkey 8.").await;
}

async fn all_is_well(engine: Engine, product: &str) {
    let (redis, crm) = (tokio::task::block_in_place(|| Redis::start_of(engine, SITE)), crm().await);
    let folder = replica(&crm, &redis.url(), "");
    let found = check(&folder);
    found.has("ok", PLACE, product);
    found.has("ok", "[share] list crm", "no replica has published it yet");
    found.has("ok", PLACE, "nobody asks SuperOffice for the site oslo yet");
    assert_eq!(redis.keys("*"), [""; 0]);
    let running = folder.serve();
    running.until_logged("the list is published for all replicas", 1).await;
    let found = check(&replica(&crm, &redis.url(), ""));
    for (place, what) in [
        (PLACE, "answers, and nameplate may do what is needed"),
        ("[share]: password", "in "),
        ("[share]: key", "in "),
        ("[share] list crm", "version 1.1 by "),
        (PLACE, " asks SuperOffice for the site oslo"),
        (PLACE, "it throws nothing away (maxmemory-policy noeviction)"),
        (PLACE, "the lists there take 1 MB, and maxmemory sets no limit"),
    ] {
        found.has("ok", place, what);
    }
    assert_eq!((found.count("warning"), found.count("error")), (0, 0), "{}", found.all());
    assert_eq!(redis.keys("*check*"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_is_an_error_with_its_reason() {
    let (mut redis, crm) = (Redis::start(SITE), crm().await);
    let folder = replica(&crm, &redis.url(), "");
    folder.write("share.password", "wrong");
    let found = check(&folder);
    found.has("error", PLACE, "it refuses `username` or `password`");
    assert_eq!(found.status(), Some(1));
    let config = fs::read_to_string(folder.path("nameplate.toml")).unwrap();
    let without = config.replace("username = \"nameplate\"\npassword_file = \"share.password\"\n", "");
    folder.write("nameplate.toml", without);
    check(&folder).has("error", PLACE, "it wants a `password`");
    folder.write("share.key", "short");
    check(&folder).has("error", "[share]: key", "`key` is no key: allowed are 32 bytes");

    let folder = replica(&crm, &redis.url(), "");
    redis.signal("STOP");
    check(&folder).has("error", PLACE, "it does not answer in time");
    redis.signal("CONT");
    redis.kill();
    check(&folder).has("error", PLACE, "can't talk to it: Connection refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_that_widens_the_acl_is_shown_and_does_it() {
    let (redis, crm) = (Redis::start(SITE), crm().await);
    let folder = replica(&crm, &redis.url(), "");
    for (narrow, lacks) in [
        (&["-xadd", "-evalsha"][..], "it may not run XADD, EVALSHA"),
        (&["-info"], "it may not run INFO"),
        (&["resetkeys", "~other:*"], "it has no right to the keys {np:oslo}:*"),
        (&["-@all"], "it may not run SET, "),
    ] {
        redis.run::<()>(&[&["ACL", "SETUSER", "nameplate"], narrow].concat());
        let found = check(&folder);
        found.has("error", PLACE, "the ACL of nameplate is too narrow: ");
        found.has("error", PLACE, lacks);
        let line = remedy(&found, "error", "too narrow");
        assert!(line.starts_with("ACL SETUSER nameplate ~{np:oslo}:* resetchannels -@all +@read"), "{line}");
        redis.run::<()>(&line.split(' ').collect::<Vec<_>>());
        let found = check(&folder);
        found.has("ok", PLACE, "nameplate may do what is needed");
        assert_eq!(found.count("error"), 0, "{}", found.all());
    }
    assert_eq!(redis.keys("*"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn little_room_and_lists_that_are_thrown_away_are_warnings() {
    let (redis, crm) = (Redis::start(SITE), crm().await);
    let folder = replica(&crm, &redis.url(), "");
    redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let found = check(&folder);
    found.has("warning", PLACE, "maxmemory-policy is volatile-lru");
    assert_eq!(found.status(), Some(0), "{}", found.all());
    redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "3mb"]);
    let found = check(&folder);
    found.has("warning", PLACE, "the lists there take 0 MB, and only ");
    let wide = remedy(&found, "warning", "and only ");
    let wide: Vec<_> = wide.split(',').next().unwrap().split(' ').collect();
    redis.run::<()>(&wide);
    check(&folder).has("ok", PLACE, "the lists there take 0 MB, and ");
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    check(&folder).has("error", PLACE, "its memory is full");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_sentinels_are_looked_at() {
    let watched = tokio::task::block_in_place(|| Watched::start(Engine::Redis, SITE));
    let crm = crm().await;
    let (master, copy) = (&watched.servers[0], &watched.servers[1]);
    let section = watched.section();
    let away = format!("redis://127.0.0.1:{}", free_tcp_port());
    let with_away = section.replace("sentinels = [", &format!("sentinels = [\"{away}\", "));
    let found = check(&replica(&crm, "", &with_away));
    let sentinel = |url: &str| format!("[share] sentinel {url}");
    let urls: Vec<_> = section.split('"').filter(|text| text.starts_with("redis://")).collect();
    assert_eq!(urls.len(), 3);
    for url in &urls {
        found.has("ok", &sentinel(url), &format!("it knows names, at 127.0.0.1:{}", master.port()));
    }
    found.has("warning", &sentinel(&away), "can't talk to it: Connection refused");
    found.has("ok", "[share] names", "nameplate may do what is needed");
    found.has(
        "warning",
        "[share] names",
        "copies: 2, and min-replicas-to-write or min-replicas-max-lag is 0",
    );
    assert_eq!(found.status(), Some(0), "{}", found.all());
    watched.want_copies();
    let found = check(&replica(&crm, "", &section));
    found.has("ok", "[share] names", "of its copies 2 of 2 follow, and it takes no writes without them");
    assert_eq!((found.count("warning"), found.count("error")), (0, 0), "{}", found.all());
    let found = check(&replica(&crm, "", &section.replace("\"names\"", "\"another\"")));
    found.has("warning", &sentinel(urls[0]), "it knows no server by the name another");
    found.has("error", "[share] another", "no sentinel knows a server by the name in `master`");
    // The copy itself.
    check(&replica(&crm, &copy.url(), "")).has("error", PLACE, "it takes no writes: it is a copy");
    master.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "3"]);
    check(&replica(&crm, "", &section)).has("error", "[share] names", "it has too few copies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_not_the_servers_is_a_warning() {
    let (redis, crm) = (Redis::start(SITE), crm().await);
    let behind = redis.url().trim_start_matches("redis://").parse().unwrap();
    let url = format!("redis://{}", another_date::of_redis(behind).await);
    let found = check(&replica(&crm, &url, ""));
    found.has("warning", PLACE, "the clock of this machine is ");
    found.has("warning", PLACE, "ahead of the server's");
    check(&replica(&crm, &redis.url(), "")).has("ok", PLACE, "nameplate may do what is needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_and_another_source_under_the_name_of_a_list_are_said() {
    let (redis, crm) = (Redis::start(SITE), crm().await);
    let running = replica(&crm, &redis.url(), "").serve();
    running.until_logged("the list is published for all replicas", 1).await;
    let folder = replica(&crm, &redis.url(), "");
    folder.write("share.key", "08".repeat(32));
    check(&folder).has("error", PLACE, "the other replicas of this site have another `key`");

    let elsewhere = self::crm().await;
    let found = check(&replica(&elsewhere, &redis.url(), ""));
    found.has("warning", "[share] list crm", " has published another list under this name");
    assert_eq!(found.status(), Some(0), "{}", found.all());
    // A list whose description was changed.
    web::address(&running).await;
    redis.run::<()>(&["HSET", "{np:oslo}:list:crm", "manifest", "damaged"]);
    let found = check(&replica(&crm, &redis.url(), ""));
    found.has("warning", "[share] list crm", "what the server has of it can't be opened");
    redis.run::<()>(&["HSET", "{np:oslo}:list:crm", "format", "99"]);
    let found = check(&replica(&crm, &redis.url(), ""));
    found.has("warning", "[share] list crm", "another version of nameplate has published it (format 99");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_other_versions_are_named() {
    let (redis, crm) = (Redis::start(SITE), crm().await);
    let running = replica(&crm, &redis.url(), "").serve();
    running.until_logged("the list is published for all replicas", 1).await;
    let begun = std::time::Instant::now();
    while redis.keys("{np:oslo}:replicas").is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", running.log());
    }
    let version = env!("CARGO_PKG_VERSION");
    let folder = replica(&crm, &redis.url(), "");
    check(&folder).has("ok", PLACE, &format!("replicas: 1, all with nameplate {version}"));
    let settings = redis.settings(SITE, Secret::Given("07".repeat(32).into()));
    let key = Key::read(&settings.key).unwrap();
    let mut server = Connector::new(settings).connect().await.unwrap();
    let sign = Sign { name: "pbx9".into(), nameplate: "9.9.9".into(), ..Sign::default() };
    server.live((&key, SITE), ReplicaId(9), &sign, None).await.unwrap();
    let found = check(&folder);
    let said = format!("replicas of other versions of nameplate, here it is {version}: pbx9 has 9.9.9");
    found.has("warning", PLACE, &said);
    assert_eq!(found.status(), Some(0), "{}", found.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_its_certificate_is_said() {
    const TRUSTING: &str = "ca_file = \"valkey.pem\"";
    const SHOWING: &str = "client_certificate = \"client.pem\"\nclient_key = \"client.pem\"";
    let crm = crm().await;
    let trusting = |certificate: &Certificate, url: &str, lines: &str| {
        let folder = replica(&crm, url, lines);
        folder.write("valkey.pem", &certificate.authority);
        folder.write("client.pem", &certificate.with_key);
        fs::set_permissions(folder.path("client.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        folder
    };
    let both = format!("{TRUSTING}\n{SHOWING}");
    let other = Certificate::signed(30);
    for certificate in [Certificate::signed(30), Certificate::of_no_authority(30)] {
        let (_redis, url) =
            tokio::task::block_in_place(|| Redis::with_tls(Engine::Redis, SITE, &certificate));
        let found = check(&trusting(&certificate, &url, &both));
        found.has("ok", PLACE, "nameplate may do what is needed");
        assert_eq!((found.count("warning"), found.count("error")), (0, 0), "{}", found.all());
        let found = check(&trusting(&certificate, &url, SHOWING));
        found.has("error", PLACE, "TLS: no trusted authority has signed the server's certificate: give");
        check(&trusting(&other, &url, TRUSTING)).has("error", PLACE, "TLS: ");
        check(&trusting(&certificate, &url, TRUSTING)).has("error", PLACE, "");
    }
    let redis = Redis::start(SITE);
    let folder = trusting(&other, &redis.url().replace("redis:", "rediss:"), TRUSTING);
    let found = check(&folder);
    // It waits for the end of a line.
    found.has("error", PLACE, "it does not answer in time");
    assert!(remedy(&found, "error", "in time").contains("speaks TLS"));
    let expired = Certificate::signed(0);
    let (_redis, url) = tokio::task::block_in_place(|| Redis::with_tls(Engine::Redis, SITE, &expired));
    check(&trusting(&expired, &url, &both)).has(
        "error",
        PLACE,
        "TLS: the server's certificate expired on 20",
    );
    // Marked as an authority's, as `openssl req -x509` makes them.
    let own = Certificate::self_signed(30);
    let (_redis, url) = tokio::task::block_in_place(|| Redis::with_tls(Engine::Redis, SITE, &own));
    for lines in [SHOWING, &both] {
        let found = check(&trusting(&own, &url, lines));
        found.has(
            "error",
            PLACE,
            "TLS: the server's certificate is signed by itself and marked as an authority's",
        );
        assert!(remedy(&found, "error", "signed by itself").contains("basicConstraints=CA:FALSE"));
    }
}
