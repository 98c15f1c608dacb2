//! In a real browser: a call is on the page with its name while the phone rings, large for its operator, and leads to the person
//! in the CRM. People are found as one types. A name is text, whatever it says. The pages need no JavaScript, no mouse, and no
//! wide screen.

use std::net::SocketAddr;

use serde_json::Value;

use crate::lab::asterisk::Setup;
use crate::lab::browser::{Browser, Look};
use crate::lab::call::{Lab, Turn, fjord, from_trunk};
use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::people::crowd;
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::superoffice::{Fault, Record, StandIn};
use crate::lab::visitor::{log_in, users};
use crate::lab::way::Way;
use crate::lab::web;

const WEB: &str = "[web]\nlisten = \"127.0.0.1:0\"\n";
const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "\"><img src=x onerror=alert(2)>";
/// The first row of the list, and the first large call.
const ROW: &str = "document.querySelector('#calls tr')?.textContent";
const LARGE: &str = "document.querySelector('#large .big')?.textContent";

fn records() -> Vec<Record> {
    let mut records = fjord();
    records.push(Record::person(47, 22_334_466, (657, SCRIPT), (244, IMAGE)));
    records.push(Record::person(49, 8_923_123_456, (658, "Åse Müller"), (243, "Fjord Sjømat AS")));
    records
}

async fn lab(sections: &str) -> (Lab, SocketAddr) {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = from_trunk("Gosub(nameplate,lookup,1)", &phone.uri());
    let asterisk = Way::Websocket.asterisk_with(&Setup { dialplan: &dialplan, ..Setup::default() });
    let sections = format!("{WEB}{sections}");
    let lab = Lab::configured(Way::Websocket, "", &sections, turn, records(), asterisk, phone).await;
    let address = web::address(&lab.nameplate).await;
    (lab, address)
}

/// Waits until the page gets calls as they come.
async fn live(browser: &Browser) {
    browser.until("document.querySelector('#live.good')").await;
}

