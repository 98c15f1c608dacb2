//! The server over real sockets: what it answers, and what clients that behave badly cost others.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{Listed, merge};
use crate::entry::Entry;
use crate::metrics::Metrics;
use crate::name::Style;
use crate::number::Number;

/// Kari, whose number is Norwegian, and Åsa, whose number is Swedish.
fn resolver() -> Arc<Resolver> {
    resolver_with(Style::default())
}

fn resolver_with(style: Style) -> Arc<Resolver> {
    let entry = |code, national, id, person: &str, company: &str| Entry {
        number: Number::new(code, national).unwrap(),
        person_id: id,
        person: person.into(),
        mrmrs: String::new(),
        company_id: id + 1,
        company: company.into(),
        likely: true,
    };
    let entries = [
        entry(47, 22_334_455, 654, "Kari \"K\" Nordmann", "Fjord"),
        entry(46, 812_345_678, 7, "Åsa", "Älv AB"),
    ];
    let list: List = entries.into_iter().collect();
    let listed = Listed { source: 0, group: 0, entries: Box::new(list.entries()) };
    let resolver = Resolver::new(style);
    resolver.swap(merge(&["crm".into()], vec![listed]).unwrap());
    Arc::new(resolver)
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    metrics: Metrics,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(max_sessions: usize, allow: &[&str], resolver: Arc<Resolver>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let numbers = crate::number::Settings::new("NO".parse().unwrap());
        let settings = Settings {
            listen: address,
            is_default: false,
            allow: allow.iter().map(|network| network.parse().unwrap()).collect(),
            max_sessions,
            pbx: Pbx { id: 0, numbers },
        };
        let metrics = Metrics::new();
        let link = Arc::new(Link::new(NAME, metrics.pbx(NAME)));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(settings, listener, resolver, link, shutdown.clone()));
        Self { address, shutdown, metrics, task }
    }

    async fn usual() -> Self {
        Self::start(16, &["127.0.0.0/8"], resolver()).await
    }

    async fn connect(&self) -> Client {
        let (read, write) = TcpStream::connect(self.address).await.unwrap().into_split();
        Client { read: BufReader::new(read), write }
    }

    fn count(&self, line: &str) -> bool {
        self.metrics.write().unwrap().lines().any(|counted| counted == line)
    }
}

/// What Asterisk does.
struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Client {
    async fn say(&mut self, text: &str) {
        self.write.write_all(text.as_bytes()).await.unwrap();
    }

    async fn describe(&mut self, script: &str, caller: &str, presentation: &str, arguments: &[&str]) {
        // Each line in a write of its own, as Asterisk does.
        for line in [
            "agi_network: yes\n".to_owned(),
            format!("agi_network_script: {script}\n"),
            format!("agi_callerid: {caller}\n"),
            "agi_calleridname: Mallory: agi_callerid: 1\n".to_owned(),
            format!("agi_callingpres: {presentation}\n"),
            "agi_threadid: 139872\n".to_owned(),
        ] {
            self.say(&line).await;
        }
        for (place, argument) in (1..).zip(arguments) {
            self.say(&format!("agi_arg_{place}: {argument}\n")).await;
        }
        self.say("\n").await;
    }

    /// The next command; empty where the connection was closed.
    async fn command(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(10), self.read.read_line(&mut line)).await.unwrap();
        if read.is_ok() { line } else { String::new() }
    }

    /// Takes all commands as Asterisk does.
    async fn take_all(&mut self) -> Vec<String> {
        let mut commands = Vec::new();
        loop {
            let command = self.command().await;
            if command.is_empty() {
                return commands;
            }
            commands.push(command.trim_end().to_owned());
            self.say("200 result=1\n").await;
        }
    }

    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), self.read.read_to_end(&mut rest)).await.unwrap().is_err()
            || rest.is_empty()
    }
}

#[tokio::test]
async fn the_context_gets_all_in_one_variable() {
    let server = Running::usual().await;
    for (caller, presentation, arguments, answer) in [
        ("22334455", "0", &[][..], "FOUND:654:655:Kari 'K' Nordmann (Fjord)"),
        ("22334455", "3", &[""], "FOUND:654:655:Kari 'K' Nordmann (Fjord)"),
        ("08 123 456 78", "0", &["SE"], "FOUND:7:8:Åsa (Älv AB)"),
        ("22334455", "0", &["XX"], "FOUND:654:655:Kari 'K' Nordmann (Fjord)"),
        ("22999999", "0", &[], "NOTFOUND:::"),
        ("unknown", "0", &[], "SKIPPED:::"),
        // Withheld, and not available.
        ("22334455", "32", &[], "SKIPPED:::"),
        ("22334455", "67", &[], "SKIPPED:::"),
        ("22334455", "", &[], "SKIPPED:::"),
    ] {
        let mut client = server.connect().await;
        client.describe("handoff", caller, presentation, arguments).await;
        let expected = format!("SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"{answer}\"");
        assert_eq!(client.take_all().await, [expected], "{caller} {presentation}");
    }
    assert!(
        server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"found\"} 4"),
        "{}",
        server.metrics.write().unwrap()
    );
}

