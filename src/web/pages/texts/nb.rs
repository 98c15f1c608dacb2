//! Norwegian (bokmål).

use super::{Shell, Texts};
use crate::web::pages::language::Language;

/// Norwegian.
pub(in crate::web::pages) static NORWEGIAN: Language =
    Language { tag: "nb", others: &["no", "nn"], name: "Norsk", texts: &TEXTS };

static TEXTS: Texts = Texts {
    shell: Shell {
        calls: "Anrop",
        find: "Søk",
        status: "Status",
        skip: "Gå til innholdet",
        navigation: "Sider",
        language: "Språk",
        log_in: "Logg inn",
        log_out: "Logg ut",
        token_holder: "Administrator med token",
        operator: "operatør",
        administrator: "administrator",
    },
};
