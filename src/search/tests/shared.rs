//! Results of the other replicas, on paused time.

use super::*;
use crate::share::searches::Searched;

const PER: u64 = 22_544_545;
const REQUEST: u64 = 9;

struct Sharing {
    replica: Arc<Replica>,
    searches: Searches,
    source: Scripted,
    _folder: tempfile::TempDir,
}

impl Sharing {
    fn start(source: Scripted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::without_a_server(folder.path());
        let rest = Duration::from_mins(1);
        let (search, worker) = pair("crm".into(), source.clone(), rest, metrics::Search::default());
        let shared = Shared { replica: Arc::clone(&replica), request: REQUEST };
        let worker = worker.sharing(Some(shared));
        tokio::spawn(worker.take());
        tokio::spawn(worker.run());
        Self { replica, searches: Searches { sources: [search].into() }, source, _folder: folder }
    }

    /// Another replica has searched.
    async fn hear(&self, request: u64, national: u64, entries: Vec<Entry>, life: Duration) {
        let number = Number::new(47, national).unwrap();
        let until = Instant::now() + life;
        self.replica.exchange.hear(Searched { request, number, entries, until });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn known(&self, digits: &str) -> Option<String> {
        known(&self.searches, digits)
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_has_found_or_has_not_is_known_for_what_is_left_of_its_hour() {
    let sharing = Sharing::start(Scripted::default());
    let half = CACHED_FOR / 2;
    sharing.hear(REQUEST, PER, vec![person(PER, 7, "Per Strand")], half).await;
    sharing.hear(REQUEST, 22_999_999, Vec::new(), half).await;
    assert_eq!(sharing.known("22544545").as_deref(), Some("Per Strand"));
    assert_eq!(sharing.known("22999999"), None);
    a_minute().await;
    assert_eq!(sharing.source.asked(), [""; 0]);
    tokio::time::sleep(half).await;
    assert_eq!((sharing.known("22544545"), sharing.known("22999999")), (None, None));
    a_minute().await;
    assert_eq!(sharing.source.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_result_of_another_request_and_one_beside_an_own_one_are_left_alone() {
    let source = Scripted { entries: vec![person(PER, 7, "Per Strand")], ..Scripted::default() };
    let sharing = Sharing::start(source);
    sharing.hear(REQUEST + 1, PER, vec![person(PER, 8, "Eva Berg")], CACHED_FOR).await;
    assert_eq!(sharing.known("22544545"), None);
    a_minute().await;
    for entries in [vec![person(PER, 8, "Eva Berg")], Vec::new()] {
        sharing.hear(REQUEST, PER, entries, CACHED_FOR).await;
        assert_eq!(sharing.known("22544545").as_deref(), Some("Per Strand"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_the_queue_is_not_searched_for_when_another_replica_has() {
    let sharing = Sharing::start(Scripted { delay: Duration::from_secs(10), ..Scripted::default() });
    assert_eq!((sharing.known("22999999"), sharing.known("22544545")), (None, None));
    // That nobody has this number says nothing of other readings of the digits.
    sharing.hear(REQUEST, PER, Vec::new(), CACHED_FOR).await;
    sharing.hear(REQUEST, PER, vec![person(PER, 7, "Per Strand")], CACHED_FOR).await;
    assert_eq!(sharing.known("22544545").as_deref(), Some("Per Strand"));
    a_minute().await;
    assert_eq!(sharing.source.asked(), ["22999999", "4722999999"]);
}
