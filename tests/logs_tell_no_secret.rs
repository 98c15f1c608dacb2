//! Whatever `NAMEPLATE_LOG` asks for, no password, no number and no name is in the log: other crates, which know nothing of
//! secrets, say only what has gone wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::by_these_ways;
use crate::lab::call::{Lab, fjord};
use crate::lab::configuration::CRM_PASSWORD;
use crate::lab::nameplate::Folder;
use crate::lab::sip::Invite;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// What somebody may ask for who looks for the reason of a trouble.
const ASKED: [&str; 4] = [
    "info,tungstenite::handshake::client=trace",
    "info,tungstenite::protocol=trace,tungstenite=trace,tokio_tungstenite=trace",
    "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,h2=trace,log=trace,mio=trace,tungstenite=trace",
    "trace",
];

/// The service anew with this variable, a call through it, and the log. The list is asked for anew, too.
async fn log_of_a_call(lab: &mut Lab, asked: &str, format: &str) -> String {
    let folder: Folder = lab.way.folder(&lab.crm, &lab.asterisk);
    let config = lab.way.config(&lab.crm, &lab.asterisk);
    folder.configure(&format!("log.format = \"{format}\"\n{config}"));
    lab.nameplate.signal("TERM");
    lab.nameplate.ended().await;
    lab.nameplate = folder.serve_with(&[("NAMEPLATE_LOG", asked)]);
    lab.nameplate.until_logged("directory is in place", 1).await;
    let ready = if lab.way.is_agi() { "FastAGI server listens" } else { "connected; answers go over" };
    lab.nameplate.until_logged(ready, 1).await;
    for number in ["22334455", "+4722334455"] {
        let (_, ring) = lab.ring(Invite::from(number).named("OSLO")).await;
        assert_eq!(ring.name(), KARI, "{}", lab.nameplate.log());
    }
    lab.nameplate.until_logged("Found", 2).await;
    lab.nameplate.log()
}

by_these_ways! {
    async fn whatever_is_asked_for(way) {
        let mut lab = Lab::start_by(way, fjord()).await;
        let basic = |password: &str| BASE64.encode(format!("nameplate:{password}"));
        let ari = lab.asterisk.ari_password().to_owned();
        let secrets = [basic(&ari), basic(CRM_PASSWORD), ari, CRM_PASSWORD.to_owned()];
        let personal = ["Basic ", "22334455", "+472233", "Kari", "Nordmann", "Fjord", "OSLO"].map(str::to_owned);
        for asked in ASKED {
            for format in ["text", "json"] {
                let log = log_of_a_call(&mut lab, asked, format).await;
                for secret in secrets.iter().chain(&personal) {
                    assert!(!log.contains(secret), "{asked}: {secret}\n{log}");
                }
                assert!(log.contains("••••••55"), "{asked}: {log}");
            }
        }
    }
    websocket = Websocket, http = Http, agi = Agi
}
