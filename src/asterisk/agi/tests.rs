//! The server over real sockets.

mod limits;
mod protocol;
mod waiting;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{MergeInput, merge};
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
    let listed = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
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
        let settings = watch::channel(Arc::new(settings)).1;
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

    /// The next command. Empty if the connection was closed.
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
        ("22334455", "0", &["", "later"], "FOUND:654:655:Kari 'K' Nordmann (Fjord)"),
        ("22334455", "0", &["", "tags"], "FOUND:654:655:Kari 'K' Nordmann (Fjord):exact:"),
        ("22999999", "0", &["", "tags"], "NOTFOUND:::::"),
        ("22999999", "0", &[], "NOTFOUND:::"),
        ("unknown", "0", &[], "SKIPPED:::"),
        // A withheld number, a number that is not available, and an unknown presentation.
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
        server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"found\"} 6"),
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
            "SET VARIABLE __NAMEPLATE_CERTAINTY \"exact\"",
            "SET VARIABLE __NAMEPLATE_TAG \"\"",
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
    assert_eq!(commands.len(), 6);
    assert!(!commands.iter().any(|command| command.contains("CALLERID")), "{commands:?}");
}

#[tokio::test]
async fn a_hangup_may_come_at_any_point() {
    let server = Running::usual().await;
    // Before the response, which still follows.
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
    // In the middle of the block: the connection is closed.
    let mut client = server.connect().await;
    client.say("agi_network: yes\nagi_calle").await;
    drop(client);
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(client.take_all().await.len(), 1);
}

/// As monitors probe a port.
#[tokio::test]
async fn a_client_that_says_nothing_and_goes_is_no_call() {
    let server = Running::usual().await;
    for _ in 0..3 {
        drop(server.connect().await);
    }
    // A later call has its answer, so the server has seen them go.
    let mut client = server.connect().await;
    client.describe("lookup", "22334455", "0", &[]).await;
    client.take_all().await;
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 0"));
}

#[tokio::test]
async fn a_script_of_another_server_is_refused_and_counted() {
    // Also without a directory: the script is wrong in any case.
    for resolver in [resolver(), Arc::new(Resolver::new(Style::default()))] {
        let server = Running::start(16, &["127.0.0.1/32"], resolver).await;
        for (so_many, script) in
            (1..).zip(["dialparties.agi", "/var/lib/agi-bin/x.php?a=b", "handoff2", "Lookup"])
        {
            let mut client = server.connect().await;
            client.describe(script, "22334455", "0", &[]).await;
            // No command changes the call.
            assert!(client.is_closed().await, "{script}");
            assert!(server.count(&format!("nameplate_agi_foreign_scripts_total {so_many}")), "{script}");
            let unserved = format!("nameplate_calls_total{{pbx=\"agi\",outcome=\"unserved\"}} {so_many}");
            assert!(server.count(&unserved), "{script}");
        }
    }
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
