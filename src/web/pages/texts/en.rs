//! English.

use super::{Login, Shell, Texts};
use crate::web::pages::language::Language;

/// English.
pub(in crate::web::pages) static ENGLISH: Language =
    Language { tag: "en", others: &[], name: "English", texts: &TEXTS };

static TEXTS: Texts = Texts {
    shell: Shell {
        calls: "Calls",
        find: "Find",
        status: "Status",
        skip: "Skip to the content",
        navigation: "Pages",
        language: "Language",
        log_in: "Log in",
        log_out: "Log out",
        token_holder: "Administrator by token",
        operator: "operator",
        administrator: "administrator",
        missing: "There is no such page",
        missing_link: "To the calls",
        doorstep: "You come from another site",
        doorstep_why: "A page of another site must not look into this one.",
        doorstep_link: "Go in",
    },
    login: Login {
        title: "Log in",
        name: "Name",
        name_hint: "Leave it empty to log in with the token.",
        password: "Password",
        password_or_token: "Password or token",
        token: "Token",
        enter: "Log in",
        wrong: "This is wrong. Try again; each wrong try makes the next one wait.",
        busy: "Too many tries wait already. Try again in a moment.",
        nobody: "Nobody can log in: neither a token nor a user is in the configuration.",
    },
};
