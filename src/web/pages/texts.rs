//! All texts of the pages. A language is one file beside this one, and a line in `language::LANGUAGES`.
//!
//! `{}` in a text is where a value goes: [`fill`].

pub(super) mod en;
pub(super) mod nb;

/// All texts, by page.
#[derive(Debug)]
pub(super) struct Texts {
    /// Around every page.
    pub(super) shell: Shell,
    /// The login page.
    pub(super) login: Login,
    /// Times and numbers.
    pub(super) moment: Moment,
    /// The page `Status`.
    pub(super) status: Status,
    /// The page `Calls`.
    pub(super) calls: Calls,
    /// The page `Find`.
    pub(super) find: Find,
    /// Why a number has its name.
    pub(super) explained: Explained,
}

/// Times and numbers.
#[derive(Debug)]
pub(super) struct Moment {
    /// `now`
    pub(super) now: &'static str,
    /// `3 min ago`
    pub(super) ago: &'static str,
    /// `in 3 min`
    pub(super) later: &'static str,
    /// Seconds, minutes, hours, days.
    pub(super) units: [&'static str; 4],
    /// Between groups of three digits.
    pub(super) thousands: &'static str,
    /// In front of the digits behind the whole number.
    pub(super) decimal: &'static str,
}

/// The login page.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) title: &'static str,
    pub(super) name: &'static str,
    /// Below the name, where a token is set, too.
    pub(super) name_hint: &'static str,
    pub(super) password: &'static str,
    pub(super) password_or_token: &'static str,
    pub(super) token: &'static str,
    pub(super) enter: &'static str,
    pub(super) wrong: &'static str,
    pub(super) busy: &'static str,
    /// Nobody can log in.
    pub(super) nobody: &'static str,
}

/// Around every page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) calls: &'static str,
    pub(super) find: &'static str,
    pub(super) status: &'static str,
    /// The link over the navigation, for the keyboard.
    pub(super) skip: &'static str,
    /// What the navigation is called, for readers of the screen.
    pub(super) navigation: &'static str,
    pub(super) language: &'static str,
    pub(super) log_in: &'static str,
    pub(super) log_out: &'static str,
    /// What somebody with the token is called.
    pub(super) token_holder: &'static str,
    pub(super) operator: &'static str,
    pub(super) administrator: &'static str,
    /// The page is not there.
    pub(super) missing: &'static str,
    pub(super) missing_link: &'static str,
    /// Somebody comes from a page of another origin.
    pub(super) doorstep: &'static str,
    pub(super) doorstep_why: &'static str,
    pub(super) doorstep_link: &'static str,
}

/// The page `Status`.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) all_well: &'static str,
    pub(super) troubles: &'static str,
    pub(super) buttons_want_login: &'static str,
    pub(super) buttons_want_users: &'static str,
    pub(super) buttons_of_administrators: &'static str,
    pub(super) not_your_role: &'static str,
    pub(super) still_starting: &'static str,
    pub(super) no_such_list: &'static str,
    pub(super) another_is_held: &'static str,
    pub(super) back: &'static str,
    pub(super) refresh_all: &'static str,
    pub(super) refresh: &'static str,
    pub(super) accept: &'static str,
    pub(super) reload: &'static str,
    pub(super) orders: &'static str,
    pub(super) ordered_refresh_of_all: &'static str,
    pub(super) ordered_refresh: &'static str,
    pub(super) ordered_accept: &'static str,
    pub(super) ordered_reload: &'static str,
    pub(super) under_way: &'static str,
    pub(super) stopping: &'static str,
    pub(super) reload_failed: &'static str,
    pub(super) reload_nothing: &'static str,
    pub(super) reload_stays: &'static str,
    pub(super) unchanged: &'static str,
    pub(super) taken_now: &'static str,
    pub(super) another: &'static str,
    pub(super) failed: &'static str,
    pub(super) lists: &'static str,
    pub(super) entries: &'static str,
    pub(super) list_good: &'static str,
    pub(super) list_held: &'static str,
    pub(super) list_failed: &'static str,
    pub(super) list_waits: &'static str,
    pub(super) held_what: &'static str,
    pub(super) held_why: &'static str,
    pub(super) held_came: &'static str,
    pub(super) held_at: &'static str,
    pub(super) nothing_held: &'static str,
    pub(super) taken: &'static str,
    pub(super) last_success: &'static str,
    pub(super) next: &'static str,
    pub(super) tenant: &'static str,
    pub(super) unusable: &'static str,
    pub(super) remarks: &'static str,
    pub(super) replicas: &'static str,
    pub(super) share_up: &'static str,
    pub(super) share_down: &'static str,
    pub(super) share_alone: &'static str,
    pub(super) share_asks: &'static str,
    pub(super) share_this: &'static str,
    pub(super) share_nobody: &'static str,
    pub(super) share_versions: &'static str,
    pub(super) share_newer: &'static str,
    pub(super) pbxs: &'static str,
    pub(super) no_pbx: &'static str,
    pub(super) connected: &'static str,
    pub(super) connecting: &'static str,
    pub(super) disconnected: &'static str,
    pub(super) refused: &'static str,
    pub(super) taken_over: &'static str,
    pub(super) not_listening: &'static str,
    pub(super) since: &'static str,
    pub(super) way: &'static str,
    pub(super) way_websocket: &'static str,
    pub(super) way_http: &'static str,
    pub(super) answers: &'static str,
    pub(super) answers_words: &'static str,
    pub(super) within: &'static str,
    pub(super) beyond: &'static str,
    pub(super) no_answers: &'static str,
    pub(super) unknown: &'static str,
    pub(super) no_history: &'static str,
    pub(super) nobody_unknown: &'static str,
    pub(super) check: &'static str,
    pub(super) check_again: &'static str,
    pub(super) check_runs: &'static str,
    pub(super) check_never: &'static str,
    pub(super) check_good: &'static str,
    pub(super) check_bad: &'static str,
    pub(super) check_errors: &'static str,
    pub(super) level_ok: &'static str,
    pub(super) level_unknown: &'static str,
    pub(super) level_warning: &'static str,
    pub(super) level_error: &'static str,
}

