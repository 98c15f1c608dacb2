//! `nameplate password`

use std::io::{self, BufRead, Write};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use super::{Exit, Usage, terminal};
use crate::web::PasswordHash;

pub(super) fn run() -> anyhow::Result<Exit> {
    let password = if terminal::is_there() { ask()? } else { first_line(io::stdin().lock())? };
    let hash = PasswordHash::make(password.expose_secret()).map_err(Usage)?;
    writeln!(io::stdout(), "{}", hash.as_str())?;
    Ok(Exit::Success)
}

/// Asks twice: nobody sees what is typed. The questions go to stderr, so that the hash alone is on stdout.
fn ask() -> io::Result<SecretString> {
    loop {
        let password = terminal::ask_secret(&mut io::stderr(), "Password")?;
        let again = terminal::ask_secret(&mut io::stderr(), "Again")?;
        if password.expose_secret() == again.expose_secret() {
            return Ok(password);
        }
        writeln!(io::stderr(), "  these are not the same: try again")?;
    }
}

fn first_line(mut input: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    input.read_line(&mut line).context("can't read a password from stdin")?;
    Ok(line.trim_end_matches(['\r', '\n']).into())
}