#[tokio::test]
async fn a_dialplan_of_its_own_gets_each_variable() {
    let server = Running::usual().await;
    let mut client = server.connect().await;
    client.describe("lookup?x=y", "22334455", "0", &[]).await;
    assert_eq!(
        client.take_all().await,
        [
            "SET VARIABLE CALLERID(name) \"Kari 'K' Nordmann (Fjord)\"",
            "SET VARIABLE __NAMEPLATE_PERSON_ID \"654\"",
            "SET VARIABLE __NAMEPLATE_CONTACT_ID \"655\"",
            "SET VARIABLE __NAMEPLATE_STATUS \"FOUND\"",
        ]
    );
    let mut client = server.connect().await;
    client.describe("lookup", "22999999", "0", &[]).await;
    let commands = client.take_all().await;
    assert!(commands.iter().all(|command| !command.contains("CALLERID")), "{commands:?}");
    assert_eq!(commands.last().unwrap(), "SET VARIABLE __NAMEPLATE_STATUS \"NOTFOUND\"");
}

#[tokio::test]
async fn a_call_keeps_the_name_that_it_brings_along() {
    let resolver = resolver_with(Style { keep_existing: true, ..Style::default() });
    let server = Running::start(16, &["127.0.0.1/32"], resolver).await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(client.take_all().await, ["SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"FOUND:654:655:\""]);
    let mut client = server.connect().await;
    client.describe("lookup", "22334455", "0", &[]).await;
    let commands = client.take_all().await;
    assert_eq!(commands.len(), 3);
    assert!(!commands.iter().any(|command| command.contains("CALLERID")), "{commands:?}");
}

#[tokio::test]
async fn a_hangup_may_come_at_any_point() {
    let server = Running::usual().await;
    // In front of the answer, which still comes.
    let mut client = server.connect().await;
    client.describe("lookup", "22334455", "0", &[]).await;
    assert!(client.command().await.contains("CALLERID(name)"));
    client.say("HANGUP\n200 result=1\n").await;
    assert!(client.command().await.contains("PERSON_ID"));
    // The channel is dead.
    client.say("511 Command Not Permitted on a dead channel or intercept routine\n").await;
    assert!(client.is_closed().await);
    // In the middle of the block, without a word.
    let mut client = server.connect().await;
    client.say("agi_network: yes\nagi_calle").await;
    drop(client);
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(client.take_all().await.len(), 1);
}

#[tokio::test]
async fn what_is_too_much_is_closed() {
    let server = Running::usual().await;
    let long = format!("agi_calleridname: {}\n", "x".repeat(17_000));
    let many = "agi_arg_1: x\n".repeat(129);
    let block = format!("agi_calleridname: {}\n", "x".repeat(8000)).repeat(9);
    for (what, flood) in [
        ("a line", long.as_str()),
        ("variables", &many),
        ("the block", &block),
        ("what is no AGI", "GET / HTTP/1.1\r\n"),
    ] {
        let mut client = server.connect().await;
        // It may be closed before all is written.
        let _ = client.write.write_all(flood.as_bytes()).await;
        assert!(client.is_closed().await, "{what}");
    }
    // 8 KiB are not too much, nor what is no UTF-8.
    let mut client = server.connect().await;
    client.say(&format!("agi_calleridname: {}\n", "x".repeat(8192))).await;
    client
        .write
        .write_all(b"agi_network_script: handoff\nagi_callerid: \xff\xfe\nagi_threadid: 1\n\n")
        .await
        .unwrap();
    assert!(client.command().await.contains("SKIPPED"));
}

