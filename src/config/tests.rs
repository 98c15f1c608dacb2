//! What the configuration accepts, and what it says of the rest.

use super::*;

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
    let [source] = config.sources.as_slice() else { unreachable!("one source") };
    let source::Kind::Csv(file) = &source.kind else { unreachable!("a file") };
    assert_eq!(file.path, Path::new("/etc/nameplate/vip.csv"));
    assert_eq!((file.delimiter, source.refresh), (b',', Duration::from_mins(1)));
}

#[test]
fn every_key_has_its_effect() {
    let text = format!(
        r#"{HEAD}strip_prefixes = ["0"]
        [log]
        format = "json"
        mask = false
        [names]
        person = "{{mrmrs}} {{person}}"
        company = "{{company}} (firm)"
        max_bytes = 40
        ascii = true
        {CRM}
        auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
        window_past = "30d"
        window_future = "60d"
        language = "nb-NO"
        refresh = "10m"
        ca_file = "ca.pem"
        proxy = "http://proxy:3128"
        timeout = "30s"
        max_answer = "64MB"
        {PBX}password_env = "ARI_PASSWORD"
        app = "nameplate-1"
        numbers = {{ country = "SE" }}
        [web]
        listen = "0.0.0.0:8480"
        token_file = "web.token"
        "#
    );
    let config = parse(&text).unwrap();
    assert_eq!((config.log.format, config.log.mask), (logging::Format::Json, false));
    assert_eq!((config.style.max_bytes, config.style.ascii), (40, true));
    assert_eq!(config.style.company("Fjord").unwrap().as_str(), "Fjord (firm)");
    assert_eq!(config.pbx.numbers.strip_prefixes, ["0"]);
    let source::Kind::SuperOffice(crm) = &config.sources[0].kind else { unreachable!("a CRM") };
    assert_eq!(crm.window_past, Duration::from_hours(30 * 24));
    assert_eq!(crm.window_future, Duration::from_hours(60 * 24));
    assert_eq!(crm.language, "nb-NO");
    assert_eq!(crm.ca_file.as_deref(), Some(Path::new("/etc/nameplate/ca.pem")));
    assert_eq!(crm.proxy.as_ref().unwrap().as_str(), "http://proxy:3128/");
    assert_eq!((crm.timeout, crm.max_answer), (Duration::from_secs(30), 64_000_000));
    assert_eq!(config.sources[0].refresh, Duration::from_mins(10));
    let [pbx] = config.asterisks.as_slice() else { unreachable!("one PBX") };
    assert_eq!((pbx.app.as_str(), pbx.pbx.numbers.country.as_str()), ("nameplate-1", "SE"));
    assert_eq!(pbx.pbx.numbers.strip_prefixes, ["0"]);
    let web = config.web.unwrap();
    assert_eq!((web.listen().to_string().as_str(), web.has_token()), ("0.0.0.0:8480", true));
}

#[test]
fn sources_of_one_superoffice_form_one_group() {
    let auth = "auth = { type = \"basic\", username = \"u\", password = \"p\" }\n";
    let second = CRM.replace("sales", "service");
    // The same WebAPI, spelled otherwise.
    let second = second.replace("/api\"", "/api/\"");
    let other = CRM.replace("sales", "other").replace("crm.example", "crm2.example");
    let config = parse(&format!("{HEAD}{CRM}{auth}{CSV}{second}{auth}{other}{auth}")).unwrap();
    let groups: Vec<_> = config.sources.iter().map(|source| source.group).collect();
    assert_eq!(groups, [0, 1, 0, 2]);
}

