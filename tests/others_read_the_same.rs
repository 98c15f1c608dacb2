//! What others read stays the same over a change within: scripts read the commands' output, dashboards the metrics, dialplans the
//! answers over HTTP, FastAGI and ARI, the version before and the next one the list files and the control socket.
//!
//! The files of `tests/data/golden` are what was read when they were written. A change that is meant is written there by
//! `NAMEPLATE_GOLDEN=write make promise NAME=others_read_the_same`, and stands in the changelog.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Output;

use crate::lab::configuration::{CRM_PASSWORD, VIP_AND_ALL, csv_folder, onsite, superoffice_alone};
use crate::lab::nameplate::{Folder, Nameplate, project};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::{machine, web};

mod ari;

const CSV: &str = r#"
[numbers]
country = "NO"
internal = ["3xx"]

[names]
max_bytes = 30

[ranges]
known = { "+47 2251 8000-8099" = "company Fjord Sjømat AS" }
"#;

const HEADER: &str = "number,person,company,mrmrs,person_id,contact_id\n";
const VIP: &str = "22334455,Kari Nordmann,Fjord Sjømat AS,Mrs,654,243\n22334460,Ola,Fjord Sjømat AS,,1,243\n\
                   22334460,Siri,Fjord Sjømat AS,,2,243\n22334461,Ola,Acme,,1,5\n22334461,Siri,Globex,,2,6\n\
                   22334462,Ola,,,1,\n22334462,Siri,,,2,\n22334463,,Acme,,,5\n12,Nobody,,,,\n";
const ALL: &str = "22334455,Somebody Else,Älvsby Förlag AB,,7,8\n+4681234567,Åsa,,,9,\n";

fn csv(config: &str) -> Folder {
    let folder = Folder::new(&format!("{CSV}{VIP_AND_ALL}{config}"));
    folder.write("vip.csv", format!("{HEADER}{VIP}"));
    folder.write("all.csv", format!("{HEADER}{ALL}"));
    folder
}

/// Compares with what was written, or writes.
fn compare(name: &str, found: &str) {
    let path = project().join("tests/data/golden").join(name);
    if std::env::var_os("NAMEPLATE_GOLDEN").is_some_and(|how| how == "write") {
        return std::fs::write(path, found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    let differs = wanted.lines().zip(found.lines()).enumerate().find(|(_, (wanted, found))| wanted != found);
    if let Some((at, (wanted, found))) = differs {
        panic!("{name}, line {}:\nwas:  {wanted}\nis:   {found}", at + 1);
    }
    assert_eq!(wanted, found, "{name} is longer or shorter");
}

/// What differs from one run to the next is written as `<…>`.
fn steady(text: &str, folder: &Path, crm: Option<&StandIn>) -> String {
    let mut text = text.replace(&folder.display().to_string(), "<folder>");
    if let Some(crm) = crm {
        text = text.replace(&crm.host(), "<crm>").replace(&crm.hash(), "<hash>");
    }
    let mut steady = String::new();
    for (at, line) in text.lines().enumerate() {
        if at > 0 {
            steady.push('\n');
        }
        let words: Vec<_> = line.split(' ').map(steady_word).collect();
        steady.push_str(&words.join(" "));
    }
    steady
}

/// A time in words or in JSON.
fn steady_word(word: &str) -> String {
    let is_time = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        bare.starts_with("20") && bare.len() > 16 && bare.contains('T')
    };
    if is_time(word) { "<time>".into() } else { word.to_owned() }
}

/// A command, what it said, and how it ended.
fn run(folder: &Folder, arguments: &[&str], text: &mut String) {
    let output = folder.run(arguments);
    write(arguments, &output, text);
}

fn write(arguments: &[&str], output: &Output, text: &mut String) {
    writeln!(text, "$ nameplate {}", arguments.join(" ")).unwrap();
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        writeln!(text, "2> {line}").unwrap();
    }
    writeln!(text, "exit status {}\n", output.status.code().unwrap()).unwrap();
}

