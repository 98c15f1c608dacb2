//! What has to hold for any bytes, be they tried by a fuzzer or kept from one: an oracle for each target.
//!
//! An input is text, so that seeds can be written by hand: what the target needs beside it stands in lines in front.

// Each target uses one of them.
#![allow(dead_code)]

use nameplate::asterisk::{agi, ari};
use nameplate::name::{MAX_BYTES, Name, Parts, Prefix, Style, Template, cleaned};
use nameplate::number::{
    Country, CrmValue, Fit, Number, Numbers, Readings, Settings, Skip, of_crm, of_text, readings,
};
use serde_json::{Value, json};

/// An oracle: panics where something does not hold.
pub(super) type Oracle = fn(&[u8]);

/// All oracles, by the names of their targets.
pub(super) const ALL: [(&str, Oracle); 6] = [
    ("agi_block", agi_block),
    ("ari_event", ari_event),
    ("caller", caller),
    ("crm_number", crm_number),
    ("name", name),
    ("template", template),
];

/// What a caller and a dialplan put into FastAGI's block: a line each with the caller's number, the name and the
/// script, then one for each argument. It is tried as a block of its own, too.
pub(super) fn agi_block(data: &[u8]) {
    if let Some(block) = agi::block(data) {
        let text = String::from_utf8_lossy(data);
        let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        // It ends with the first empty line behind the thread.
        let mut thread_is_said = false;
        let lines: Vec<_> = lines
            .take_while(|line| {
                thread_is_said |= line.starts_with("agi_threadid:");
                !(line.is_empty() && thread_is_said)
            })
            .collect();
        assert!(lines.len() <= 128, "{} variables", lines.len());
        let sets = |line: &&str| line.starts_with("agi_") && line.contains(':');
        assert!(lines.first().is_some_and(sets), "{lines:?}");
        // The country stands behind the last of them.
        let thread = lines.iter().rposition(|line| line.starts_with("agi_threadid:")).expect("a thread");
        let countries = lines[thread..].iter().filter_map(|line| line.strip_prefix("agi_arg_1:"));
        let country = countries.map(|value| value.strip_prefix(' ').unwrap_or(value)).next_back();
        assert_eq!(block.country, country.unwrap_or_default(), "{block:?}");
        let edition = lines[thread..].iter().filter_map(|line| line.strip_prefix("agi_arg_2:")).next_back();
        assert_eq!(block.edition.trim_start(), edition.unwrap_or_default().trim_start(), "{block:?}");
        // Allowed is what all allow.
        let allowed = |line: &str| line.trim_start().parse::<u32>().is_ok_and(|number| number & 0x60 == 0);
        let mut said = lines.iter().filter_map(|line| line.strip_prefix("agi_callingpres:"));
        assert!(block.presentation.is_none_or(|number| number & 0x60 != 0) || said.all(allowed), "{block:?}");
        // The number is the one that was said first and only.
        let numbers: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("agi_callerid:")).collect();
        assert!(numbers.len() <= 1, "{lines:?}");
        let number = numbers.first().copied().unwrap_or_default();
        let number = number.strip_prefix(' ').unwrap_or(number);
        // One that goes on is none.
        let at = lines.iter().position(|line| line.starts_with("agi_callerid:"));
        let goes_on = at.and_then(|at| lines.get(at + 1)).is_some_and(|next| !sets(next));
        let expected = if number == "unknown" || goes_on { "" } else { number };
        assert_eq!(block.caller, expected, "{block:?}");
    }

    let mut values = data.split(|byte| *byte == b'\n');
    let [caller, name, script] = std::array::from_fn(|_| values.next().unwrap_or_default());
    let arguments: Vec<_> = values.collect();
    let mut written = b"agi_network: yes\n".to_vec();
    let mut say = |name: &str, value: &[u8]| written.extend([name.as_bytes(), b": ", value, b"\n"].concat());
    // The order of Asterisk's own block (`res_agi.c`, `setup_env`).
    say("agi_network_script", script);
    say("agi_callerid", caller);
    say("agi_calleridname", name);
    say("agi_callingpres", b"0");
    say("agi_dnid", name);
    say("agi_threadid", b"139872");
    for (place, argument) in (1..).zip(&arguments) {
        say(&format!("agi_arg_{place}"), argument);
    }
    written.push(b'\n');
    let Some(block) = agi::block(&written) else {
        let longest = data.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
        let size = String::from_utf8_lossy(&written).len();
        assert!(longest > 8 * 1024 || size > 64 * 1024 || arguments.len() > 121, "{data:?}");
        return;
    };
    assert!(arguments.len() <= 121, "{} arguments", arguments.len());
    let text = |value: &[u8]| {
        // A carriage return in front of the line break is a part of it.
        String::from_utf8_lossy(value.strip_suffix(b"\r").unwrap_or(value)).into_owned()
    };
    let set = |value: &[u8]| Some(text(value)).filter(|value| value != "unknown").unwrap_or_default();
    assert_eq!(block.caller, set(caller));
    assert_eq!(block.name, set(name));
    assert_eq!(block.script, text(script).split('?').next().unwrap_or_default());
    assert_eq!(block.presentation, Some(0));
    assert_eq!(block.country, arguments.first().map(|value| text(value)).unwrap_or_default());
}

