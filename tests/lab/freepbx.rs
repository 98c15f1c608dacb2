//! What a FreePBX has around our lines, in lines of our own (`freepbx.conf`): from the trunk's context to the phones, and
//! the FastAGI server on port 4573 that its ring groups need.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::asterisk::{Asterisk, Setup};
use super::nameplate::project;
use super::sip::Phone;
use super::way::Way;

const DIALPLAN: &str = include_str!("freepbx.conf");
const QUEUES: &str = "[400]\nstrategy = ringall\ntimeout = 15\nretry = 5\nmember => Local/101@from-queue/n\n";
const MAILBOXES: &str = "[general]\nformat = ulaw\nminsecs = 0\nmaxsecs = 5\n[default]\n102 => 1234,Lab\n";

/// A PBX that does around our lines what FreePBX 15 does on Asterisk 16, and 17 on 22. Ring groups ask `server`.
pub(crate) fn asterisk(way: Way, phone: &Phone, server: &FastAgi) -> Asterisk {
    let is_old = matches!(way, Way::HttpOn16 | Way::AgiOn16);
    let files = [
        ("extensions_override_freepbx.conf", way.line(&block("[cidlookup]"))),
        ("extensions_custom.conf", way.line(&custom())),
        ("extensions_nameplate_freepbx.conf", by(way, &shipped())),
        ("freepbx.conf", by(way, &filled(is_old, phone, server))),
        ("queues.conf", QUEUES.to_owned()),
        ("voicemail.conf", MAILBOXES.to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    // In the order in which FreePBX reads them: its own default of our hook comes behind ours.
    let dialplan = "#include \"extensions_override_freepbx.conf\"\n#include \"extensions_custom.conf\"\n\
                    #include \"freepbx.conf\"\n";
    let asterisk = way.asterisk_with(&Setup { dialplan, extra_conf: &files, ..Setup::default() });
    if !is_old {
        // The lab's Asterisks leave it out; Debian's 16 has none.
        asterisk.cli("module load app_voicemail.so");
    }
    asterisk
}

/// The blocks of the page that are for `extensions_custom.conf`. The lab includes the context itself.
fn custom() -> String {
    let lines = block("#tryinclude extensions_nameplate.conf");
    lines.replace("#tryinclude extensions_nameplate.conf\n", "") + &block("[nameplate-tags]")
}

/// The code block of the page that begins with this line.
fn block(first: &str) -> String {
    let page = std::fs::read_to_string(project().join("asterisk-conf/freepbx.md")).expect("the page");
    let lines = page.lines().skip_while(|line| line.trim() != first);
    lines
        .take_while(|line| !line.trim().starts_with("```"))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

fn shipped() -> String {
    let file = project().join("asterisk-conf/extensions_nameplate_freepbx.conf");
    // With the lines for people who are called.
    std::fs::read_to_string(file).expect("the shipped file").replace("\n; same =>", "\n same =>")
}

/// As the page says it for FastAGI.
fn by(way: Way, shipped: &str) -> String {
    if way.is_agi() {
        let shipped = shipped.replace("nameplate,lookup,", "nameplate,lookup-agi,");
        shipped.replace("nameplate,called,", "nameplate,called-agi,")
    } else {
        shipped.to_owned()
    }
}

fn filled(is_old: bool, phone: &Phone, server: &FastAgi) -> String {
    let mut lines = String::new();
    for line in DIALPLAN.lines() {
        // The subroutine's name ends with the line.
        let called = line.split_once("CALL(").filter(|_| !line.starts_with(';'));
        lines += &match called {
            Some((before, name)) if is_old => format!("{before}Macro({name}"),
            Some((before, name)) => format!("{before}Gosub(macro-{},s,1)", name.trim_end_matches(')')),
            None => line.to_owned(),
        };
        lines.push('\n');
    }
    lines
        .replace("BACK()", if is_old { "MacroExit()" } else { "Return()" })
        .replace("@PHONE@", &phone.uri())
        .replace("@FREEPBX@", &server.address.ip().to_string())
}

/// FreePBX's FastAGI server, on an address of its own, so that tests run side by side. A script that it does not have is its end.
pub(crate) struct FastAgi {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl FastAgi {
    /// Listens on port 4573. Its `dialparties.agi` has this phone rung.
    pub(crate) async fn start(phone: &Phone) -> Self {
        let ip = Ipv4Addr::new(127, 45, fastrand::u8(..), fastrand::u8(2..250));
        let listener = TcpListener::bind((ip, 4573)).await.expect("FreePBX's port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (noted, dial) = (Arc::clone(&asked), format!("PJSIP/operator/{},20", phone.uri()));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = answer(stream, &dial).await;
                let is_its_own = script == "dialparties.agi";
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(script);
                if !is_its_own {
                    return;
                }
            }
        });
        Self { address, asked, task }
    }

    /// The scripts that it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it still answers.
    pub(crate) fn lives(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for FastAgi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one call; says which script it wanted.
async fn answer(mut stream: TcpStream, dial: &str) -> String {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut script = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(wanted) = line.strip_prefix("agi_network_script: ") {
            wanted.clone_into(&mut script);
        }
        if line.is_empty() {
            break;
        }
    }
    if script == "dialparties.agi" {
        let _ = write.write_all(format!("SET VARIABLE ds \"{dial}\"\n").as_bytes()).await;
        let _ = lines.next_line().await;
    }
    script
}
