//! Which configurations are accepted, and the effects of their keys.

mod errors;
mod fastagi;
mod pbx;
mod share;
mod sources;
mod web;

use std::time::Duration;

use super::*;
use crate::directory::Origin;
use crate::directory::merge::SharedNumbers;
use crate::directory::ranges::Holder;
use crate::name::Doubtful;
use crate::number::Number;
use crate::secret::Secret;
use crate::source::ListId;

const HEAD: &str = "[numbers]\ncountry = \"NO\"\n";
const CSV: &str = "[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"\n";
const CRM: &str = "[[source]]\nname = \"sales\"\ntype = \"superoffice\"\napi = \"https://crm.example.com/SuperOffice/api\"\n";
const PBX: &str =
    "[[asterisk]]\nname = \"pbx1\"\nurl = \"http://127.0.0.1:8088\"\nusername = \"nameplate\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/nameplate/nameplate.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn the_least_there_is() {
    let config = parse(&format!("{HEAD}{CSV}")).unwrap();
    assert_eq!(config.pbx.numbers.country.as_str(), "NO");
    assert!(config.log.mask);
    assert_eq!(config.style, Style::default());
    assert_eq!(config.rules, Rules::default());
    let [source] = config.sources.as_slice() else { unreachable!("one source") };
    let source::Kind::Csv(file) = &source.kind else { unreachable!("a file") };
    assert_eq!(file.path, Path::new("/etc/nameplate/vip.csv"));
    assert_eq!((file.delimiter, source.refresh), (None, Duration::from_mins(1)));
}

#[test]
fn a_broken_file_says_where_its_lists_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nameplate.toml");
    for (text, expected) in [
        ("# state_dir = \"no\"\nstate_dir = \"/srv/lists\" # here\n[numbers]\ncountry = 7", "/srv/lists"),
        ("state_dir=\"lists\"\n[[[\nstate_dir = \"no\"", folder.path().join("lists").to_str().unwrap()),
        ("[numbers]\nstate_dir = \"no\"", DEFAULT_STATE_DIR),
        ("", DEFAULT_STATE_DIR),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(state_dir(&path), Path::new(expected), "{text}");
    }
    assert_eq!(state_dir(Path::new("/nonexistent/nameplate.toml")), Path::new(DEFAULT_STATE_DIR));
}