/// What a channel, a caller and a dialplan put into ARI's event: a line each with the channel's id, the caller's number
/// and the name, then one for each argument. It is tried as an event of its own, too.
pub(super) fn ari_event(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // What is not used may be more than a `Value` can hold.
    if let (Some(call), Ok(event)) = (ari::started(&text), serde_json::from_str::<Value>(&text))
        && event["channel"]["caller"].is_object()
    {
        assert_eq!(event["type"], "StasisStart");
        assert_eq!(event["channel"]["id"], call.channel.as_str());
        assert_eq!(event["channel"]["caller"]["number"], call.number.as_str());
    }

    let mut values = text.split('\n').map(str::to_owned);
    let [channel, number, name] = std::array::from_fn(|_| values.next().unwrap_or_default());
    let arguments: Vec<_> = values.collect();
    let event = json!({
        "type": "StasisStart", "application": name, "args": arguments,
        "channel": {
            "name": name, "id": channel, "caller": { "name": name, "number": number },
            "connected": { "name": name, "number": name },
            "dialplan": { "exten": name, "app_name": "Stasis", "app_data": arguments.join(",") },
        },
    });
    let call = ari::started(&event.to_string()).expect("a call");
    // One segment of an address, whatever it is made of.
    let address: Vec<_> = call.sent_on_by.split('/').collect();
    let ["channels", segment, "continue"] = address[..] else { panic!("{}", call.sent_on_by) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._%".contains(c);
    assert!(segment.chars().all(plain), "{segment:?}");
    assert_eq!(percent_decoded(segment), channel.as_bytes());
    assert_eq!((call.channel, call.number, call.name, call.arguments), (channel, number, name, arguments));
    // A second one of what is known is nobody's, nor is one of another kind.
    let twice = event.to_string().replacen('{', r#"{"channel":{"id":"1","caller":{"number":"1"}},"#, 1);
    assert_eq!(ari::started(&twice), None);
    let other = event.to_string().replace("\"type\":\"StasisStart\"", "\"type\":\"StasisEnd\"");
    assert_eq!(ari::started(&other), None);
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).expect("two digits"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

/// A caller's digits: a line with the country, one with outside-line digits and other settings (`area=30`,
/// `internal=1xx`, `short=112`), then the caller.
pub(super) fn caller(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (country, rest) = line(&text);
    let (prefixes, caller) = line(rest);
    let country = country_of(country);
    let (set, prefixes): (Vec<&str>, Vec<&str>) =
        prefixes.split_whitespace().partition(|word| word.contains('='));
    let prefixes: Vec<String> = prefixes.into_iter().map(str::to_owned).collect();

    let found = readings(caller, country, &prefixes);
    are_readings(&found, caller, country);
    as_a_call(&found, caller, country, prefixes, &set);
}

/// The way of a call, with the settings of its PBX; `found` is without them.
fn as_a_call(found: &Readings, caller: &str, country: Country, strip_prefixes: Vec<String>, set: &[&str]) {
    let given = |key| set.iter().filter_map(move |word| word.strip_prefix(key));
    // What the configuration accepts.
    let is_digits =
        |text: &&str| (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let settings = Settings {
        strip_prefixes,
        area_code: given("area=").find(is_digits).map(str::to_owned),
        internal: given("internal=").filter_map(|pattern| pattern.parse().ok()).collect(),
        short_codes: given("short=").filter(is_digits).map(str::to_owned).collect(),
        ..Settings::new(country)
    };
    match settings.read(caller, country) {
        Ok(called) => {
            are_readings(&called, caller, country);
            // The area code changes nothing of what can be read without it.
            let first = found.first().filter(|first| !first.rule.is_supposed());
            assert!(!called.is_empty());
            assert!(
                first.is_none_or(|first| called.first() == Some(first)),
                "{caller:?}: {called:?}, not {found:?}"
            );
        }
        Err(Skip::NoNumber) => assert!(found.is_empty(), "{caller:?}: {found:?}"),
        Err(Skip::Internal) => {
            let is_long = caller.len() > 6 && caller.bytes().all(|byte| byte.is_ascii_digit());
            assert!(!is_long || !settings.internal.is_empty(), "{caller:?} is no extension");
        }
        Err(Skip::ShortCode) => assert!(!settings.short_codes.is_empty()),
        Err(Skip::Anonymous) => {}
    }
    // On a trunk of another country.
    if let Ok(called) = settings.read(caller, country_of("AR")) {
        are_readings(&called, caller, country_of("AR"));
    }
}

fn are_readings(found: &Readings, caller: &str, country: Country) {
    assert!(found.len() <= Readings::MAX);
    assert!(found.is_empty() || caller.len() <= 64, "{caller:?}: {found:?}");
    assert!(found.is_empty() || caller.contains(char::is_numeric), "{caller:?}: {found:?}");
    for (place, reading) in found.iter().enumerate() {
        let number = reading.number;
        assert_eq!(Number::from_packed(number.packed()), Some(number));
        assert!(
            found.iter().skip(place + 1).all(|other| other.number != number),
            "{caller:?}: {number} twice in {found:?}"
        );
        // A number that fits is one everywhere, once it is written with its plus.
        if reading.fit == Fit::Valid {
            let shown = reading.number.to_string();
            let again = readings(&shown, country, &[]);
            assert_eq!(
                again.first().map(|again| again.number),
                Some(number),
                "{caller:?}: {shown}: {again:?}"
            );
        }
    }
}

/// A record of the CRM: a line with the PBX's country, one with the dial-in prefix, then the number.
pub(super) fn crm_number(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (country, rest) = line(&text);
    let (prefix, number) = line(rest);
    let country = country_of(country);
    let prefix: Option<i64> = prefix.trim().parse().ok();

    let value = CrmValue::from_text(number);
    if let Ok(found) = of_crm(prefix, value, country) {
        assert!(prefix.is_none_or(|prefix| prefix >= 0), "the prefix {prefix:?} gave {found:?}");
        are_numbers(&found, number, country);
        match value {
            CrmValue::Integer(integer) => {
                assert!(integer > 0, "{integer} gave {found:?}");
                let digits = match prefix {
                    Some(prefix) if prefix > 0 => format!("{prefix}{integer}"),
                    _ => integer.to_string(),
                };
                found.iter().for_each(|meant| ends_with(&digits, meant.number));
            }
            CrmValue::Text(_) => {}
            _ => panic!("{value:?} gave {found:?}"),
        }
    }
    if let Ok(found) = of_text(number, country) {
        are_numbers(&found, number, country);
    }
}

/// Nobody's digits but the record's: the national number is their end. Argentina's mobiles alone are written in
/// another way at home, 0 … 15 …, than abroad, 9 ….
fn ends_with(digits: &str, number: Number) {
    let national = number.national().to_string();
    let mobile = number.country_code() == 54 && national.starts_with('9') && national.len() <= digits.len();
    let end = if mobile { &national[national.len().saturating_sub(6)..] } else { &national };
    assert!(digits.ends_with(end), "{digits} gave {number}");
}

/// Numbers of a record: one at least, none twice, each the same when it is read again.
fn are_numbers(found: &Numbers, text: &str, country: Country) {
    assert!(text.contains(|c: char| c.is_numeric()), "{text:?} gave {found:?}");
    assert!(found.iter().count() > 0, "{text:?} gave none");
    for (place, meant) in found.iter().enumerate() {
        let number = meant.number;
        assert_eq!(Number::from_packed(number.packed()), Some(number));
        assert!(found.iter().skip(place + 1).all(|other| other.number != number), "{text:?}: {found:?}");
        if let Ok(again) = of_text(&number.to_string(), country) {
            assert!(
                again.iter().any(|again| again.number == number),
                "{text:?}: {number} is read as {again:?}"
            );
        }
    }
}

/// A name: a line with the room in bytes, and `ascii` and `prefix` where they are to be, then the text.
pub(super) fn name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (settings, text) = line(&text);
    let style = style_of(settings);
    let (ascii, room) = (style.ascii, style.max_bytes);

    // As a company's, a guess's, one of several and, by halves, a person's.
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (person, company) = text.split_at(middle);
    let parts = Parts { person, company, mrmrs: company, source: "crm" };
    let prefix = style.prefixes.get("crm").map(|prefix| prefix.shown(ascii)).unwrap_or_default();
    let behind = |name: Name| {
        is_clean(name.as_str(), room);
        assert!(!ascii || name.as_str().is_ascii(), "{name:?}");
        let behind = name.as_str().strip_prefix(&prefix).map(str::to_owned);
        behind.unwrap_or_else(|| panic!("{name:?} has no {prefix:?}"))
    };
    style.person(&parts).map(behind);
    style.company(text, "crm").map(behind);
    let guess = style.guess(text, "crm").map(behind);
    assert!(guess.as_ref().is_none_or(|guess| guess.starts_with('~')), "{guess:?}");
    let shared = style.shared([person, company, text], "crm").map(behind);
    assert!(shared.as_ref().is_none_or(|shared| shared.contains(" / ")), "{shared:?}");

    let Some(name) = Name::new(text, room, ascii) else {
        let visible = text.contains(|c: char| c.is_ascii_alphanumeric());
        assert!(!visible || text.len() > room, "nothing is left of {text:?}");
        return;
    };
    is_clean(name.as_str(), room);
    assert!(!ascii || name.as_str().is_ascii(), "{name:?}");
    assert_eq!(Name::new(name.as_str(), room, ascii).as_ref(), Some(&name), "cleaned twice it is another");
}

/// A template: a line with it, then one each with the person, the company, the form of address and the settings, as of a
/// name.
pub(super) fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (written, rest) = line(&text);
    let (person, rest) = line(rest);
    let (company, rest) = line(rest);
    let (mrmrs, settings) = line(rest);

    let template = match written.parse::<Template>() {
        Ok(template) => template,
        Err(error) => {
            assert!(error.to_string().contains(written), "{error}");
            return;
        }
    };
    let shown = template.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&template), "{written:?} is shown as {shown:?}");
    let mut style = Style { person: template, ..style_of(settings) };
    let named = style.person(&Parts { person, company, mrmrs, source: "crm" });
    if let Some(name) = &named {
        is_clean(name.as_str(), style.max_bytes);
    }
    // Whatever has to go, the person is named: by a letter at least, if it is one byte.
    let whom = cleaned(person, style.ascii);
    let letter = whom.chars().next().filter(char::is_ascii_alphanumeric);
    if let Some(letter) = letter.filter(|_| whom.chars().nth(1).is_none_or(|c| c.is_ascii()))
        && shown.contains("{person}")
    {
        let named = named.unwrap_or_else(|| panic!("{person:?} is not named by {shown:?}"));
        assert!(named.as_str().contains(letter), "{named:?} is not {person:?}");
    }
    if let Ok(template) = Template::of_company(written) {
        style = Style { company: template.clone(), shared: template.clone(), guess: template, ..style };
        let names = [
            style.company(company, "crm"),
            style.shared([company, person], "crm"),
            style.guess(company, "crm"),
            style.guess(company, ""),
        ];
        for name in names.iter().flatten() {
            is_clean(name.as_str(), style.max_bytes);
        }
    }
}

