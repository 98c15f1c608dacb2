//! A person in front of the pages of a service: users, logins, and the calls that are on the page.

use super::browser::Browser;
use super::nameplate::Folder;

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse";

/// An operator, `kari`, and an administrator, `ase`: sections of the configuration. The hash is made by the program.
pub(crate) fn users() -> String {
    let output = Folder::new("").run_with_input(&["password"], &format!("{PASSWORD}\n"));
    let hash = String::from_utf8(output.stdout).expect("a hash");
    let hash = hash.lines().find(|line| line.starts_with("$argon2id$")).expect("a hash");
    let user =
        |name, role| format!("[[web.user]]\nname = \"{name}\"\nrole = \"{role}\"\npassword = \"{hash}\"\n");
    user("kari", "operator") + &user("ase", "administrator")
}

/// Logs a user in, whoever was before.
pub(crate) async fn log_in(browser: &Browser, site: &str, user: &str) {
    browser.open(&format!("{site}/login?to=%2Fstatus")).await;
    browser.write("#name", user).await;
    browser.write("#password", PASSWORD).await;
    browser.click(".door button").await;
    browser.until("location.pathname === '/status'").await;
}
