//! The words of the errors, and that they show no secret.

use super::*;

#[test]
fn an_error_names_the_place_the_value_and_what_is_allowed() {
    for (text, said) in [
        (String::new(), "there is no [numbers] with the country of this PBX"),
        (
            format!("{CSV}[numbers]\narea_code = \"22\"\n"),
            ":5: [numbers]: `country` is missing: the country of this PBX, like \"NO\"",
        ),
        (
            format!("{HEAD}{CSV}[asterisk]\nname = \"pbx1\"\n"),
            ":7: `[asterisk]`: a table of which there may be several",
        ),
        (
            format!("[numbers]\ncountry = NO\n{CSV}"),
            ":2: `country`: this is no number; a text stands in quotes",
        ),
        (format!("{HEAD}{CSV}{}", PBX.replace(":8088", ":8088/ari")), "`url`: `http://127.0.0.1:8088/ari`"),
        (
            format!("{HEAD}{CSV}[[suppress]]\nnumbers = [\n\"22334455\",\n\"22 33-22\"]\n"),
            ":10: [[suppress]] numbers: `22 33-22` does not begin with a possible number; allowed are forms like +47 2251 8000-8099",
        ),
        (
            format!("{HEAD}{CSV}[[suppress]]\nnumbers = [\"Kari\"]\n"),
            ":8: [[suppress]] numbers: `Kari` is no possible number; allowed are forms like +47 22 33 44 55 and 22 33 44 55, and +47 2251 8000-8099",
        ),
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
            format!("{HEAD}{CSV}[names]\nshared = \"{{person}}\"\n"),
            ":8: `shared`: template `{person}`, character 1: it is for companies",
        ),
        (
            format!("{HEAD}{CSV}[names]\ncompany = \"{{company}} AS\"\nguess = \" {{company}} AS\"\n"),
            ":9: `guess`: template ` {company} AS` shows the same as `company`",
        ),
        (
            format!("{HEAD}{CSV}[names]\ncompany = \"~{{company}}\"\n"),
            ":8: `guess`: template `~{company}` shows the same as `company`",
        ),
        (
            format!("{HEAD}{CSV}prefix = \"VIP: \"\n"),
            ":7: `prefix`: `VIP: ` can't stand in front of a name; allowed are 1 to 16 bytes",
        ),
        (
            format!("{HEAD}{CSV}prefix = \"VIP \"\n[names]\nmax_bytes = 7\n"),
            ":3: [[source]] `vip`: `prefix` takes 4 of the 7 bytes that a name may have; allowed is half of them",
        ),
        (
            format!("{HEAD}{CSV}{PBX}"),
            "`password` is missing; allowed is one of password, password_file, password_env and password_credential",
        ),
        (
            format!("{HEAD}{CSV}{PBX}password = \"a\"\npassword_env = \"A\"\n"),
            "`password` is given in two ways",
        ),
        (
            format!("{HEAD}{CSV}[agi]\nlisten = \"0.0.0.0:4577\"\n"),
            ":7: [agi]: `listen` = \"0.0.0.0:4577\" is beyond loopback, where `allow` is required",
        ),
        (format!("{HEAD}{CSV}[agi]\nallow = []\n"), ":7: [agi]: `allow` is empty"),
        (
            format!("{HEAD}{CSV}[agi]\nallow = [\"pbx1\"]\n"),
            ":8: `allow`: `pbx1` is no address; allowed are addresses",
        ),
        (
            format!("{HEAD}{CSV}[agi]\nmax_sessions = 0\n"),
            ":8: `max_sessions`: 0 is out of range; allowed are 1 to 10000",
        ),
        (format!("{HEAD}{CSV}[web]\n"), ":7: missing field `listen`"),
        (
            format!("{HEAD}{CSV}[web]\nhistory = 10001\n"),
            ":8: `history`: 10001 is out of range; allowed are 0 to 10000",
        ),
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
        (
            format!("{HEAD}{CSV}[names]\ndoubtful = \"hide\"\n"),
            ":8: `doubtful`: unknown variant `hide`, expected one of `mark`, `show`, `none`",
        ),
        (
            format!("{HEAD}{CSV}[names]\nplaceholders = [\"OSLO\", \"--\"]\n"),
            ":8: `placeholders`: `--` is no placeholder; allowed are texts with a letter",
        ),
        (
            format!("{HEAD}{CSV}[names]\nshared_numbers = \"all\"\n"),
            ":8: `shared_numbers`: unknown variant `all`, expected one of `company`, `both`, `none`",
        ),
        (
            format!("{HEAD}{CSV}[ranges]\nguess = 1\n"),
            ":8: `guess`: invalid type: integer `1`, expected a boolean",
        ),
        (
            format!("{HEAD}{CSV}[ranges.known]\n\"+47 22518000-8099\" = \"243\"\n"),
            ":8: [ranges] known: `243` names no company; allowed are forms like `contact 243`",
        ),
        (
            format!("{HEAD}{CSV}[ranges]\nguess = true\nknown = {{ \"+47 225\" = \"contact 243\" }}\n"),
            ":9: [ranges] known: `+47 225` is no range of numbers; allowed are forms like +47 2251 8000-8099",
        ),
        (
            format!(
                "{HEAD}{CSV}[ranges.known]\n\"22518000-8099\" = \"contact 1\"\n\"22518050-8199\" = \"contact 2\"\n"
            ),
            ":7: [ranges] known: `+4722518000-8099` and `+4722518050-8199` overlap, and neither lies in",
        ),
        (format!("{HEAD}{CSV}[log]\nformat = \"xml\"\n"), "unknown variant `xml`, expected `text` or `json`"),
        (format!("{HEAD}{CSV}path = \"two\"\n"), "duplicate key"),
        (
            format!("{HEAD}area_code = \"2 2\"\n{CSV}"),
            ":3: `area_code`: `2 2` is no area code; allowed are 1 to 8 digits",
        ),
        (
            format!("{HEAD}internal = [\"1xx\", \"_2XX\"]\n{CSV}"),
            ":3: `internal`: `_2XX` is no pattern of extensions; allowed are 1 to 15 digits",
        ),
        (
            format!("{HEAD}short_codes = [\"*21\"]\n{CSV}"),
            ":3: `short_codes`: `*21` is no short code; allowed are 1 to 15 digits",
        ),
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
        format!("{HEAD}{CRM}app_token = 1234567\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"xsrf\", token = \"t\", cookie = 1234567 }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"ticket\", ticket = \"1234567\", cookie = \"1234567\" }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"system_user\", private_kye = \"1234567\" }}\n"),
        format!("{HEAD}{}", CRM.replace("https://", "https://user:1234567@")),
        format!("{HEAD}{}", CRM.replace("https://", "ftp://user:1234567@")),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(!error.contains("1234567"), "{error}");
    }
}
