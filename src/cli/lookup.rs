//! `nameplate lookup NUMBER`

use std::io::{self, Write};

use super::Exit;
use crate::config::Config;
use crate::name::Name;
use crate::number::Rule;
use crate::resolver::{Reason, Resolution, Resolver, Status};
use crate::{logging, refresh, tls};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number as a trunk would send it: 22334455, +4722334455, 004722334455
    // A number may begin with a minus as little as any argument, but blanks and plus signs are common.
    #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
    number: String,
    /// One JSON object, also when there is no name
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "warn");
    tls::install();
    let found = super::runtime()?.block_on(refresh::alone::directory(&config.sources, &config.state_dir));
    let (directory, missing) = found?;
    let resolver = Resolver::new(config.style.clone());
    resolver.swap(directory);
    let resolution = resolver.resolve(&config.pbx, None, &arguments.number);

    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(resolution.as_ref())?)?;
    } else {
        explain(&resolution, &missing, &mut out)?;
    }
    Ok(match resolution.status {
        Status::Found => Exit::Success,
        // Somebody who could not be asked may know the number.
        Status::NotFound if !missing.is_empty() => Exit::Failure,
        _ => Exit::Miss,
    })
}

/// The name in the first line, how it came about in the others.
fn explain(resolution: &Resolution, missing: &[String], out: &mut impl Write) -> io::Result<()> {
    match (&resolution.name, resolution.reason) {
        (Some(name), _) => writeln!(out, "{}", name.as_str())?,
        (None, Some(reason)) => writeln!(out, "(no name: {})", in_words(reason))?,
        (None, None) if missing.is_empty() => writeln!(out, "(no name: nobody has this number)")?,
        (None, None) => writeln!(out, "(no name; {} could not be asked)", missing.join(", "))?,
    }
    for reading in &resolution.readings {
        let mark = if reading.found { "  ← known" } else { "" };
        // With a plus the country plays no part.
        let country = match reading.rule {
            Rule::International => String::new(),
            _ => format!(", in {}", resolution.country),
        };
        writeln!(out, "  read as  {} ({}{country}){mark}", reading.number, reading.rule.as_str())?;
    }
    let id = |id: Option<u32>| id.map_or_else(String::new, |id| format!(" (id {id})"));
    if let Some(person) = &resolution.person {
        writeln!(out, "  person   {}{}", printable(&person.name), id(person.id))?;
    }
    if let Some(company) = &resolution.company {
        writeln!(out, "  company  {}{}", printable(&company.name), id(company.id))?;
    }
    if resolution.shared {
        writeln!(out, "  shared   by several companies")?;
    }
    if let Some(source) = &resolution.source {
        writeln!(out, "  source   {source}")?;
    }
    Ok(())
}

fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Ambiguous => "several people have this number, and no company in common",
        Reason::NoName => "of the name in the CRM nothing is left that a phone can show",
        Reason::NoNumber => {
            "this can't be a telephone number: no digits, too few, or a country code that is not assigned"
        }
        Reason::TooLong => "this is longer than any telephone number",
    }
}

/// What the CRM holds must not act on the terminal.
fn printable(name: &str) -> String {
    Name::new(name, usize::MAX, false).map_or_else(String::new, |name| name.as_str().to_owned())
}
