//! Fifty PBXs are served side by side, each with its own settings and its own figures; one that is down or slow is no
//! one else's trouble.

use std::fmt::Write;

use tokio::net::TcpListener;

use crate::lab::asterisk::Asterisk;
use crate::lab::call::{PATIENCE, Turn, asterisk_of};
use crate::lab::configuration::csv_folder;
use crate::lab::nameplate::project;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::web::{self, get, metric};

/// Their sections; the odd ones are on Asterisk 22, the even ones on 16.
const SERVED: u32 = 44;
/// Nobody listens there.
const DOWN: std::ops::RangeInclusive<u32> = 45..=49;
/// It takes connections, and answers none.
const MUTE: u32 = 50;

/// Whose trunk is a Swedish one.
fn is_swedish(section: u32) -> bool {
    section.is_multiple_of(11)
}

/// The shipped context once for each application.
fn dialplan(phone: &Phone) -> String {
    let shipped = project().join("asterisk-conf/extensions_nameplate.conf");
    let shipped = std::fs::read_to_string(shipped).expect("the shipped dialplan");
    let context = shipped.split("[nameplate-outside]").next().unwrap_or_default();
    let mut dialplan = format!(
        "[from-trunk]\nexten => _X!,1,Gosub(nameplate-${{EXTEN}},lookup,1)\n same => n,Dial(PJSIP/operator/{},30)\n",
        phone.uri()
    );
    for section in 1..=SERVED {
        let own = context.replace("[nameplate]", &format!("[nameplate-{section}]"));
        dialplan += &own.replace("Stasis(nameplate,", &format!("Stasis(nameplate-{section},"));
    }
    dialplan
}

fn sections(new: &Asterisk, old: &Asterisk, mute: &str) -> String {
    let mut config = "[web]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for section in 1..=MUTE {
        let url = match section {
            MUTE => format!("http://{mute}"),
            _ if DOWN.contains(&section) => "http://127.0.0.1:9".into(),
            odd if odd % 2 == 1 => new.http_url(),
            _ => old.http_url(),
        };
        let numbers = if is_swedish(section) { "numbers = { country = \"SE\" }" } else { "" };
        let _ = writeln!(
            config,
            "[[asterisk]]\nname = \"pbx-{section}\"\napp = \"nameplate-{section}\"\nurl = \"{url}\"\nusername = \"nameplate\"\npassword = \"lab-password\"\n{numbers}"
        );
    }
    config
}

mod alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_for_itself() {
        let _turn = Turn::alone().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let (new, old) = (asterisk_of("22", &dialplan(&phone)), asterisk_of("16", &dialplan(&phone)));
        let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let config = sections(&new, &old, &mute.local_addr().expect("bound").to_string());
        let nameplate = csv_folder(&config, "+46980319262,Åsa Öberg,Älvsby Förlag AB\n").serve();
        let address = web::address(&nameplate).await;
        nameplate.until_logged("connected; answers go over the websocket", 22).await;
        nameplate.until_logged("connected; answers go over HTTP", 22).await;

        // Each is shown with how it is, and those that are missing with their names.
        let ready = get(address, "/readyz", "");
        assert_eq!(ready.status, 200, "{}", ready.body);
        for section in 1..=MUTE {
            let connected =
                metric(address, &format!("nameplate_asterisk_connected{{pbx=\"pbx-{section}\"}}"));
            assert_eq!(connected > 0.0, section <= SERVED, "pbx-{section}");
            let missing = ready.body.contains(&format!("asterisk pbx-{section} is "));
            assert_eq!(missing, section > SERVED, "pbx-{section}: {}", ready.body);
        }

        // Calls through several of them at once, on both, among them those of Swedish trunks.
        let callers = [
            (Caller::new(new.sip()).await.expect("a caller"), [1, 11, 21, 43]),
            (Caller::new(old.sip()).await.expect("a caller"), [2, 20, 22, 42]),
        ];
        let mut calls = Vec::new();
        for (caller, sections) in &callers {
            for &section in sections {
                let number = if is_swedish(section) { "0980319262" } else { "22334455" };
                calls.push((
                    section,
                    caller.invite(Invite::from(number).named("OSLO").to(&section.to_string())),
                ));
            }
        }
        let mut names = Vec::new();
        for _ in &calls {
            let ring = phone.next_ring(PATIENCE).await;
            names.push(ring.unwrap_or_else(|| panic!("no ring:\n{}", nameplate.log())).name().to_owned());
        }
        names.sort_unstable();
        let (kari, asa) = ("Kari Nordmann (Fjord Sjømat AS)", "Åsa Öberg (Älvsby Förlag AB)");
        assert_eq!(names, [kari, kari, kari, kari, kari, kari, asa, asa], "{}", nameplate.log());
        for (section, _) in &calls {
            let found = format!("nameplate_calls_total{{pbx=\"pbx-{section}\",outcome=\"found\"}}");
            web::until(address, "/metrics", |_| metric(address, &found) > 0.0).await;
        }
        assert_eq!(metric(address, "nameplate_calls_total{pbx=\"pbx-3\",outcome=\"found\"}"), 0.0);

        // A PBX that goes takes its own with it, and nobody else's.
        drop(old);
        web::until(address, "/readyz", |answer| answer.body.contains("asterisk pbx-2 is ")).await;
        let caller = Caller::new(new.sip()).await.expect("a caller");
        let _call = caller.invite(Invite::from("22334455").to("3"));
        let ring = phone.next_ring(PATIENCE).await.expect("it rings");
        assert_eq!(ring.name(), kari);
        assert_eq!(get(address, "/readyz", "").status, 200);
    }
}
