//! Norwegian (bokmål).

use super::{Login, Shell, Texts};
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
        missing: "Siden finnes ikke",
        missing_link: "Til anropene",
        doorstep: "Du kommer fra et annet nettsted",
        doorstep_why: "En side på et annet nettsted får ikke se inn i denne.",
        doorstep_link: "Gå inn",
    },
    login: Login {
        title: "Logg inn",
        name: "Navn",
        name_hint: "La feltet stå tomt for å logge inn med token.",
        password: "Passord",
        password_or_token: "Passord eller token",
        token: "Token",
        enter: "Logg inn",
        wrong: "Dette er feil. Prøv igjen; hvert feil forsøk gjør at det neste må vente.",
        busy: "For mange forsøk venter allerede. Prøv igjen om et øyeblikk.",
        nobody: "Ingen kan logge inn: verken token eller bruker står i konfigurasjonen.",
    },
};