#[tokio::test]
async fn a_script_of_another_server_is_refused_and_counted() {
    // Also before there is a directory: whoever has the port answers for it.
    for resolver in [resolver(), Arc::new(Resolver::new(Style::default()))] {
        let server = Running::start(16, &["127.0.0.1/32"], resolver).await;
        for (so_many, script) in
            (1..).zip(["dialparties.agi", "/var/lib/agi-bin/x.php?a=b", "handoff2", "Lookup"])
        {
            let mut client = server.connect().await;
            client.describe(script, "22334455", "0", &[]).await;
            // Not a word that could change the call.
            assert!(client.is_closed().await, "{script}");
            assert!(server.count(&format!("nameplate_agi_foreign_scripts_total {so_many}")), "{script}");
            let unserved = format!("nameplate_calls_total{{pbx=\"agi\",outcome=\"unserved\"}} {so_many}");
            assert!(server.count(&unserved), "{script}");
        }
    }
}

#[tokio::test]
async fn line_breaks_of_a_caller_make_nobody_of_somebody_else() {
    let server = Running::usual().await;
    let begin = "agi_network_script: handoff\n";
    let end = "agi_callingpres: 0\nagi_threadid: 1\n\n";
    // A folded header's name, and a number that goes on, be it by nothing: what ARI, too, takes for no number.
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\nagi_calleridname: A\r\n X: yes\n{end}")).await;
    assert!(client.command().await.contains("FOUND:654"));
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\nfoo\nagi_calleridname: A\n{end}")).await;
    assert!(client.command().await.contains("SKIPPED"));
    let mut client = server.connect().await;
    client.say(&format!("{begin}agi_callerid: 22334455\n\nagi_calleridname: A\n{end}")).await;
    assert!(client.command().await.contains("SKIPPED"));
    // Another's number behind the own one, or in the name.
    for caller in [
        "agi_callerid: 22999999\nagi_callerid: 22334455\n",
        "agi_callerid: unknown\nagi_calleridname: A\nagi_callerid: 22334455\n",
    ] {
        let mut client = server.connect().await;
        client.say(&format!("{begin}{caller}{end}")).await;
        assert!(client.is_closed().await, "{caller}");
    }
}

#[tokio::test]
async fn a_refused_command_ends_the_session() {
    let server = Running::usual().await;
    for refusal in ["510 Invalid or unknown command\n", "520-Invalid\nUsage: x\n520 End of proper usage.\n"] {
        let mut client = server.connect().await;
        client.describe("lookup", "22334455", "0", &[]).await;
        client.command().await;
        client.say(refusal).await;
        assert!(client.is_closed().await, "{refusal}");
    }
}

#[tokio::test]
async fn who_dribbles_or_vanishes_holds_up_nobody() {
    let server = Running::usual().await;
    let mut dribbling = server.connect().await;
    dribbling.say("agi_netw").await;
    let mut silent = server.connect().await;
    silent.describe("handoff", "22334455", "0", &[]).await;
    silent.command().await;
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert_eq!(client.take_all().await.len(), 1);
    }
    assert!(dribbling.is_closed().await);
    assert!(silent.is_closed().await);
}

/// Keeps paused time from leaping over what is on its way on a socket: it does not while a blocking task runs.
async fn brake() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
}

