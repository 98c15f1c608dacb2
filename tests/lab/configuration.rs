//! Configurations of the program, and the folders that they stand in with their files.

use super::asterisk::Asterisk;
use super::nameplate::Folder;
use super::superoffice::StandIn;

/// The password of the stand-in's user.
pub(crate) const CRM_PASSWORD: &str = "pass:wørd";

/// One source of SuperOffice's, `crm`, with these lines.
pub(crate) fn superoffice(lines: &str) -> String {
    format!("[numbers]\ncountry = \"NO\"\n\n[[source]]\nname = \"crm\"\ntype = \"superoffice\"\n{lines}\n")
}

/// The same, and a PBX that is not there: port 9 (discard) is nobody's on a test machine.
pub(crate) fn superoffice_alone(lines: &str) -> String {
    superoffice(lines) + &pbx("http://127.0.0.1:9", "password = \"unused\"")
}

/// One CRM, whose password is in `superoffice.password`, and a PBX that is not there.
pub(crate) fn crm_alone(crm: &StandIn) -> String {
    superoffice_alone(&onsite(&crm.api_url()))
}

/// One CRM, whose password is in `superoffice.password`, and one PBX, whose password is in `ari.password`.
pub(crate) fn config(api: &str, ari: &str) -> String {
    superoffice(&onsite(api)) + &pbx(ari, "password_file = \"ari.password\"")
}

/// A source of the CRM at this address.
pub(crate) fn onsite(api: &str) -> String {
    format!(
        r#"api = "{api}"
auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
refresh = "1s""#
    )
}

/// A further source of the same CRM, with these further lines.
pub(crate) fn further(name: &str, crm: &StandIn, lines: &str) -> String {
    format!("\n[[source]]\nname = \"{name}\"\ntype = \"superoffice\"\n{}\n{lines}\n", onsite(&crm.api_url()))
}

fn pbx(url: &str, password: &str) -> String {
    format!("\n[[asterisk]]\nname = \"pbx1\"\nurl = \"{url}\"\nusername = \"nameplate\"\n{password}\n")
}

/// A folder with this configuration, and the CRM's password.
pub(crate) fn crm_folder(config: &str) -> Folder {
    let folder = Folder::new(config);
    folder.write("superoffice.password", format!("{CRM_PASSWORD}\n"));
    folder
}

/// A folder with a configuration for this CRM and this PBX.
pub(crate) fn folder(crm: &StandIn, asterisk: &Asterisk) -> Folder {
    let folder = crm_folder(&config(&crm.api_url(), &asterisk.http_url()));
    folder.write("ari.password", asterisk.ari_password());
    folder
}

/// One CSV file, `vip.csv`, and nobody who asks for names.
pub(crate) const CSV_ONLY: &str = r#"
[numbers]
country = "NO"
[[source]]
name = "vip"
type = "csv"
path = "vip.csv"
"#;

/// A folder with that and these further lines, and a `vip.csv` with Kari Nordmann and these further lines.
pub(crate) fn csv_folder(config: &str, further: &str) -> Folder {
    let folder = Folder::new(&format!("{CSV_ONLY}{config}\n"));
    let kari = "number,person,company\n22334455,Kari Nordmann,Fjord Sjømat AS\n";
    folder.write("vip.csv", format!("{kari}{further}"));
    folder
}

/// The sources `vip` and `all`, each with a CSV file of its name.
pub(crate) const VIP_AND_ALL: &str = r#"
[[source]]
name = "vip"
type = "csv"
path = "vip.csv"

[[source]]
name = "all"
type = "csv"
path = "all.csv"
"#;
