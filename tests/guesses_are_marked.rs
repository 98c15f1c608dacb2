//! A caller without a record, in a company's range, rings with the company's name marked as a guess; whoever has the number
//! itself is named without the mark, and what is known of nobody is no guess. An id can't be marked, so a guess has none; the
//! administrator's own ranges have.

use serde_json::Value;

use crate::by_every_way;
use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Turn, noted, ring};
use crate::lab::configuration::CSV_ONLY;
use crate::lab::nameplate::Folder;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::way::Way;

const RANGES: &str = r#"
[ranges]
guess = true
known = { "+47 2251 8000-8099" = "contact 243", "+47 2251 8050-8059" = "contact 999" }
"#;

const PEOPLE: &str = "number,person,company,mrmrs,person_id,contact_id
22518001,Kari Nordmann,Fjord Sjømat AS,,654,243
+49 30 123450,,Acme GmbH,,,7
+49 30 123455,Eva Berg,Acme GmbH,,8,7
";

fn folder(further: &str) -> Folder {
    let folder = Folder::new(&format!("{CSV_ONLY}{RANGES}{further}"));
    folder.write("vip.csv", PEOPLE);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_operators_phone() {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let asterisk = Asterisk::start(&format!(
        "[from-trunk]\n\
         exten => _X.,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Log(NOTICE,${{CALLERID(num)}} person=${{NAMEPLATE_PERSON_ID}} contact=${{NAMEPLATE_CONTACT_ID}} )\n\
         \x20same => n,Dial(PJSIP/operator/{},30)\n",
        phone.uri()
    ));
    let nameplate = folder(&section(Way::Websocket, &asterisk)).serve();
    nameplate.until_ready().await;
    // At each new directory, without the number.
    nameplate.until_logged("no list has this contact", 1).await;
    assert!(nameplate.log().contains("contact=999"), "{}", nameplate.log());
    assert!(!nameplate.log().contains("22518050"), "{}", nameplate.log());
    let caller = Caller::new(asterisk.sip()).await.unwrap();
    for (digits, name, ids) in [
        ("22518002", "~Fjord Sjømat AS", "person= contact=243 "),
        ("22518001", "Kari Nordmann (Fjord Sjømat AS)", "person=654 contact=243 "),
        ("004930123451234", "~Acme GmbH", "person= contact= "),
        ("004930123455", "Eva Berg (Acme GmbH)", "person=8 contact=7 "),
        // Somebody's, but of a company that no list has; and nobody's.
        ("22518050", "OSLO TAXI", "person= contact= "),
        ("22518100", "OSLO TAXI", "person= contact= "),
    ] {
        let invite = Invite::from(digits).named("OSLO TAXI");
        let (_, ring) = ring(&caller, &phone, invite, || asterisk.log()).await;
        assert_eq!(ring.name(), name, "{digits}");
        noted(&asterisk, &format!("{digits} {ids}"), 1).await;
    }
}

/// The PBX's section, for this way.
fn section(way: Way, asterisk: &Asterisk) -> String {
    if way.is_agi() {
        return format!("[agi]\nlisten = \"{}\"\n", asterisk.agi());
    }
    let (url, user, password) = (asterisk.http_url(), asterisk.ari_user(), asterisk.ari_password());
    format!(
        "[[asterisk]]\nname = \"pbx1\"\nurl = \"{url}\"\nusername = \"{user}\"\npassword = \"{password}\"\n"
    )
}

by_every_way! {
    async fn beside_a_name_that_is_kept_a_guess_is_nobody(way) {
        let _turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
        let asterisk = way.asterisk(&format!(
            "[from-trunk]\n\
             exten => _X.,1,Gosub(nameplate,lookup,1)\n\
             \x20same => n,Log(NOTICE,${{CALLERID(num)}} ${{NAMEPLATE_STATUS}} person=${{NAMEPLATE_PERSON_ID}} contact=${{NAMEPLATE_CONTACT_ID}} )\n\
             \x20same => n,Dial(PJSIP/operator/{},30)\n",
            phone.uri()
        ));
        let keeping = format!("[names]\nkeep_existing = true\n{}", section(way, &asterisk));
        let nameplate = folder(&keeping).serve();
        way.until_ready(&nameplate).await;
        let caller = Caller::new(asterisk.sip()).await.unwrap();
        for (digits, existing, name, noted_so) in [
            ("004930123451234", Some("OSLO TAXI"), "OSLO TAXI", "NOTFOUND person= contact= "),
            ("004930123451235", Some("Caller Unknown"), "~Acme GmbH", "FOUND person= contact= "),
            // The administrator's word.
            ("22518002", Some("OSLO TAXI"), "OSLO TAXI", "FOUND person= contact=243 "),
            ("22518003", None, "~Fjord Sjømat AS", "FOUND person= contact=243 "),
        ] {
            let invite = Invite::from(digits);
            let invite = existing.map_or(invite.clone(), |name| invite.named(name));
            let (_, ring) = ring(&caller, &phone, invite, || asterisk.log()).await;
            assert_eq!(ring.name(), name, "{digits}");
            noted(&asterisk, &format!("{digits} {noted_so}"), 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_doubt_is_marked_and_has_no_ids() {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.unwrap();
    let asterisk = Asterisk::start(&format!(
        "[from-trunk]\n\
         exten => _X.,1,Gosub(nameplate,lookup,1(DE))\n\
         \x20same => n,Log(NOTICE,${{CALLERID(num)}} person=${{NAMEPLATE_PERSON_ID}} contact=${{NAMEPLATE_CONTACT_ID}} )\n\
         \x20same => n,Dial(PJSIP/operator/{},30)\n",
        phone.uri()
    ));
    let folder = folder(&section(Way::Websocket, &asterisk));
    // 04722 334455 is in Cuxhaven's district, and +47 22 33 44 55 is Kari's.
    let people = "+49 4722 334455,Hans Meier,Cux GmbH,,9,8\n+47 22334455,Kari Nordmann,Fjord AS,,654,243\n";
    folder.write("vip.csv", format!("number,person,company,mrmrs,person_id,contact_id\n{people}"));
    let nameplate = folder.serve();
    nameplate.until_ready().await;
    let caller = Caller::new(asterisk.sip()).await.unwrap();
    for (digits, name, ids) in [
        ("4722334455", "~Hans Meier (Cux GmbH)", "person= contact= "),
        ("04722334455", "Hans Meier (Cux GmbH)", "person=9 contact=8 "),
        ("004722334455", "Kari Nordmann (Fjord AS)", "person=654 contact=243 "),
    ] {
        let (_, ring) = ring(&caller, &phone, Invite::from(digits), || asterisk.log()).await;
        assert_eq!(ring.name(), name, "{digits}");
        noted(&asterisk, &format!("{digits} {ids}"), 1).await;
    }
}

#[test]
fn on_the_command_line() {
    let folder = folder("");
    let output = folder.run(&["lookup", "22518002"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("~Fjord Sjømat AS\n"), "{said}");
    assert!(said.contains("range     +4722518000-8099\n"), "{said}");
    assert!(!said.contains("← known"), "{said}");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no list has this contact"));
    let output = folder.run(&["lookup", "+4930123451", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["certainty"], &said["range"]), (&"range".into(), &"+493012345".into()));
    assert_eq!((&said["number"], &said["person"]), (&"+4930123451".into(), &Value::Null));
    assert_eq!(folder.run(&["lookup", "22518050"]).status.code(), Some(3));
}