#[test]
fn the_answers_of_lookup() {
    let (folder, mut text) = (csv(""), String::new());
    let numbers = [
        "22334455",
        "+47 22 33 44 55",
        "0047 22334460",
        "22334461",
        "22334462",
        "22334463",
        "22518042",
        "22999999",
        "anonymous",
        "",
        "333",
        "112",
        "12",
        "4722334455;ext=12",
    ];
    for number in numbers {
        run(&folder, &["lookup", number], &mut text);
        run(&folder, &["lookup", "--json", number], &mut text);
    }
    run(&folder, &["lookup", "08-123 45 67", "--country", "SE"], &mut text);
    run(&folder, &["lookup", "1", "--country", "XX"], &mut text);
    run(&folder, &["lookup", "1", "--pbx", "oslo"], &mut text);
    for arguments in [&["lookup", "-"][..], &["lookup", "-", "--json"]] {
        let output = folder.run_with_input(arguments, "22334455\n22999999\n\nanonymous\n");
        write(arguments, &output, &mut text);
    }
    compare("lookup.txt", &steady(&text, folder.path("").as_path(), None));
}

#[test]
fn the_other_commands() {
    let (folder, mut text) = (csv("[web]\nlisten = \"127.0.0.1:0\"\n"), String::new());
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["lookup", "--help"],
        &["refresh", "--help"],
        &["sources", "--help"],
        &["check", "--help"],
        &["init", "--help"],
        &["serve", "--help"],
        &["check", "--offline"],
        &["check", "--offline", "--json"],
        &["sources"],
        &["refresh"],
        &["refresh", "nobody"],
        &["nothing"],
    ] {
        run(&folder, arguments, &mut text);
    }
    folder.write("vip.csv", "number\n1\n");
    run(&folder, &["refresh", "vip"], &mut text);
    folder.configure("[numbers]\ncountry = \"XX\"\n");
    run(&folder, &["check"], &mut text);
    run(&folder, &["serve"], &mut text);
    compare("commands.txt", &steady(&text, folder.path("").as_path(), None));
}

#[test]
fn the_keys_of_the_configuration() {
    let mut text = String::new();
    let with = |section: &str| format!("[numbers]\ncountry = \"NO\"\n{section}\nwrong = 1\n");
    let superoffice =
        format!("[[source]]\nname = \"crm\"\ntype = \"superoffice\"\n{}", onsite("http://127.0.0.1/api"));
    for section in [
        "",
        "[log]",
        "[names]",
        "[lookups]",
        "[ranges]",
        "[[suppress]]\nnumbers = []",
        "[[asterisk]]",
        "[agi]",
        "[web]",
        "[share]",
        "[[nothing]]",
        "[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"",
        superoffice.as_str(),
        "[[source]]\nname = \"vip\"\ntype = \"nothing\"",
    ] {
        let folder = Folder::new(&with(section));
        writeln!(text, "{}", section.lines().next().unwrap_or("[numbers]")).unwrap();
        let output = folder.run(&["check"]);
        text.push_str(&steady(&String::from_utf8_lossy(&output.stderr), folder.path("").as_path(), None));
        text.push_str("\n\n");
    }
    compare("configuration.txt", &text);
}