#[test]
fn an_error_names_the_place_the_value_and_what_is_allowed() {
    for (text, said) in [
        (String::new(), "there is no [numbers] with the country of this PBX"),
        (
            format!("{HEAD}{CSV}[asterisk]\nname = \"pbx1\"\n"),
            ":7: `[asterisk]`: a table of which there may be several",
        ),
        (
            format!("[numbers]\ncountry = NO\n{CSV}"),
            ":2: `country`: this is no number; a text stands in quotes",
        ),
        (format!("{HEAD}{CSV}{}", PBX.replace(":8088", ":8088/ari")), "`url`: `http://127.0.0.1:8088/ari`"),
        (HEAD.into(), "there is no [[source]]"),
        (format!("[numbers]\ncountry = \"NX\"\n{CSV}"), ":2: `country`: "),
        (format!("{HEAD}{CSV}refesh = \"5m\"\n"), ":7: unknown key `refesh`: did you mean `refresh`?"),
        (format!("{HEAD}{CSV}refresh = \"5x\"\n"), ":7: `refresh`: `5x` is no period; allowed are"),
        (format!("{HEAD}{CSV}delimiter = \";;\"\n"), ":7: `delimiter`: `;;` is no delimiter"),
        (
            format!("{HEAD}{CSV}api = \"https://crm.example.com\"\n"),
            ":3: [[source]] `vip`: `api` is for type = \"superoffice\"",
        ),
        (format!("{HEAD}{CSV}{CSV}"), ":7: [[source]] `vip`: `name` is another source's too"),
        (
            format!("{HEAD}{}", CSV.replace("vip\"\nt", "VIP\"\nt")),
            ":4: `name`: `VIP` is no name; allowed are 1 to 32",
        ),
        (
            format!("{HEAD}{}", CSV.replace("\"csv\"", "\"excel\"")),
            ":5: `type`: unknown variant `excel`, expected `superoffice` or `csv`",
        ),
        (format!("{HEAD}{CRM}"), "`auth` is missing"),
        (
            format!("{HEAD}{CSV}[names]\nmax_bytes = 57\n"),
            ":8: `max_bytes`: 57 is out of range; allowed are 1 to 56",
        ),
        (
            format!("{HEAD}{CSV}[names]\nperson = \"{{persn}}\"\n"),
            ":8: `person`: template `{persn}`, character 1",
        ),
        (
            format!("{HEAD}{CSV}{PBX}"),
            "`password` is missing; allowed is one of password, password_file and password_env",
        ),
        (
            format!("{HEAD}{CSV}{PBX}password = \"a\"\npassword_env = \"A\"\n"),
            "`password` is given in two ways",
        ),
        (format!("{HEAD}{CSV}[agi]\nlisten = \"127.0.0.1:4573\"\n"), "`agi` is not served by this version"),
        (format!("{HEAD}{CSV}[web]\n"), ":7: missing field `listen`"),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"localhost\"\n"),
            ":8: `listen`: `localhost` is no address with a port; allowed are forms like 127.0.0.1:8480",
        ),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"0.0.0.0:8480\"\n"),
            ":7: [web]: `listen` = \"0.0.0.0:8480\" is beyond loopback, where `token` is required",
        ),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"[::1]:8480\"\ntoken = \"a\"\ntoken_env = \"A\"\n"),
            ":7: [web]: `token` is given in two ways",
        ),
        (format!("{HEAD}{CSV}[log]\nformat = \"xml\"\n"), "unknown variant `xml`, expected `text` or `json`"),
        (format!("{HEAD}{CSV}path = \"two\"\n"), "duplicate key"),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(said), "expected: {said}\nfound:    {error}");
        assert!(error.starts_with("/etc/nameplate/nameplate.toml"), "{error}");
    }
}

#[test]
fn an_error_never_shows_a_secret() {
    for text in [
        format!("{HEAD}{CSV}{PBX}password = 1234567\n"),
        format!("{HEAD}{CSV}{PBX}password = \"1234567\n"),
        format!("{HEAD}{CSV}{PBX}password = [\"1234567\"]\n"),
        format!("{HEAD}{CSV}{PBX}pasword = \"1234567\"\n"),
        format!("{HEAD}{CSV}[web]\nlisten = \"0.0.0.0:1\"\ntoken = 1234567\n"),
        format!("{HEAD}{CRM}auth = \"user:1234567\"\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"basic\", username = \"u\", password = 1234567 }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"basic\", username = \"u\", passwort = \"1234567\" }}\n"),
        format!("{HEAD}{}", CRM.replace("https://", "https://user:1234567@")),
        format!("{HEAD}{}", CRM.replace("https://", "ftp://user:1234567@")),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(!error.contains("1234567"), "{error}");
    }
}
