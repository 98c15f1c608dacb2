//! The page Status and `/readyz` show how the replicas' server is.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_status_shows_the_holder_the_versions_and_why_the_server_is_away() {
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    let holder = holder(&replicas).await;
    let name = redis.run::<String>(&["HGET", "{np:oslo}:lease", "by"]);
    for (place, replica) in replicas.iter().enumerate() {
        let asks = if place == holder { format!("{name}, this machine") } else { name.clone() };
        let page = web::until(replica.web, "/status", |page| page.body.contains("1.1 here, 1.1 there")).await;
        for shown in ["<h2 id=\"replicas\">Replicas</h2>", "<h3>oslo</h3>", "their server answers", &asks] {
            assert!(page.body.contains(shown), "{shown}: {}", page.body);
        }
        assert!(!page.body.contains("their server can’t be used"), "{}", page.body);
    }
    let in_norwegian = web::get(replicas[0].web, "/status", "Accept-Language: nb\r\n").body;
    assert!(
        in_norwegian.contains("Replikaer") && in_norwegian.contains("1.1 her, 1.1 der"),
        "{in_norwegian}"
    );

    redis.kill();
    for replica in &replicas {
        let down = "can’t be used";
        let page = web::until(replica.web, "/status", |page| page.body.contains(down)).await;
        for shown in ["Replicas: their server can’t be used", "can&#39;t talk to it: ", "1.1 here, – there"]
        {
            assert!(page.body.contains(shown), "{shown}: {}", page.body);
        }
        let ready = web::get(replica.web, "/readyz", "");
        assert_eq!(ready.status, 200);
        let said = "the replicas' server can't be used, the lists in use stay: can't talk to it";
        assert!(ready.body.contains(said), "{}", ready.body);
    }
}
