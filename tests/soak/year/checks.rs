//! What has to hold: after each day, and at the end of the year.

use std::time::Duration;

use nameplate::observe::metrics::Form;

use super::list::{Asked, List};
use super::{DAY, DAYS, Year};

/// Days on which `tokens` fails, each because of the CRM.
const FAILING: [u32; 2] = [200, 220];
/// Days with a wrong clock.
const WRONG: [u32; 2] = [20, 60];

fn day_of(asked: &Asked) -> u32 {
    u32::try_from(asked.at.as_secs() / DAY.as_secs()).expect("a year")
}

/// After each day.
///
/// # Panics
/// Where something is not as it has to be.
pub(super) fn day(year: &Year, day: u32) {
    let Year { tokens, system, file, .. } = year;
    for (name, list) in [("tokens", tokens), ("system", system), ("file", file)] {
        assert!(list.is_running(), "day {day}: the schedule of {name} has ended");
    }
    assert_eq!(file.len(), 1, "day {day}");
    let of_day =
        |list: &List| list.asked().into_iter().filter(|asked| day_of(asked) == day).collect::<Vec<_>>();
    assert!(
        of_day(file).iter().any(|asked| asked.result == Ok(true)),
        "day {day}: the file's change was not seen"
    );
    new_names(year, day);
    guard(year, day);
    errors(&of_day(tokens), &of_day(system), day);
    // What the commands show is by the clock on the wall.
    let shown = file.status().last_success.expect("a success");
    let wall = year.clock.right() + year.clock.wrong();
    assert!(shown.abs_diff(wall.unsigned_abs()) <= 3 * 3600 + 100, "day {day}: {shown} is shown at {wall}");
}

/// What was changed in the CRM is in use before the day is over. On the days of its troubles it may come later.
fn new_names(year: &Year, day: u32) {
    let status = year.tokens.status();
    if day == 300 {
        assert!(status.held.is_some() && year.tokens.len() == 100, "an empty list is held back");
        return;
    }
    assert!(status.held.is_none(), "day {day}");
    // A token that was issued the day before may have brought the new name before the first login was refused.
    let is_new = year.tokens.hash() == year.tokens_crm.hash();
    assert!(is_new || FAILING.contains(&day), "day {day}: {:?}", status.last_error);
}

/// Small losses add up for 90 days of the clock on the wall.
fn guard(year: &Year, day: u32) {
    let (len, held) = (year.system.len(), year.system.status().held.is_some());
    let expected = match day {
        0..40 => (100, false),
        40..90 => (70, false),
        // Held back until it has come three times: 23 hours and less from one time to the next.
        90 => (70, true),
        91..93 => return,
        93..160 => (40, false),
        160..260 => (25, false),
        _ => (15, false),
    };
    // On a day with a wrong clock no ticket is given, and nothing changes.
    assert_eq!((len, held), expected, "day {day}");
}

/// Only what the CRM refuses fails, and the reason is said.
fn errors(tokens: &[Asked], system: &[Asked], day: u32) {
    let errors =
        |asked: &[Asked]| asked.iter().filter_map(|asked| asked.result.clone().err()).collect::<Vec<_>>();
    let (of_tokens, of_system) = (errors(tokens), errors(system));
    match day {
        200 => assert!(of_tokens.iter().any(|error| error.contains("503")), "{of_tokens:?}"),
        220 => {
            assert!(of_tokens.iter().all(|error| error.contains("invalid_grant")), "{of_tokens:?}");
            // A refused login is tried once every two hours.
            assert!((6..30).contains(&of_tokens.len()), "{}", of_tokens.len());
        }
        _ => assert!(of_tokens.is_empty(), "day {day}: {of_tokens:?}"),
    }
    if WRONG.contains(&day) {
        assert!(!of_system.is_empty(), "day {day}");
        assert!(of_system.iter().all(|error| error.contains("check the clock")), "{of_system:?}");
    } else {
        assert!(of_system.is_empty(), "day {day}: {of_system:?}");
    }
}

/// At the end.
///
/// # Panics
/// Where something is not as it has to be.
pub(super) fn whole_year(year: &Year) {
    for (name, list) in [("tokens", &year.tokens), ("system", &year.system), ("file", &year.file)] {
        let asked = list.asked();
        pace(name, list.refresh, &asked);
        counted(year, name, &asked);
    }
    let full = year.tokens.asked().iter().filter(|asked| asked.is_full).count();
    println!("whole lists of `tokens`: {full}");
    // One a day, and each time while one is held back.
    assert!((DAYS as usize - 10..DAYS as usize + 60).contains(&full), "{full}");
    // A token is used for as long as it lives, and never longer.
    let issued = year.tokens_crm.login(|login| login.issued);
    println!("access tokens: {issued}");
    assert!((DAYS as usize * 5..DAYS as usize * 9).contains(&issued), "{issued}");
    let tickets = year.system_crm.login(|login| login.issued);
    println!("tickets: {tickets}");
    assert!(tickets >= DAYS as usize, "{tickets}");
    windows(year);
}

/// From one question to the next it takes half of `refresh` to the whole, in summer and in winter.
fn pace(name: &str, refresh: Duration, asked: &[Asked]) {
    let mut slow = 0;
    for pair in asked.windows(2) {
        let wait = pair[1].at - pair[0].at;
        // An answer that the busy machine of a test gives late counts as a slow source, which is asked more rarely.
        slow += usize::from(wait > refresh + Duration::from_secs(60));
        assert!(wait <= refresh * 4 + Duration::from_secs(60), "{name}: {wait:?} after {:?}", pair[0]);
        let is_usual = pair[0].result.is_ok() && day_of(&pair[0]) != 310 && day_of(&pair[1]) != 310;
        assert!(!is_usual || wait >= refresh / 2, "{name}: {wait:?} after {:?}", pair[0]);
    }
    println!("{name}: asked {} times, {slow} of them late", asked.len());
    assert!(slow * 50 <= asked.len(), "{name}: {slow} of {}", asked.len());
    let (least, most) = (DAYS * 24 * 3600 / u32::try_from(refresh.as_secs()).expect("small"), 2);
    assert!(
        (least as usize * 9 / 10..=(least * most) as usize + 60).contains(&asked.len()),
        "{name}: {}",
        asked.len()
    );
}

/// The metrics have counted the same.
fn counted(year: &Year, name: &str, asked: &[Asked]) {
    let text = year.metrics.write(Form::Plain).expect("metrics");
    let of_list = format!("nameplate_refreshes_total{{source=\"{name}\",");
    let values = text.lines().filter(|line| line.starts_with(&of_list));
    let sum: usize = values.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    assert!(sum.abs_diff(asked.len()) <= 1, "{name}: {sum} and {}", asked.len());
}

/// The window has the same width in each question, over the leap day, too.
fn windows(year: &Year) {
    let mut seen = 0;
    for request in
        year.tokens_crm.requests().iter().filter(|request| request.path.ends_with("GetMyCallerIDs"))
    {
        let body = request.json();
        let date = |name: &str| body[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let (from, to) = (date("MinDate").expect("a date"), date("MaxDate").expect("a date"));
        assert_eq!(to.duration_since(from).as_secs(), 730 * 24 * 3600, "{from} {to}");
        seen += 1;
    }
    assert!(seen > 4_000, "{seen}");
}