/// The page `Calls`.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) off: &'static str,
    pub(super) none: &'static str,
    pub(super) still: &'static str,
    pub(super) live: &'static str,
    pub(super) lost: &'static str,
    pub(super) ended: &'static str,
    pub(super) time: &'static str,
    pub(super) caller: &'static str,
    pub(super) company: &'static str,
    pub(super) number: &'static str,
    pub(super) certainty: &'static str,
    pub(super) source: &'static str,
    pub(super) pbx: &'static str,
    pub(super) called: &'static str,
    pub(super) outcome: &'static str,
    pub(super) open: &'static str,
    pub(super) why: &'static str,
    pub(super) hidden: &'static str,
    pub(super) more: &'static str,
    pub(super) exact: &'static str,
    pub(super) reading: &'static str,
    pub(super) doubtful: &'static str,
    pub(super) range: &'static str,
    pub(super) found: &'static str,
    pub(super) kept: &'static str,
    pub(super) not_found: &'static str,
    pub(super) ambiguous: &'static str,
    pub(super) two_readings: &'static str,
    pub(super) no_name: &'static str,
    pub(super) skipped: &'static str,
    pub(super) withheld: &'static str,
    pub(super) suppressed: &'static str,
    pub(super) hung_up: &'static str,
    pub(super) late: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) refused: &'static str,
    pub(super) mine: &'static str,
    pub(super) mine_numbers: &'static str,
    pub(super) mine_hint: &'static str,
    pub(super) sound: &'static str,
    pub(super) notify: &'static str,
    pub(super) denied: &'static str,
    pub(super) large: &'static str,
    pub(super) close: &'static str,
}

/// The page `Find`.
#[derive(Debug)]
pub(super) struct Find {
    pub(super) question: &'static str,
    pub(super) button: &'static str,
    pub(super) hint: &'static str,
    pub(super) no_list: &'static str,
    pub(super) building: &'static str,
    pub(super) nobody: &'static str,
    pub(super) one: &'static str,
    pub(super) all: &'static str,
    pub(super) some: &'static str,
}

/// Why a number has its name.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) shows: &'static str,
    pub(super) shows_none: &'static str,
    pub(super) nobody: &'static str,
    pub(super) digits: &'static str,
    pub(super) as_in: &'static str,
    pub(super) read_as: &'static str,
    pub(super) certainty: &'static str,
    pub(super) person: &'static str,
    pub(super) company: &'static str,
    pub(super) range: &'static str,
    pub(super) source: &'static str,
    pub(super) tag: &'static str,
    pub(super) template: &'static str,
    pub(super) fits: &'static str,
    pub(super) cut: &'static str,
    pub(super) hidden: &'static str,
    pub(super) international: &'static str,
    pub(super) international_prefix: &'static str,
    pub(super) national: &'static str,
    pub(super) national_trunk: &'static str,
    pub(super) without_plus: &'static str,
    pub(super) area_code: &'static str,
    pub(super) surplus_zero: &'static str,
    pub(super) outside_line: &'static str,
    pub(super) not_in_use: &'static str,
    pub(super) unplanned: &'static str,
    pub(super) known: &'static str,
    pub(super) known_less_likely: &'static str,
    pub(super) known_too: &'static str,
    pub(super) of_company: &'static str,
    pub(super) of_several: &'static str,
    pub(super) ambiguous: &'static str,
    pub(super) likeliest: &'static str,
    pub(super) other_reading: &'static str,
    pub(super) without_zero: &'static str,
    pub(super) other_number: &'static str,
    pub(super) somebody_else: &'static str,
    pub(super) in_range: &'static str,
    pub(super) two_readings: &'static str,
    pub(super) suppressed: &'static str,
    pub(super) no_name: &'static str,
    pub(super) no_number: &'static str,
    pub(super) anonymous: &'static str,
    pub(super) internal: &'static str,
    pub(super) short_code: &'static str,
    pub(super) too_long: &'static str,
}

/// The text with the values in place of each `{}`, in order.
pub(super) fn fill(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        filled.push_str(values.get(place).copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_place() {
        assert_eq!(fill("{} of {}", &["3", "7"]), "3 of 7");
        assert_eq!(fill("none", &["3"]), "none");
        assert_eq!(fill("{} {}", &["{}"]), "{} ");
    }
}
