//! The server over real sockets: its answers, and clients that behave badly.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{Listed, merge};
use crate::entry::Entry;
use crate::name::Style;
use crate::number::Number;
use crate::observe::metrics::{Form, Metrics};

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
        let pbx_status = Arc::new(PbxStatus::new(NAME, metrics.pbx(NAME)));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(settings, listener, resolver, pbx_status, shutdown.clone()));
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
        self.metrics.write(Form::Plain).unwrap().lines().any(|counted| counted == line)
    }
}

/// Asterisk's end of a session.
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
        for (position, argument) in (1..).zip(arguments) {
            self.say(&format!("agi_arg_{position}: {argument}\n")).await;
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
        server.metrics.write(Form::Plain).unwrap()
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
            "NOOP",
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
async fn a_call_keeps_the_providers_name() {
    let resolver = resolver_with(Style { keep_existing: true, ..Style::default() });
    let server = Running::start(16, &["127.0.0.1/32"], resolver).await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(client.take_all().await, ["SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"FOUND:654:655:\""]);
    let mut client = server.connect().await;
    client.describe("lookup", "22334455", "0", &[]).await;
    let commands = client.take_all().await;
    assert_eq!(commands.len(), 4);
    assert!(!commands.iter().any(|command| command.contains("CALLERID")), "{commands:?}");
}

#[tokio::test]
async fn a_hangup_may_come_at_any_point() {
    let server = Running::usual().await;
    // In front of the answer, which still comes.
    let mut client = server.connect().await;
    client.describe("lookup", "22334455", "0", &[]).await;
    assert_eq!(client.command().await, "NOOP\n");
    client.say("200 result=0\n").await;
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
async fn input_beyond_a_limit_closes_the_session() {
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
    // A line of 8 KiB is allowed, and so are bytes that are not UTF-8.
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
    // Also before there is a directory: the script is wrong in any case.
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
async fn line_breaks_in_a_callers_words_change_no_number() {
    let server = Running::usual().await;
    let begin = "agi_network_script: handoff\n";
    let end = "agi_callingpres: 0\nagi_threadid: 1\n\n";
    // A name of a folded header. A number with a second line, even an empty one, is no number, as by ARI.
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
async fn a_slow_or_vanished_client_holds_up_no_call() {
    let server = Running::usual().await;
    let mut slow = server.connect().await;
    slow.say("agi_netw").await;
    let mut silent = server.connect().await;
    silent.describe("handoff", "22334455", "0", &[]).await;
    silent.command().await;
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert_eq!(client.take_all().await.len(), 1);
    }
    assert!(slow.is_closed().await);
    assert!(silent.is_closed().await);
}

/// Slows paused time down, so that it does not pass data that is on its way on a socket: time stands still while a blocking
/// task runs.
async fn brake() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
}

/// Sends this text for ever, a byte each 50 ms. Returns how long the server has kept the connection open.
async fn send_slowly(client: Client, text: &'static str) -> Duration {
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
async fn a_block_has_one_second_even_if_bytes_keep_coming() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let took = send_slowly(server.connect().await, "agi_network: yes\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_response_has_one_second_even_if_lines_keep_coming() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.command().await.contains("FOUND"));
    let took = send_slowly(client, "HANGUP\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_has_three_seconds_even_if_each_response_is_in_time() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let begun = tokio::time::Instant::now();
    let mut client = server.connect().await;
    sleep(Duration::from_millis(800)).await;
    client.describe("lookup", "22334455", "0", &[]).await;
    for command in ["NOOP", "SET VARIABLE"] {
        assert!(client.command().await.contains(command));
        sleep(Duration::from_millis(850)).await;
        client.say("200 result=1\n").await;
    }
    assert!(client.command().await.contains("SET VARIABLE"));
    assert!(client.is_closed().await);
    let took = begun.elapsed();
    assert!(about(took, 3_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_response_has_at_most_64_lines() {
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
        assert!(server.count(&found), "{lines}: {}", server.metrics.write(Form::Plain).unwrap());
    }
}

#[tokio::test]
async fn a_session_beyond_the_limit_is_closed_until_another_one_ends() {
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
    let server = Running::start(16, &["192.0.2.0/24", "::/64", "2000::/3"], resolver()).await;
    assert!(server.connect().await.is_closed().await);
    let server = Running::start(16, &["127.0.0.1/32"], Arc::new(Resolver::new(Style::default()))).await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.is_closed().await);
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 1"));
}

#[tokio::test]
async fn a_network_of_all_there_is_has_ipv4_in_it() {
    for allow in ["::/0", "::/16", "::ffff:127.0.0.0/104", "::ffff:127.0.0.1/128", "0.0.0.0/0"] {
        let server = Running::start(16, &[allow], resolver()).await;
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert!(client.command().await.contains("FOUND"), "{allow}");
    }
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

/// What Asterisk says of a caller with this name and presentation, then these lines.
fn described(name: &str, presentation: &str, arguments: &str) -> Option<Block> {
    block::block(
        format!(
            "agi_network_script: handoff\nagi_callerid: 22334455\nagi_calleridname: {name}\nagi_callingpres: {presentation}\nagi_threadid: 2\n{arguments}\n"
        )
        .as_bytes(),
    )
}

#[test]
fn a_call_whose_block_says_something_twice_is_not_looked_up() {
    for key in ["network_script", "calleridname", "callingpres", "threadid", "arg_1", "dnid"] {
        let (name, arguments) = (format!("Kari\nagi_{key}: 0"), "agi_dnid: 1\nagi_arg_1: NO\n");
        for presentation in ["0", "32"] {
            let block = described(&name, presentation, arguments).unwrap();
            assert!(!block.is_allowed(), "{key} {presentation}");
            assert_eq!((block.script.as_str(), block.country.as_str()), ("handoff", "NO"), "{key}");
        }
        assert!(described("Kari", "0", arguments).unwrap().is_allowed());
    }
    assert_eq!(described("Kari\nagi_callerid: 1", "0", ""), None);
    let block = described("Kari\n\nX: yes\nagi_other: 1", "0", "agi_arg_1: NO\n").unwrap();
    assert_eq!((block.is_allowed(), block.country.as_str()), (true, "NO"));
    // What a caller says of an argument that Asterisk does not have.
    let block = described("Kari\nagi_arg_1: SE", "0", "").unwrap();
    assert_eq!((block.is_allowed(), block.country.as_str()), (true, ""));
}

/// All that Asterisk would say, and its own words behind it, at once or a moment later.
#[tokio::test]
async fn a_caller_who_ends_the_block_is_told_nothing() {
    let server = Running::usual().await;
    let forged = "agi_callerid: 22334455\nagi_calleridname: Kari\nagi_callingpres: 0\nagi_threadid: 1\n\n";
    let own = "agi_calleridname: A\nagi_callingpres: 32\nagi_threadid: 2\n\n";
    let mut client = server.connect().await;
    client.say(&format!("agi_network_script: lookup\n{forged}{own}")).await;
    assert!(client.is_closed().await);
    // By the number, without a name.
    for forged in
        [forged, "agi_channel: SIP/1\nagi_callerid: 22334455\nagi_callingpres: 0\nagi_threadid: 1\n\n"]
    {
        let mut client = server.connect().await;
        client.say(&format!("agi_network_script: lookup\n{forged}")).await;
        // As long as nothing is known of the caller, nothing is said.
        assert_eq!(client.command().await, "NOOP\n");
        client.say(own).await;
        assert!(client.is_closed().await);
    }
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 3"));
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
