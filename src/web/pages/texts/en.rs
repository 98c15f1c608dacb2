//! English.

use super::{Shell, Texts};
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
    },
};
