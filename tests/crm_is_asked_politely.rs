//! SuperOffice is asked no more often than it allows, left alone when it asks for it, and never waited for
//! without an end; what it sends may be compressed, and not of any size.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::process::Output;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::lab::call::fjord;
use crate::lab::configuration::{crm_alone, crm_folder, further, onsite, superoffice_alone};
use crate::lab::machine::is_root;
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::superoffice::{Credential, Fault, Record, Request, StandIn};

const SECOND: Duration = Duration::from_secs(1);

async fn crm() -> StandIn {
    StandIn::start(fjord()).await.expect("the stand-in")
}

/// A folder for this CRM, with more lines in its source.
fn folder(crm: &StandIn, lines: &str) -> Folder {
    crm_folder(&crm_alone(crm).replace("refresh = \"1s\"", &format!("refresh = \"1s\"\n{lines}")))
}

async fn serve(crm: &StandIn, lines: &str) -> Nameplate {
    let nameplate = folder(crm, lines).serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

async fn lookup(folder: Folder, number: &'static str) -> (Output, String) {
    let output =
        tokio::task::spawn_blocking(move || folder.run(&["lookup", number])).await.expect("a lookup");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_selection_is_a_list_and_all_together_ask_ten_times_a_second() {
    let crm = crm().await;
    let ids: Vec<u64> = (201..=225).collect();
    for id in &ids {
        crm.set_selection(
            *id,
            vec![Record::person(47, 22_500_000 + id, (i32::try_from(*id).unwrap(), "Ola Hansen"), (0, ""))],
        );
    }
    let nameplate = serve(&crm, &format!("selections = {ids:?}")).await;
    nameplate.until_logged("list=crm-225", 1).await;
    crm.until_count(60, 20 * SECOND).await;
    let requests = crm.requests();
    assert!(requests.len() >= 60);
    ten_a_second(&requests);
    // Each asks with its own hash, and for its own selection.
    assert!(requests.iter().all(|request| request.path.ends_with("/GetCallerIDsFromSelection")));
    let of = |id: u64| requests.iter().filter(move |request| request.json()["SelectionId"] == id);
    for id in [201, 225] {
        let hashes: Vec<_> = of(id).map(|request| request.json()["LastHash"].clone()).collect();
        assert_eq!(hashes[0], "");
        assert!(hashes[1..].iter().all(|hash| *hash != ""), "{hashes:?}");
    }
    assert!(!nameplate.log().contains("refresh failed"), "{}", nameplate.log());
}

fn ten_a_second(requests: &[Request]) {
    for first in requests {
        let within = requests.iter().filter(|r| r.at >= first.at && r.at.duration_since(first.at) < SECOND);
        assert!(within.count() <= 10);
    }
}

/// Two sources of one host, each with its own credential and lists.
async fn two_sources(crm: &StandIn, lines: [&str; 2]) -> Nameplate {
    let config = crm_alone(crm).replace("refresh = \"1s\"", &format!("refresh = \"1s\"\n{}", lines[0]));
    let nameplate = crm_folder(&(config + &further("other", crm, lines[1]))).serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sources_of_one_host_share_its_ten_calls_a_second() {
    let crm = crm().await;
    let ids: Vec<u64> = (201..=215).collect();
    ids.iter().for_each(|id| crm.set_selection(*id, fjord()));
    let lines = format!("selections = {ids:?}");
    let nameplate = two_sources(&crm, [&lines, &lines]).await;
    nameplate.until_logged("list=crm-215", 1).await;
    nameplate.until_logged("list=other-215", 1).await;
    assert!(crm.until_count(60, 20 * SECOND).await);
    ten_a_second(&crm.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_one_source_for_patience_is_left_alone_by_the_other() {
    let crm = crm().await;
    let nameplate = two_sources(&crm, ["", "language = \"no\""]).await;
    nameplate.until_logged("new list", 2).await;
    crm.fail_next(1, Fault::retry_after(429, "4"));
    nameplate.until_logged("it answers 429", 1).await;
    nameplate.until_logged("it asked to be left alone", 1).await;
    nameplate.until_logged("answers again", 2).await;
    let requests = crm.requests();
    let failed = requests.iter().position(|r| r.answered.is_some_and(|(status, _)| status == 429)).unwrap();
    let (_, answered) = requests[failed].answered.unwrap();
    let languages = |request: &Request| request.header("Accept-Language").unwrap_or_default().to_owned();
    // Whatever was on its way already has been answered by then.
    let later = requests[failed + 1..].iter().filter(|request| request.at > answered + SECOND / 2);
    let first = later.clone().next().expect("it goes on");
    assert!(first.at.duration_since(answered) >= 7 * SECOND / 2, "{:?}", first.at.duration_since(answered));
    let later: std::collections::BTreeSet<String> = later.map(languages).collect();
    assert_eq!(later.len(), 2, "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_users_patience_is_not_another_users() {
    let crm = crm().await;
    crm.add_user(Credential::basic("other", "secret"), fjord());
    let password = "username = \"nameplate\", password_file = \"superoffice.password\"";
    let other = further("other", &crm, "").replace(password, "username = \"other\", password = \"secret\"");
    let config = (crm_alone(&crm) + &other).replace("refresh = \"1s\"", "refresh = \"1h\"");
    let nameplate = crm_folder(&config).serve();
    nameplate.until_logged("new list", 2).await;
    crm.fail_next(1, Fault::retry_after(429, "3600"));
    for (list, status, said) in
        [("other", 1, "it answers 429"), ("crm", 0, "unchanged"), ("other", 1, "asked to be left alone")]
    {
        let output = tokio::task::block_in_place(|| nameplate.folder().run(&["refresh", list]));
        let heard = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(status) && heard.contains(said), "{list}: {heard}");
    }
}

/// Looks this number up so many times at once.
async fn lookups_at_once(folder: &Folder, count: usize) -> Vec<Output> {
    let children: Vec<_> = (0..count).map(|_| folder.spawn(&["lookup", "22334455"])).collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output().expect("a lookup"));
    tokio::task::block_in_place(|| outputs.collect())
}

fn all_know_kari(outputs: &[Output]) {
    for output in outputs {
        assert!(output.stdout.starts_with("Kari Nordmann".as_bytes()), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_lookups_at_once_ask_once() {
    let crm = crm().await;
    crm.set_delay(SECOND / 2);
    let folder = folder(&crm, "");
    all_know_kari(&lookups_at_once(&folder, 40).await);
    assert_eq!(crm.count(), 1);
    // What one of them has asked for is there for the next one, and for the service.
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    assert!(crm.until_count(2, 10 * SECOND).await);
    assert_eq!(crm.requests()[1].json()["LastHash"], crm.hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_that_fail_or_can_write_nothing_ask_ten_times_a_second() {
    let crm = crm().await;
    crm.fail(Fault::status(500));
    let refused = folder(&crm, "");
    for output in lookups_at_once(&refused, 15).await {
        assert!(String::from_utf8_lossy(&output.stderr).contains("it answers 500"), "{output:?}");
    }
    ten_a_second(&crm.requests());
    crm.heal();
    let unwritable = folder(&crm, "");
    unwritable.write("state", "no folder");
    all_know_kari(&lookups_at_once(&unwritable, 15).await);
    assert_eq!(crm.count(), 30);
    if is_root() {
        // What is another user's stays so: the service could not read root's files.
        let others = self::folder(&crm, "");
        fs::create_dir(others.path("state")).expect("a folder");
        chown(others.path("state"), Some(12_345), None).expect("root may");
        all_know_kari(&lookups_at_once(&others, 5).await);
        assert_eq!(fs::read_dir(others.path("state")).expect("a folder").count(), 0);
    }
    ten_a_second(&crm.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_without_the_service_ask_ten_times_a_second_together() {
    let crm = crm().await;
    let folder = folder(&crm, "");
    let children: Vec<_> = (0..15).map(|_| folder.spawn(&["refresh"])).collect();
    for child in children {
        let output = tokio::task::block_in_place(|| child.wait_with_output().expect("a refresh"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    ten_a_second(&crm.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_beside_the_service_ask_nothing() {
    let crm = crm().await;
    crm.set_delay(2 * SECOND);
    let nameplate = folder(&crm, "").serve();
    assert!(crm.until_count(1, 30 * SECOND).await);
    let asked = lookups_at_once(nameplate.folder(), 10).await;
    all_know_kari(&asked);
    // The service asks each second; with each answer held back it has one question at a time.
    assert!(crm.requests().iter().skip(1).all(|request| request.json()["LastHash"] != ""));

    // What it can't get they can't either.
    let crm = self::crm().await;
    crm.fail(Fault::status(500));
    let nameplate = folder(&crm, "").serve();
    nameplate.until_logged("it answers 500", 1).await;
    for output in lookups_at_once(nameplate.folder(), 10).await {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("the running service can't get it: it answers 500"), "{output:?}");
    }
    ten_a_second(&crm.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_knows_the_people_of_every_selection() {
    let crm = crm().await;
    crm.set_selection(201, fjord());
    crm.set_selection(202, vec![Record::person(47, 22_500_000, (1, "Ola Hansen"), (0, ""))]);
    for (number, name) in [("22334455", "Kari Nordmann"), ("22500000", "Ola Hansen")] {
        let (_, said) = lookup(folder(&crm, "selections = [201, 202]"), number).await;
        assert!(said.starts_with(name), "{said}");
    }
    let (output, said) = lookup(folder(&crm, "selections = [999]"), "22334455").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("source crm-999: it answers without a set"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    // RFC 9110's form of a date, and the two older ones.
    let forms = ["", "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let crm = crm().await;
    let nameplate = serve(&crm, "").await;
    for ((round, status), form) in [(1, 429), (2, 503), (3, 503), (4, 503)].into_iter().zip(forms) {
        // A date of HTTP has whole seconds.
        let then = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 5).expect("a time");
        let date = then.strftime(form).to_string();
        crm.fail_next(1, Fault::retry_after(status, if status == 429 { "4" } else { &date }));
        nameplate.until_logged("answers again", round).await;
        let requests = crm.requests();
        let failed = requests.iter().rposition(|r| r.answered.is_some_and(|(s, _)| s == status));
        let failed = failed.expect("it failed");
        let next = requests[failed + 1].at;
        if status == 429 {
            let wait = next.duration_since(requests[failed].at);
            assert!(wait >= SECOND * 4, "{wait:?}");
        } else {
            let next = jiff::Timestamp::now().checked_sub(next.elapsed()).expect("a time");
            assert!(next >= then, "{next} is before {then}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_begin_or_does_not_end_is_not_waited_for() {
    let crm = crm().await;
    crm.fail(Fault::Silent);
    let begun = Instant::now();
    let (output, said) = lookup(folder(&crm, "first_byte = \"1s\""), "22334455").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("it has not begun to answer within 1 s"), "{said}");
    assert!(begun.elapsed() < 10 * SECOND);
    // Whole answers have a limit of their own: this one begins at once, and halts in its middle.
    crm.fail(Fault::Halting(60 * SECOND));
    let begun = Instant::now();
    let (output, said) = lookup(folder(&crm, "timeout = \"2s\""), "22334455").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("its answer was not whole within `timeout`"), "{said}");
    assert!(begun.elapsed() < 20 * SECOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_answers_are_read_and_large_ones_refused() {
    let crm = crm().await;
    crm.set_gzip();
    let (_, said) = lookup(folder(&crm, ""), "22334455").await;
    assert!(said.starts_with("Kari Nordmann"), "{said}");
    let request = crm.requests().pop().expect("a request");
    assert!(request.header("Accept-Encoding").is_some_and(|takes| takes.contains("gzip")));
    assert!(request.compressed);
    // Counted as it is after decompression: a small answer can unfold to any size.
    let many = (0..20_000).map(|n| Record::person(47, 22_000_000 + n, (1, "Kari Nordmann"), (0, "")));
    crm.set_records(many.collect());
    let (output, said) = lookup(folder(&crm, "max_answer = \"1MB\""), "22334455").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the answer exceeds max_answer, 1000000 bytes"), "{said}");
}

/// Where nobody accepts, and no further connection finds room to wait. It is there while what is returned is.
async fn full() -> (SocketAddr, TcpListener, JoinSet<io::Result<TcpStream>>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("bound");
    let waiting: JoinSet<_> = (0..4).map(|_| TcpStream::connect(address)).collect();
    tokio::time::sleep(SECOND / 2).await;
    assert!(tokio::time::timeout(SECOND / 2, TcpStream::connect(address)).await.is_err(), "it has room");
    (address, listener, waiting)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_nobody_is_given_up_after_ten_seconds() {
    let (address, _listener, _waiting) = full().await;
    let folder = crm_folder(&superoffice_alone(&onsite(&format!("http://{address}/api"))));
    let nameplate = folder.serve();
    nameplate.until_logged("nameplate starts", 1).await;
    let begun = Instant::now();
    nameplate.until_logged_within(20 * SECOND, "can't reach it", 1).await;
    let took = begun.elapsed();
    assert!(took > 9 * SECOND && took < 15 * SECOND, "{took:?}");
}