async fn nothing_is_wrong(browser: &Browser) {
    assert_eq!(browser.console(&[]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_for_their_operator_and_with_a_link_to_the_crm() {
    let (lab, address) = lab("").await;
    let site = format!("http://{address}");
    let browser = Browser::start().await;
    browser.grant(&site, "notifications").await;
    browser.open(&site).await;
    live(&browser).await;
    assert!(browser.text("#none").await.contains("No calls yet"));
    browser.click("#mine-title").await;
    browser.write("#mine-numbers", "21000000, 100").await;
    browser.click("#mine-sound").await;
    browser.click("#mine-notify").await;
    browser.until("document.querySelector('#mine-notify').checked").await;

    lab.ring(Invite::from("22334455")).await;
    browser.until(&format!("{LARGE}?.includes('Kari Nordmann')")).await;
    let row: Vec<String> = browser
        .says("[...document.querySelectorAll('#calls tr td')].map((cell) => cell.innerText.trim())")
        .await;
    let expected =
        ["Kari Nordmann", "Fjord Sjømat AS", "22 33 44 55", "certain", "crm", "pbx1", "100", "named"];
    assert_eq!(row[1..], expected.map(str::to_owned));
    let person = format!("http://{}/SuperOffice/default.aspx?person.main?person_id=654", lab.crm.address());
    let href = "document.querySelector('#calls .name a').href";
    assert_eq!(browser.says::<String>(href).await, person);
    nothing_is_wrong(&browser).await;
    assert_eq!(browser.follow("#large h2 a").await, person);
    let company = browser.follow("#calls .company a").await;
    assert_eq!(company, person.replace("person.main?person_id=654", "contact.main?contact_id=243"));
    // The stand-in has no such pages.
    browser.console(&[]).await;

    // The choice stays in the browser. A call for somebody else is not large.
    browser.open(&site).await;
    live(&browser).await;
    assert_eq!(
        browser.says::<String>("document.querySelector('#mine-numbers').value").await,
        "21000000, 100"
    );
    lab.ring(Invite::from("22334460").to("200")).await;
    browser.until(&format!("{ROW}?.includes('Ola Hansen')")).await;
    assert!(browser.says::<bool>(&format!("!{LARGE} && {ROW}.includes('Also possible')")).await);

    // Whoever writes a script into a name has written a name.
    lab.ring(Invite::from("22334466").named(SCRIPT)).await;
    browser.until(&format!("{LARGE}?.includes('{SCRIPT}')")).await;
    for place in ["#calls", "#large"] {
        let elements = format!("document.querySelectorAll('{place} script, {place} img').length");
        assert_eq!(browser.says::<u32>(&elements).await, 0);
    }
    assert!(browser.text("#calls .company").await.contains(IMAGE));
    nothing_is_wrong(&browser).await;
    browser.end().await;
    lab.asterisk.wait_idle();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_are_found_as_one_types() {
    let folder = {
        let crm = StandIn::start(records()).await.expect("the stand-in");
        (crm_folder(&(crm_alone(&crm) + WEB)), crm)
    };
    let nameplate = folder.0.serve();
    nameplate.until_logged("directory is in place", 1).await;
    let site = format!("http://{}", web::address(&nameplate).await);
    let browser = Browser::start().await;
    // The first question has the index built.
    browser.open(&format!("{site}/find?q=kari")).await;
    web::until(site[7..].parse().expect("an address"), "/find?q=kari", |page| {
        page.body.contains("person_id=654")
    })
    .await;
    browser.open(&format!("{site}/find")).await;
    for (typed, found) in [
        ("kari", "Kari Nordmann"),
        ("fjord nor", "Kari Nordmann"),
        ("aase", "Åse Müller"),
        ("muel", "Åse Müller"),
        ("mull", "Åse Müller"),
        ("08923 123", "Åse Müller"),
        ("2233 4455", "Kari Nordmann"),
        ("scri", SCRIPT),
    ] {
        browser.click("#q").await;
        browser.says::<Value>("document.querySelector('#q').select()").await;
        browser.press(typed).await;
        browser.until(&format!("new URL(location).searchParams.get('q') === '{typed}'")).await;
        let hits: Vec<String> =
            browser.says("[...document.querySelectorAll('#results h2')].map((hit) => hit.textContent)").await;
        assert!(hits.iter().any(|hit| hit.contains(found)), "{typed}: {hits:?}");
    }
    assert_eq!(
        browser.says::<u32>("document.querySelectorAll('#results script, #results img').length").await,
        0
    );
    browser.open(&format!("{site}/find?q=22334455")).await;
    let explained = browser.text(".explained").await;
    assert!(
        explained.contains("Kari Nordmann (Fjord Sjømat AS)")
            && explained.contains("22 33 44 55: a national number, known"),
        "{explained}"
    );
    nothing_is_wrong(&browser).await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_page_that_was_left_open_over_a_restart() {
    let (mut lab, address) = lab("").await;
    let config =
        lab.way.config(&lab.crm, &lab.asterisk) + "\n" + &WEB.replace("127.0.0.1:0", &address.to_string());
    lab.nameplate.folder().configure(&config);
    let browser = Browser::start().await;
    browser.open(&format!("http://{address}")).await;
    live(&browser).await;
    lab.ring(Invite::from("22334455")).await;
    browser.until(&format!("{ROW}?.includes('Kari Nordmann')")).await;
    let before = lab.nameplate.log().matches("connected; answers go over").count();
    lab.nameplate = lab.nameplate.again();
    lab.nameplate.until_logged("connected; answers go over", before + 1).await;
    lab.ring(Invite::from("22334466")).await;
    browser.until(&format!("{ROW}?.includes('{SCRIPT}')")).await;
    live(&browser).await;
    lab.ring(Invite::from("22334460")).await;
    browser.until(&format!("{ROW}?.includes('Ola Hansen')")).await;
    // Each once.
    assert_eq!(browser.says::<u32>("document.querySelectorAll('#calls tr').length").await, 3);
    // A browser says that nobody was there.
    let gone = [
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
    ];
    assert_eq!(browser.console(&gone).await, Vec::<String>::new());
    browser.end().await;
    lab.asterisk.wait_idle();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript() {
    let (lab, address) = lab(&users()).await;
    let site = format!("http://{address}");
    lab.ring(Invite::from("22334455")).await;
    web::until(address, "/", |page| page.body.contains("Kari Nordmann")).await;
    let browser = Browser::without_scripts().await;
    browser.open(&site).await;
    assert!(browser.text("#calls").await.contains("Kari Nordmann"));
    assert!(browser.text("main").await.contains("Without JavaScript this list stands still"));
    browser.open(&format!("{site}/find")).await;
    browser.write("#q", "kari").await;
    browser.click("#find button").await;
    web::until(address, "/find?q=kari", |page| page.body.contains("person_id=654")).await;
    browser.open(&browser.url().await).await;
    assert!(browser.text("#results").await.contains("Kari Nordmann"));
    log_in_by_form(&browser, &site).await;
    let status = browser.text("main").await;
    assert!(status.contains("crm") && status.contains("pbx1"), "{status}");
    browser.end().await;
    lab.asterisk.wait_idle();
}

async fn log_in_by_form(browser: &Browser, site: &str) {
    browser.open(&format!("{site}/login?to=%2Fstatus")).await;
    browser.write("#name", "kari").await;
    browser.write("#password", crate::lab::visitor::PASSWORD).await;
    browser.click(".door button").await;
    assert!(browser.url().await.ends_with("/status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_list_that_is_held_back_is_accepted_by_an_administrator_alone() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1h\"");
    let nameplate = crm_folder(&format!("{config}\n{WEB}{}", users())).serve();
    nameplate.until_logged("directory is in place", 1).await;
    let site = format!("http://{}", web::address(&nameplate).await);
    crm.set_records(crowd(5));
    let (_, said) = nameplate.folder().said(&["refresh"]);
    assert!(said.contains("is held back"), "{said}");

    let browser = Browser::start().await;
    log_in(&browser, &site, "kari").await;
    let page = browser.text("main").await;
    assert!(
        page.contains("A list of 5 entries is held back") && !page.contains("Accept this list"),
        "{page}"
    );
    nothing_is_wrong(&browser).await;
    // Who makes the form by hand, with the token of an own page, is refused.
    let forged = "fetch('/status/accept', { method: 'POST', body: new URLSearchParams({ list: 'crm', held: '1', \
                  forgery: document.querySelector('[name=forgery]').value }) }).then((answer) => answer.status)";
    let status: u16 = browser.says(forged).await;
    assert_eq!(status, 403);
    assert!(!nameplate.log().contains("a list that is held back is accepted"), "{}", nameplate.log());
    // The browser notes the refusal.
    browser.console(&[]).await;

    log_in(&browser, &site, "ase").await;
    browser.click("form[action='/status/accept'] button").await;
    browser.until("document.querySelector('.count .number')?.textContent.trim() === '5'").await;
    assert!(!browser.source().await.contains("/status/accept"));
    nameplate.until_logged("a list that is held back is accepted", 1).await;
    nothing_is_wrong(&browser).await;
    browser.end().await;
}

/// A lab in which all is on the pages: calls of each kind, a list that is held back, a PBX that is away.
async fn full() -> (Lab, SocketAddr) {
    let away =
        "[[asterisk]]\nname = \"branch\"\nurl = \"http://127.0.0.1:9\"\nusername = \"u\"\npassword = \"p\"\n";
    let (lab, address) = lab(&(users() + away)).await;
    for number in ["22334455", "22334460", "22999999", "22334400", "110", "22999999", "+498923123456"] {
        lab.ring(Invite::from(number)).await;
    }
    lab.crm.set_records(crowd(2));
    lab.nameplate.until_logged("is held back", 1).await;
    lab.crm.fail(Fault::status(503));
    web::until(address, "/find?q=kari", |page| page.body.contains("person_id=654")).await;
    (lab, address)
}

/// The pages, by name.
const PAGES: [(&str, &str); 6] = [
    ("calls", "/"),
    ("find", "/find?q=fjord"),
    ("explained", "/find?q=22334455"),
    ("status", "/status"),
    ("login", "/login"),
    ("missing", "/nothing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_barrier_light_and_dark_wide_and_narrow_and_at_200_percent() {
    let (lab, address) = full().await;
    let site = format!("http://{address}");
    let browser = Browser::start().await;
    log_in(&browser, &site, "ase").await;
    browser.until("!document.querySelector('#live').dataset.busy.includes('true')").await;
    let mut barriers = Vec::new();
    let english = Look::ALL.map(|look| ("en", look));
    // The words of another language have other lengths.
    for (language, look) in english.into_iter().chain(Look::IN_NORWEGIAN.map(|look| ("nb", look))) {
        browser.look(look).await;
        browser.open(&format!("{site}/?language={language}")).await;
        for (name, path) in PAGES {
            browser.open(&format!("{site}{path}")).await;
            if name == "calls" {
                live(&browser).await;
            }
            let found = browser.barriers().await;
            barriers.extend(found.into_iter().map(|line| format!("{name} {}: {line}", look.name)));
            // At 400 % of such a window, and on the smallest phones.
            for width in [look.window.0 / look.zoom, 320] {
                browser.look(Look { window: (width, 640), zoom: 1, ..look }).await;
                let over: i32 = browser
                    .says("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    .await;
                if over > 0 {
                    barriers.push(format!("{name} {}: {over} pixels wider than {width}", look.name));
                }
            }
            browser.look(look).await;
            browser.picture(name, look).await;
        }
    }
    assert!(barriers.is_empty(), "{}", barriers.join("\n"));
    // The browser notes that there is no page `/nothing`.
    assert_eq!(browser.console(&["/nothing"]).await, Vec::<String>::new());
    browser.end().await;
    lab.asterisk.wait_idle();
}

/// What can be used on a page, in words.
const USED: &str = "[...document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]')]\
                    .filter((one) => one.checkVisibility() && one.type !== 'hidden' && !one.disabled)";

#[tokio::test(flavor = "multi_thread")]
async fn to_somebody_who_has_a_keyboard_alone() {
    let (lab, address) = full().await;
    let site = format!("http://{address}");
    let browser = Browser::start().await;
    log_in(&browser, &site, "ase").await;
    for (name, path) in PAGES {
        browser.open(&format!("{site}{path}")).await;
        browser.says::<Value>("document.activeElement.blur()").await;
        browser.says::<Value>(&format!("(window.wanted = new Set({USED}), window.unseen = [], null)")).await;
        let count: usize = browser.says("wanted.size").await;
        for _ in 0..=count {
            browser.press("\u{e004}").await;
            browser
                .says::<Value>(
                    "(() => { const one = document.activeElement; wanted.delete(one); if (one !== document.body && \
                     getComputedStyle(one).outlineStyle === 'none') unseen.push(one.outerHTML); return null; })()",
                )
                .await;
        }
        let left: Vec<String> = browser.says("[...wanted].map((one) => one.outerHTML)").await;
        let unseen: Vec<String> = browser.says("unseen").await;
        assert!(
            left.is_empty() && unseen.is_empty(),
            "{name}: never reached: {left:?}, not seen: {unseen:?}"
        );
    }
    // Past the navigation, and through a large call.
    browser.open(&site).await;
    live(&browser).await;
    browser.press("\u{e004}").await;
    assert_eq!(browser.says::<String>("document.activeElement.className").await, "skip");
    browser.press("\u{e007}").await;
    browser.until("document.activeElement.id === 'main'").await;
    browser.press("\u{e004}").await;
    browser.until("document.activeElement.id === 'mine-title'").await;
    browser.press("\u{e007}").await;
    browser.press("\u{e004}").await;
    browser.press("100").await;
    lab.ring(Invite::from("22334455")).await;
    browser.until(&format!("{LARGE}?.includes('Kari Nordmann')")).await;
    while !browser.says::<bool>("document.activeElement.matches('#large button')").await {
        browser.press("\u{e004}").await;
    }
    browser.press("\u{e007}").await;
    browser.until(&format!("!{LARGE}")).await;
    browser.end().await;
    lab.asterisk.wait_idle();
}