/// Room in bytes, `ascii` and `prefix`, as the configuration accepts them.
fn style_of(settings: &str) -> Style {
    let room = settings.split_whitespace().find_map(|word| word.parse().ok());
    let max_bytes = room.filter(|room| (1..=MAX_BYTES).contains(room)).unwrap_or(MAX_BYTES);
    let mut style = Style { max_bytes, ascii: settings.contains("ascii"), ..Style::default() };
    let prefix = Prefix::new("★ ").filter(|prefix| {
        settings.contains("prefix") && prefix.shown(style.ascii).len() * 2 <= style.max_bytes
    });
    if let Some(prefix) = prefix {
        style.prefixes.insert("crm".into(), prefix);
    }
    style
}

/// What a phone, a SIP header and other people's dialplans can take.
fn is_clean(name: &str, room: usize) {
    assert!(!name.is_empty() && name.len() <= room, "{} bytes of {room}: {name:?}", name.len());
    assert_eq!(name.trim(), name);
    assert!(!name.contains("  "), "{name:?}");
    assert!(!name.contains(['"', ':', '$', '{', '}', '[', ']', '\\', ';', '|', '`', '<', '>']), "{name:?}");
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!name.contains(hidden), "{name:?}");
}

/// The first line, and what is behind it.
fn line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Norway, where it is no country.
fn country_of(text: &str) -> Country {
    text.parse().or_else(|_| "NO".parse()).expect("Norway is a country")
}
