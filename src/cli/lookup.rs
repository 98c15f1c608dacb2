//! `nameplate lookup NUMBER`, and `nameplate lookup -` for many.
//!
//! - `explain`: the answer for a person, and how it came about
//! - `many`: a line in, a line out
//! - `missing`: lists that are not there yet

mod explain;
mod many;
mod missing;

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

pub(super) use explain::printable;

use super::{Exit, Usage};
use crate::call::{self, Caller};
use crate::config::Config;
use crate::directory::merge::SharedNumbers;
use crate::lists::guard;
use crate::lists::offline::{ListEntry, Lists};
use crate::number::Country;
use crate::observe::logging;
use crate::resolver::{Explanation, Pbx, Reason, Resolution, Resolver, Status};
use crate::tls;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number as a trunk would send it: 22334455, +4722334455, 004722334455; or - for one a line of standard input
    // A number may begin with a minus as little as any argument, but blanks and plus signs are common.
    #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
    number: String,
    /// One JSON object a number, also when there is no name
    #[arg(long)]
    json: bool,
    /// Read it as a trunk of this country would mean it
    #[arg(long, value_name = "CODE")]
    country: Option<Country>,
    /// Read it by the `numbers` of the PBX with this name
    #[arg(long, value_name = "NAME")]
    pbx: Option<String>,
}

/// How the numbers are to be read, and by whom.
struct Asked<'a> {
    resolver: &'a Resolver,
    pbx: &'a Pbx,
    country: Option<Country>,
}

impl Asked<'_> {
    fn resolve(&self, number: &str) -> std::sync::Arc<Resolution> {
        let caller = Caller { number, country: self.country, ..Caller::default() };
        call::answer(self.resolver, self.pbx, caller).resolution
    }
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "warn");
    tls::install();
    let pbx = pbx(config, arguments.pbx.as_deref())?;
    let lists = super::block_on(missing::lists(config))??;
    let resolver = Resolver::new(config.style.clone());
    resolver.swap(lists.directory(&config.rules)?);
    let asked = Asked { resolver: &resolver, pbx, country: arguments.country };
    let answered = if arguments.number == "-" {
        let out = &mut io::stdout().lock();
        many::answer(&asked, arguments.json, io::stdin().lock(), out).map(|()| Exit::Success)
    } else {
        one(&asked, arguments, &lists, config.rules.shared)
    };
    match answered {
        // Whoever reads, `head` it may be, has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Success),
        answered => Ok(answered?),
    }
}

/// Whose number settings count: those of the PBX with this name, else those of `[numbers]`.
fn pbx<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Pbx, Usage> {
    let Some(name) = name else { return Ok(&config.pbx) };
    let known = config.asterisks.iter().find(|asterisk| asterisk.name == name);
    known.map(|asterisk| &asterisk.pbx).ok_or_else(|| {
        let known: Vec<_> = config.asterisks.iter().map(|asterisk| asterisk.name.as_str()).collect();
        let known = if known.is_empty() { "there are none".into() } else { known.join(", ") };
        Usage(format!(
            "--pbx {name}: there is no such [[asterisk]] in {}; allowed: {known}",
            config.path.display()
        ))
    })
}

/// A resolution in JSON, and how it came about.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    resolution: &'a Resolution,
    explanation: explain::Json<'a>,
}

fn one(asked: &Asked<'_>, arguments: &Arguments, lists: &Lists, shared: SharedNumbers) -> io::Result<Exit> {
    let resolution = asked.resolve(&arguments.number);
    let explanation = asked.resolver.explain(&resolution);
    let numbers: Vec<_> = resolution.readings.iter().map(|read| read.reading.number).collect();
    let held = lists.entries_for(&numbers)?;
    let (missing, held_back) = (lists.missing(), lists.held_back());
    let behind = Behind { explanation: &explanation, held: &held, missing, held_back, shared };
    if arguments.json {
        let explained = Explained { resolution: &resolution, explanation: behind.json(&resolution) };
        writeln!(io::stdout().lock(), "{}", serde_json::to_string(&explained)?)?;
    } else {
        // Colours on a terminal only, and not where NO_COLOR or TERM=dumb forbids them.
        explain::write(&resolution, &behind, &mut anstream::stdout().lock())?;
    }
    Ok(match resolution.status {
        Status::Found => Exit::Success,
        // Somebody who could not be asked may know the number.
        Status::NotFound if !lists.missing().is_empty() => Exit::Failure,
        _ => Exit::Miss,
    })
}

/// What is known beyond the resolution itself.
struct Behind<'a> {
    explanation: &'a Explanation,
    /// What each list holds for any of the readings.
    held: &'a [ListEntry],
    /// The lists that could not be asked.
    missing: &'a [String],
    /// The lists that have come and are held back, by the names of those in use.
    held_back: &'a [(String, guard::HeldList)],
    /// What is shown for a number that several have.
    shared: SharedNumbers,
}

fn in_words(reason: Reason, shared: SharedNumbers) -> &'static str {
    match reason {
        Reason::Ambiguous => ambiguous_in_words(shared),
        Reason::Doubtful => {
            "the digits can be read in two ways, each is somebody else's, and `doubtful = \"none\"` in [names] shows neither"
        }
        Reason::NoName => "of the name in the CRM nothing is left that a phone can show",
        Reason::NoNumber => {
            "this can't be a telephone number: no digits, more than 15, a country code that is not assigned, or a length that no number of the country has"
        }
        Reason::Anonymous => "the number is withheld: this is what stands in its place",
        Reason::Internal => {
            "this is an extension of the PBX: `internal` in [numbers], or at most six digits, and fewer than any number of the country"
        }
        Reason::ShortCode => "this is an emergency number or a short code: `short_codes` in [numbers]",
        Reason::TooLong => "this is longer than any telephone number",
    }
}

fn ambiguous_in_words(shared: SharedNumbers) -> &'static str {
    match shared {
        SharedNumbers::Both => "several people have this number, and no company in common",
        SharedNumbers::Company => {
            "several have this number, and `shared_numbers = \"company\"` in [names] shows only a company that all of them have in common"
        }
        SharedNumbers::None => {
            "several have this number, and `shared_numbers = \"none\"` in [names] shows none of them"
        }
    }
}