/// Says this for ever, a byte each 50 ms; for how long the other side listened.
async fn dribble(client: Client, text: &'static str) -> Duration {
    let begun = tokio::time::Instant::now();
    let Client { mut read, mut write } = client;
    let saying = tokio::spawn(async move {
        for byte in text.bytes().cycle() {
            sleep(Duration::from_millis(50)).await;
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(60), read.read_to_end(&mut rest)).await.expect("its end");
    saying.abort();
    begun.elapsed()
}

fn about(took: Duration, limit: u64) -> bool {
    (limit..limit + 150).contains(&u64::try_from(took.as_millis()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_block_has_a_second_however_busily_it_is_said() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let took = dribble(server.connect().await, "agi_network: yes\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_second_however_busily_it_is_said() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.command().await.contains("FOUND"));
    let took = dribble(client, "HANGUP\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_has_three_seconds_though_each_answer_comes_in_time() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let begun = tokio::time::Instant::now();
    let mut client = server.connect().await;
    sleep(Duration::from_millis(800)).await;
    client.describe("lookup", "22334455", "0", &[]).await;
    for _ in 0..2 {
        assert!(client.command().await.contains("SET VARIABLE"));
        sleep(Duration::from_millis(850)).await;
        client.say("200 result=1\n").await;
    }
    assert!(client.command().await.contains("SET VARIABLE"));
    assert!(client.is_closed().await);
    let took = begun.elapsed();
    assert!(about(took, 3_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_so_many_lines_and_no_more() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    for (lines, taken) in [(63, true), (64, false)] {
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert!(client.command().await.contains("FOUND"));
        let begun = tokio::time::Instant::now();
        client.say(&format!("520-Invalid\n{}", "Usage: x\n".repeat(lines - 1))).await;
        sleep(Duration::from_millis(100)).await;
        let _ = client.write.write_all(b"200 result=1\n").await;
        assert!(client.is_closed().await);
        // Not only by the time limit.
        assert!(begun.elapsed() < Duration::from_millis(500), "{lines}: {:?}", begun.elapsed());
        let found = format!(
            "nameplate_calls_total{{pbx=\"agi\",outcome=\"{}\"}} 1",
            if taken { "found" } else { "unserved" }
        );
        assert!(server.count(&found), "{lines}: {}", server.metrics.write().unwrap());
    }
}

#[tokio::test]
async fn one_more_than_the_most_is_closed_and_the_place_comes_back() {
    let server = Running::start(1, &["127.0.0.1/32"], resolver()).await;
    let mut first = server.connect().await;
    first.describe("handoff", "22334455", "0", &[]).await;
    assert!(first.command().await.contains("FOUND"));
    assert!(server.connect().await.is_closed().await);
    first.say("200 result=1\n").await;
    assert!(first.is_closed().await);
    let mut next = server.connect().await;
    next.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(next.take_all().await.len(), 1);
}

#[tokio::test]
async fn strangers_and_the_time_before_the_first_directory() {
    let server = Running::start(16, &["192.0.2.0/24", "::/0"], resolver()).await;
    assert!(server.connect().await.is_closed().await);
    let server = Running::start(16, &["127.0.0.1/32"], Arc::new(Resolver::new(Style::default()))).await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.is_closed().await);
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 1"));
}

#[tokio::test]
async fn a_call_in_hand_is_finished_at_the_shutdown() {
    let server = Running::usual().await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.command().await.contains("FOUND"));
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!server.task.is_finished());
    assert!(TcpStream::connect(server.address).await.is_err());
    client.say("200 result=1\n").await;
    assert!(client.is_closed().await);
    server.task.await.unwrap();
}

#[test]
fn a_caller_says_neither_the_script_nor_the_country() {
    let forged = "agi_network_script: rm\nagi_arg_1: SE\n";
    for (forged, argument, country) in [
        (forged, "agi_arg_1: NO\n", "NO"),
        (forged, "agi_arg_1: \n", ""),
        (forged, "", ""),
        ("agi_threadid: 1\nagi_arg_1: SE\n", "", ""),
    ] {
        let block = format!(
            "agi_network_script: handoff\nagi_callerid: 22334455\nagi_calleridname: Kari\n{forged}agi_callingpres: 0\nagi_threadid: 2\n{argument}\n"
        );
        let block = block::block(block.as_bytes()).unwrap();
        assert_eq!((block.script.as_str(), block.country.as_str()), ("handoff", country), "{forged}");
    }
}

#[test]
fn a_caller_does_not_end_the_block() {
    let block = |name: &str, presentation: &str| {
        block::block(
            format!(
                "agi_network_script: handoff\nagi_callerid: 22334455\nagi_calleridname: {name}\nagi_callingpres: {presentation}\nagi_threadid: 2\nagi_arg_1: NO\n\n"
            )
            .as_bytes(),
        )
    };
    // Withheld, whatever the caller says of it; what a caller adds takes nothing from the call.
    for (name, presentation, allowed) in [
        ("Kari\nagi_arg_1: SE\nagi_callingpres: 0\n", "32", false),
        ("Kari\nagi_callingpres: 0", "32", false),
        ("Kari\nagi_callingpres: 32", "0", false),
        ("Kari\nagi_callingpres: 0\n", "0", true),
        ("Kari\n\n200 result=1", "0", true),
    ] {
        let block = block(name, presentation).unwrap();
        assert_eq!((block.is_allowed(), block.country.as_str()), (allowed, "NO"), "{name:?}");
    }
    // Even all that Asterisk would say: its own words come behind.
    assert_eq!(block("Kari\nagi_callingpres: 0\nagi_threadid: 1\nagi_arg_1: SE\n", "32"), None);
}

#[test]
fn a_value_stays_within_its_quotes() {
    for (value, command) in [
        ("Zoë O'Brien", "SET VARIABLE X \"Zoë O'Brien\"\n"),
        ("a\"b\\c", "SET VARIABLE X \"a\\\"b\\\\c\"\n"),
        ("a\"\nHANGUP\n", "SET VARIABLE X \"a\\\" HANGUP \"\n"),
        ("${SHELL(id)}", "SET VARIABLE X \"${SHELL(id)}\"\n"),
    ] {
        assert_eq!(command::set_variable("X", value), command);
    }
}