#[test]
fn every_key_has_its_effect() {
    let text = format!(
        r#"{HEAD}strip_prefixes = ["0"]
        area_code = "22"
        internal = ["1xx", "2XXX"]
        short_codes = ["02800"]
        [log]
        format = "json"
        level = "warn"
        mask = false
        [names]
        person = "{{mrmrs}} {{person}}"
        company = "{{company}} (firm)"
        max_bytes = 40
        ascii = true
        shared = "{{company}} (shared)"
        guess = "{{company}}?"
        keep_existing = true
        shared_numbers = "none"
        doubtful = "show"
        placeholders = ["VOIP CALLER", "Oslo"]
        [ranges]
        guess = true
        known = {{ "+47 2251 8000-8099" = "contact 243", "22 60 00 00-09" = "company Globex" }}
        [[suppress]]
        numbers = ["22 33 44 55"]
        [[suppress]]
        numbers = ["+47 2251 8000-8099"]
        {CRM}
        prefix = "VIP "
        tag = "crm"
        auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
        window_past = "30d"
        window_future = "60d"
        language = "nb-NO"
        refresh = "10m"
        app_token_env = "APP_TOKEN"
        selections = [201, {{ id = 202, tag = "vip" }}]
        so_language = "no"
        so_timezone = "W. Europe Standard Time"
        first_byte = "1m"
        ca_file = "ca.pem"
        proxy = "http://proxy:3128"
        timeout = "30s"
        max_answer = "64MB"
        search_on_miss = true
        search_wait = "300ms"
        {PBX}password_env = "ARI_PASSWORD"
        app = "nameplate-1"
        numbers = {{ country = "SE" }}
        [web]
        listen = "0.0.0.0:8480"
        token_file = "web.token"
        history = 0
        [share]
        sentinels = ["rediss://valkey-1.example.com", "rediss://valkey-2.example.com:26380"]
        master = "names"
        username = "nameplate"
        password_file = "share.password"
        ca_file = "valkey.pem"
        client_certificate = "nameplate.pem"
        client_key = "nameplate.key"
        key_file = "share.key"
        site = "oslo"
        "#
    );
    let config = parse(&text).unwrap();
    let log =
        logging::Settings { format: logging::Format::Json, level: logging::LogLevel::Warn, mask: false };
    assert_eq!(config.log, log);
    assert_eq!((config.style.max_bytes, config.style.ascii), (40, true));
    assert_eq!(config.style.company("Fjord", "sales").unwrap().as_str(), "VIP Fjord (firm)");
    assert_eq!(config.style.guess("Fjord", "other").unwrap().as_str(), "Fjord?");
    assert_eq!(config.style.shared(["Acme", "Globex"], "").unwrap().as_str(), "Acme / Globex (shared)");
    assert!(config.style.keeps("OSLO TAXI"));
    assert_eq!((config.rules.shared, config.rules.ranges.guess), (SharedNumbers::None, true));
    assert_eq!(config.style.doubtful, Doubtful::Show);
    assert!(
        !config.style.keeps("VoIP caller") && !config.style.keeps("OSLO") && config.style.keeps("OSLO TAXI")
    );
    let ranges = config.rules.ranges.known.iter().map(|range| (range.label(), range.holder().clone()));
    let globex = Holder::CompanyName("Globex".into());
    let expected = [("+4722518000-8099", Holder::CompanyId(243)), ("+4722600000-0009", globex)];
    assert_eq!(ranges.collect::<Vec<_>>(), expected);
    for (national, is_suppressed) in [(22_334_455, true), (22_518_099, true), (22_334_456, false)] {
        assert_eq!(config.suppressed.has(Number::new(47, national).unwrap()), is_suppressed, "{national}");
    }
    assert_eq!(config.pbx.numbers.strip_prefixes, ["0"]);
    let numbers = &config.pbx.numbers;
    assert_eq!((numbers.area_code.as_deref(), numbers.internal.len()), (Some("22"), 2));
    assert_eq!(numbers.short_codes, ["02800"]);
    let source::Kind::SuperOffice(crm) = &config.sources[0].kind else { unreachable!("a CRM") };
    assert_eq!(crm.window_past, Duration::from_hours(30 * 24));
    let origin = |tag: &str| Origin { source: "sales".into(), tag: tag.into() };
    // The tag of one selection comes before that of all.
    assert_eq!(config.sources[0].origins(), [origin("vip"), origin("crm")]);
    assert_eq!(config.sources[0].origin(ListId { selection: Some(201) }), origin("crm"));
    assert_eq!(crm.window_future, Duration::from_hours(60 * 24));
    assert_eq!(crm.language, "nb-NO");
    assert!(crm.search_on_miss);
    assert_eq!(config.sources[0].search_wait, Some(Duration::from_millis(300)));
    assert_eq!(crm.ca_file.as_deref(), Some(Path::new("/etc/nameplate/ca.pem")));
    assert_eq!(crm.proxy.as_ref().unwrap().as_str(), "http://proxy:3128/");
    assert_eq!(
        crm.so_headers,
        [("SO-Language", "no".into()), ("SO-TimeZone", "W. Europe Standard Time".into())]
    );
    assert!(matches!(&crm.app_token, Some(Secret::Env(name)) if name == "APP_TOKEN"));
    // `first_byte` is `timeout` at most: the first byte of an answer is not later than its last.
    assert_eq!(crm.first_byte, Duration::from_secs(30));
    let lists = config.sources[0].lists();
    let names: Vec<_> = lists.iter().map(|list| list.name(&config.sources[0].name)).collect();
    assert_eq!(names, ["sales-201", "sales-202"]);
    assert_ne!(config.sources[0].fingerprint(lists[0]), config.sources[0].fingerprint(lists[1]));
    assert_eq!((crm.timeout, crm.max_answer), (Duration::from_secs(30), 64_000_000));
    assert_eq!(config.sources[0].refresh, Duration::from_mins(10));
    let [pbx] = config.asterisks.as_slice() else { unreachable!("one PBX") };
    assert_eq!((pbx.app.as_str(), pbx.pbx.numbers.country.as_str()), ("nameplate-1", "SE"));
    assert_eq!(pbx.pbx.numbers.strip_prefixes, ["0"]);
    // The area code of another country does not apply.
    assert_eq!(pbx.pbx.numbers.area_code, None);
    assert_eq!(
        (&pbx.pbx.numbers.internal, &pbx.pbx.numbers.short_codes),
        (&numbers.internal, &numbers.short_codes)
    );
    let web = config.web.unwrap();
    assert_eq!((web.listen().to_string().as_str(), web.has_token()), ("0.0.0.0:8480", true));
    assert_eq!(web.history, 0);
    assert_eq!(config.share.unwrap(), share::whole());
}

#[test]
fn a_retired_key_is_taken_with_a_notice() {
    let notices = |text: &str| parse(&format!("{HEAD}{text}\n{CSV}")).map(|config| config.notices());
    assert_eq!(notices(""), Ok(Vec::new()));
    let notice = "`kept` in [lookups] has no meaning any more: delete it. The next version refuses it";
    assert_eq!(notices("[lookups]\nkept = 100"), Ok(vec![notice.to_owned()]));
}
