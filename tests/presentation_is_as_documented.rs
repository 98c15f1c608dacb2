//! Which callers Asterisk calls withheld, and which are looked up: the table of `asterisk-conf/README.md`, call by call, and the
//! lines it has for a site that wants it otherwise.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, notes};
use crate::lab::nameplate::project;
use crate::lab::sip::{Behaviour, Invite, Phone};

const ANONYMOUS: &[u8] = br#""Anonymous" <sip:anonymous@anonymous.invalid>"#;
const ASSERTED: &[u8] = b"\"OSLO\" <sip:22334455@provider.example>";

/// What a trunk may send of a caller, as the table names it.
fn invites() -> Vec<(&'static str, Invite)> {
    let plain = || Invite::from("22334455").named("OSLO");
    let with =
        |name: &str, value: &str| Invite { extra_headers: vec![(name.into(), value.into())], ..plain() };
    let asserted = |invite| Invite { raw_asserted_identity: Some(ASSERTED.to_vec()), ..invite };
    let anonymous = |invite| Invite { raw_from: Some(ANONYMOUS.to_vec()), ..invite };
    let remote = |privacy: &str| {
        let party =
            format!("\"OSLO\" <sip:22334455@provider.example>;party=calling;screen=yes;privacy={privacy}");
        with("Remote-Party-ID", &party)
    };
    vec![
        ("`From` alone", plain()),
        ("`From`, `Privacy: id`", with("Privacy", "id")),
        ("`From`, PAI", asserted(plain())),
        ("`From`, PAI, `Privacy: none`", asserted(with("Privacy", "none"))),
        ("`From`, PAI, `Privacy: id`", asserted(with("Privacy", "id"))),
        ("`From`, PAI, `Privacy: user`", asserted(with("Privacy", "user"))),
        ("`From`, PAI, `Privacy: off`", asserted(with("Privacy", "off"))),
        ("anonymous `From`", anonymous(plain())),
        ("anonymous `From`, PAI", anonymous(asserted(plain()))),
        ("anonymous `From`, PAI, `Privacy: id`", anonymous(asserted(with("Privacy", "id")))),
        ("`From`, RPID `privacy=off`", remote("off")),
        ("`From`, RPID `privacy=full`", remote("full")),
        ("anonymous `From`, RPID `privacy=full`", anonymous(remote("full"))),
    ]
}

fn page() -> String {
    std::fs::read_to_string(project().join("asterisk-conf/README.md")).expect("the page")
}

/// The page's lines of this context up to the call, for extensions that begin with this digit.
fn steps(context: &str, digit: u8) -> String {
    let page = page();
    let (_, block) = page.split_once(&format!("\n[{context}]")).expect("the context");
    let lines = block.lines().skip(1).take_while(|line| !line.contains("Dial("));
    lines.map(|line| format!("{}\n", line.replace("exten => _X.", &format!("exten => _{digit}XX")))).collect()
}

/// A lab on this version, whose trunk is trusted or not. Calls to 1XX are looked up, those to 2XX and 3XX by the page's lines
/// for a stricter site and for `Privacy: off`.
async fn lab(version: &str, trust: &str) -> Lab {
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let ring = format!(
        " same => n(ring),Log(NOTICE,call ${{EXTEN}}: ${{CALLERID(num)}} | ${{CALLERID(num-pres)}} | ${{NAMEPLATE_STATUS}}.)\n\
         \x20same => n,Dial(PJSIP/operator/{},30)\n",
        phone.uri()
    );
    let plain = "exten => _1XX,1,Gosub(nameplate,lookup,1)\n";
    let (strict, off) = (steps("from-provider-strict", 2), steps("from-provider-off", 3));
    let dialplan = format!("[from-trunk]\n{plain}{ring}{strict}{ring}{off}{ring}");
    let trunk = format!("[trunk](+)\ntrust_id_inbound = {trust}");
    let setup = Setup {
        dialplan: &dialplan,
        extra_conf: &[("pjsip.conf", &trunk)],
        version: Some(version),
        ..Setup::default()
    };
    Lab::around(Turn::beside().await, fjord(), Asterisk::start_with(&setup), phone).await
}

/// Places a call, and what the dialplan has noted of it: number, presentation, status.
async fn noted_of(lab: &Lab, invite: &Invite, extension: &str) -> String {
    let start = format!("call {extension}: ");
    let begun = Instant::now();
    for attempt in 0.. {
        let call = lab.caller.invite(invite.clone().to(extension));
        assert_eq!(call.final_response(PATIENCE).await, Some(486), "{extension}");
        let note = loop {
            let notes = notes(&lab.asterisk);
            let mut notes = notes.lines().filter_map(|note| note.strip_prefix(&start)?.strip_suffix('.'));
            if let Some(note) = notes.nth(attempt) {
                break note.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "nothing is noted of {extension}");
            sleep(Duration::from_millis(5)).await;
        };
        // On a loaded machine half a second may be too short.
        if !note.ends_with("TIMEOUT") || begun.elapsed() > PATIENCE {
            return note;
        }
    }
    unreachable!("it tries until it returns")
}

async fn table_holds_on(version: &str) {
    let page = page();
    let mut seen = String::new();
    let mut missing = false;
    for trust in ["no", "yes"] {
        let lab = lab(version, trust).await;
        for (at, (name, invite)) in invites().iter().enumerate() {
            let plain = noted_of(&lab, invite, &format!("1{at:02}")).await;
            let row = format!("| {name} | {trust} | {plain} |");
            missing |= !page.lines().any(|line| line == row);
            let _ = writeln!(seen, "{row}");

            let strict = noted_of(&lab, invite, &format!("2{at:02}")).await;
            let is_private = name.contains("anonymous")
                || name.contains("id`")
                || name.contains("user`")
                || name.contains("full`");
            let looked_up = if is_private { strict.ends_with("| ") } else { strict == plain };
            assert!(looked_up, "strict, {name}, {trust}: {strict}");

            let off = noted_of(&lab, invite, &format!("3{at:02}")).await;
            let is_off = name.contains("`Privacy: off`");
            let as_wanted =
                if is_off { off.contains("allowed") && off.ends_with("FOUND") } else { off == plain };
            assert!(as_wanted, "`Privacy: off`, {name}, {trust}: {off}");
        }
        lab.asterisk.wait_idle();
    }
    assert!(!missing, "the table is not what was seen on {version}:\n{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn which_callers_are_looked_up_on_22() {
    table_holds_on("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn which_callers_are_looked_up_on_16() {
    table_holds_on("16").await;
}