/// The service with each way in, a CRM, and a PBX that is not there.
async fn service(crm: &StandIn) -> (Nameplate, u16) {
    let agi = machine::free_tcp_port();
    let config = superoffice_alone(&format!("{}\nsearch_on_miss = true", onsite(&crm.api_url())));
    let further = format!("[agi]\nlisten = \"127.0.0.1:{agi}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let folder = Folder::new(&format!("{config}{further}"));
    folder.write("superoffice.password", CRM_PASSWORD);
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate.until_logged("FastAGI server listens", 1).await;
    (nameplate, agi)
}

fn records() -> Vec<Record> {
    crate::lab::call::fjord()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_answers_over_http() {
    let crm = StandIn::start(records()).await.expect("the stand-in");
    let (nameplate, _) = service(&crm).await;
    let address = web::address(&nameplate).await;
    let mut text = String::new();
    for (path, headers) in [
        ("/lookup?number=22334455", ""),
        ("/lookup?number=22334455", "Accept: application/json\r\n"),
        ("/lookup?number=anonymous", ""),
        ("/lookup?number=anonymous", "Accept: application/json\r\n"),
        ("/lookup", ""),
        ("/lookup?number=1&country=XX", "Accept: application/json\r\n"),
        ("/healthz", ""),
        ("/readyz", ""),
        ("/nothing", ""),
    ] {
        let answer = web::get(address, path, headers);
        writeln!(text, "GET {path} {}", headers.trim()).unwrap();
        for line in answer.head.lines().filter(|line| !line.starts_with("date:")) {
            writeln!(text, "{line}").unwrap();
        }
        writeln!(text, "\n{}\n", answer.body).unwrap();
    }
    let text = text.replace(&address.to_string(), "<address>");
    compare("http.txt", &steady(&text, nameplate.folder().path("").as_path(), Some(&crm)));

    let metrics = web::get(address, "/metrics", "").body;
    // Those of a replica, whose server is not there.
    let share =
        "[web]\nlisten = \"127.0.0.1:0\"\n[share]\nurl = \"redis://127.0.0.1:9\"\nkey_env = \"KEY\"\n";
    let replica = csv_folder(share, "").serve();
    let shared = web::get(web::address(&replica).await, "/metrics", "").body;
    let shared =
        shared.lines().filter(|line| line.contains("nameplate_share_")).map(|line| format!("{line}\n"));
    let metrics = metrics + &shared.collect::<String>();
    // The build's own.
    let metrics =
        metrics.replace(std::env::consts::ARCH, "<arch>").replace(env!("CARGO_PKG_VERSION"), "<version>");
    let mut names: Vec<_> =
        metrics
            .lines()
            .map(|line| {
                if line.starts_with('#') {
                    line
                } else {
                    line.rsplit_once(' ').map_or(line, |(name, _)| name)
                }
            })
            .collect();
    // Their order is no matter.
    names.sort_unstable();
    names.dedup();
    compare("metrics.txt", &(names.join("\n") + "\n"));
}

/// What FastAGI's server says to this block; each command is answered so.
fn agi(port: u16, block: &str, answer: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(block.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
        said.push_str(&line);
        line.clear();
        if stream.write_all(answer.as_bytes()).is_err() {
            break;
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frames_of_fastagi_and_of_the_control_socket() {
    let crm = StandIn::start(records()).await.expect("the stand-in");
    let (nameplate, port) = service(&crm).await;
    let mut text = String::new();
    for (script, number, presentation, argument) in [
        ("handoff", "22334455", "0", ""),
        ("handoff", "anonymous", "0", ""),
        ("handoff", "22334455", "32", ""),
        ("handoff", "22334455", "0", "tags"),
        ("lookup", "22334455", "0", ""),
        ("lookup", "333", "0", ""),
        ("dance", "22334455", "0", ""),
    ] {
        let mut block = format!(
            "agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\nagi_channel: PJSIP/trunk-1\n\
             agi_callerid: {number}\nagi_calleridname: OSLO\nagi_callingpres: {presentation}\nagi_threadid: 1\nagi_arg_1: NO\n"
        );
        if !argument.is_empty() {
            writeln!(block, "agi_arg_2: {argument}").unwrap();
        }
        block.push('\n');
        let call = format!("{script} {number} {presentation} {argument}");
        writeln!(text, "{}\n{}", call.trim_end(), agi(port, &block, "200 result=1\n")).unwrap();
    }
    for request in [
        r#"{"command":"sources"}"#,
        r#"{"command":"refresh","name":null,"accept":false}"#,
        r#"{"command":"reload"}"#,
        r#"{"command":"dance"}"#,
    ] {
        let mut stream = UnixStream::connect(nameplate.folder().path("state/control.sock")).unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        writeln!(text, "{request}").unwrap();
        for line in answer.lines().filter(|line| !line.is_empty()) {
            // Names and types stay; figures and times do not.
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            writeln!(text, "{}", shape(&value)).unwrap();
        }
        text.push('\n');
    }
    compare("frames.txt", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_list() {
    let crm = StandIn::start(records()).await.expect("the stand-in");
    let (nameplate, _) = service(&crm).await;
    let mut bytes = std::fs::read(nameplate.folder().path("state/lists/crm.list")).unwrap();
    // Fingerprint and time, and the sum over all, differ from one run to the next.
    bytes[17..33].fill(0);
    bytes.truncate(bytes.len() - 4);
    let text: String = bytes
        .chunks(16)
        .map(|row| {
            let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            let ascii = row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' });
            format!("{:48}{}\n", hex.join(" "), ascii.collect::<String>())
        })
        .collect();
    compare("list.txt", &text);
}

/// A value's keys, with the types of what they hold.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(values) => format!("[{}]", values.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
