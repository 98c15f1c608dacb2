//! `nameplate lookup NUMBER`, and `nameplate lookup -` for many.
//!
//! - `explain`: the answer with its reasons, for a person
//! - `many`: one number a line in, one answer a line out
//! - `missing`: lists that do not exist yet

mod explain;
mod many;
mod missing;

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use explain::Details;
pub(super) use explain::printable;

use super::{Exit, Usage};
use crate::call::{self, Answer, Caller};
use crate::config::Config;
use crate::directory::merge::SharedNumbers;
use crate::lists::offline::Lists;
use crate::lookup::{Explanation, Pbx, Resolution, Resolver, Status};
use crate::number::Country;
use crate::observe::logging::{self, LogLevel};
use crate::tls;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number as a trunk would send it: 22334455, +4722334455, 004722334455; or - for one a line of standard input
    // Numbers with blanks and plus signs are common; a minus in front must not become an option.
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

/// A lookup at one PBX.
struct Lookup<'a> {
    resolver: &'a Resolver,
    pbx: &'a Pbx,
    country: Option<Country>,
}

impl Lookup<'_> {
    fn answer(&self, number: &str) -> Answer {
        call::answer(self.resolver, self.pbx, self.caller(number))
    }

    fn explain(&self, number: &str) -> (Answer, Explanation) {
        call::explain(self.resolver, self.pbx, self.caller(number))
    }

    fn caller<'n>(&self, number: &'n str) -> Caller<'n> {
        Caller { number, country: self.country, ..Caller::default() }
    }
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Warn);
    tls::install();
    let pbx = pbx(config, arguments.pbx.as_deref())?;
    let lists = super::block_on(missing::lists(config))??;
    let resolver = Resolver::new(config.style.clone());
    resolver.suppress(&lists.suppressed());
    resolver.swap(lists.directory(&config.rules)?);
    let lookup = Lookup { resolver: &resolver, pbx, country: arguments.country };
    let answered = if arguments.number == "-" {
        let out = &mut io::stdout().lock();
        many::answer(&lookup, arguments.json, io::stdin().lock(), out).map(|()| Exit::Success)
    } else {
        one(&lookup, arguments, &lists, config.rules.shared)
    };
    match answered {
        // The reader, such as `head`, has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Success),
        answered => Ok(answered?),
    }
}

/// The number settings: of the PBX with this name, else of `[numbers]`.
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

/// A resolution in JSON, with its explanation.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    resolution: &'a Resolution,
    explanation: explain::Json<'a>,
}

fn one(lookup: &Lookup<'_>, arguments: &Arguments, lists: &Lists, shared: SharedNumbers) -> io::Result<Exit> {
    let (Answer { resolution, .. }, explanation) = lookup.explain(&arguments.number);
    let numbers: Vec<_> = resolution.readings.iter().map(|read| read.reading.number).collect();
    let entries = lists.entries_for(&numbers)?;
    let (missing, held_back) = (lists.missing(), lists.held_back());
    let details = Details { explanation: &explanation, entries: &entries, missing, held_back, shared };
    if arguments.json {
        let explained = Explained { resolution: &resolution, explanation: details.json(&resolution) };
        writeln!(io::stdout().lock(), "{}", serde_json::to_string(&explained)?)?;
    } else {
        // Colours only on a terminal, and not if NO_COLOR or TERM=dumb forbids them.
        explain::write(&resolution, &details, &mut anstream::stdout().lock())?;
    }
    Ok(match resolution.status {
        Status::Found => Exit::Success,
        // A source that did not answer may have the number.
        Status::NotFound if !lists.missing().is_empty() => Exit::Failure,
        _ => Exit::Miss,
    })
}
