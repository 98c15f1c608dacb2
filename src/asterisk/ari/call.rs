//! How a call has entered our Stasis application, and the requests that answer it.

use std::time::{Duration, Instant};

use super::response::{ContinueResult, Failure};
use super::rest::Http;
use super::warnings::Warnings;
use super::wire::{self, Parameter};
use crate::call::{self, Answer, Edition, Handoff, Party};
use crate::lookup::{Pbx, Resolver};
use crate::number::Country;

/// The version of the arguments that the shipped dialplan sends: `Stasis(nameplate,handoff,1,<country>,tags,<number called>)`.
pub const PROTOCOL: &str = "1";

/// How a call takes its answer. The arguments of its `Stasis()` say so, for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StasisMode {
    /// `Stasis(nameplate,handoff,1,<country>,tags,<number called>)`: one `continue` request carries the caller's name back to the
    /// call's own context. `called` in place of `handoff`: the name of the person called.
    Handoff {
        /// The end of the call whose name is wanted.
        wanted: Party,
        /// The trunk's country; none: the PBX's.
        country: Option<Country>,
        /// What its context understands: without `tags` that of older versions.
        edition: Edition,
    },
    /// `Stasis(nameplate)` in a user's own context: the name is set as `CALLERID(name)`, and the call goes on to the next
    /// priority: the direct style.
    Direct,
    /// The arguments of another version: the call goes on unchanged.
    Unknown,
}

impl StasisMode {
    /// Reads the arguments behind the application's name. `unknown_country` is called with an unknown country, and the PBX's
    /// country counts.
    pub(super) fn of<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        unknown_country: impl FnOnce(&str),
    ) -> Self {
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next(), arguments.next()) {
            (None | Some(""), None, None) => Self::Direct,
            (Some(word @ ("handoff" | "called")), Some(PROTOCOL), country) => {
                let wanted = if word == "called" { Party::Called } else { Party::Caller };
                let country = call::country(country.unwrap_or_default(), unknown_country);
                let edition = Edition::of(arguments.next().unwrap_or_default());
                Self::Handoff { wanted, country, edition }
            }
            _ => Self::Unknown,
        }
    }

    /// The end of the call whose name is wanted.
    pub(super) fn wanted(self) -> Party {
        if let Self::Handoff { wanted, .. } = self { wanted } else { Party::default() }
    }

    /// The number called, among the arguments behind the application's name; "" for none.
    pub(super) fn dialled<'a>(arguments: impl IntoIterator<Item = &'a str>) -> &'a str {
        arguments.into_iter().nth(4).unwrap_or_default()
    }
}

/// The parameters of the `continue` request that hands a call off.
pub(super) fn parameters(handoff: &Handoff) -> [Parameter<'_>; 2] {
    [
        Parameter { name: "extension", value: &handoff.extension },
        Parameter { name: "label", value: handoff.label },
    ]
}

/// Answers a call of the direct style. It may wait for the search in the CRM until it is `longest` old; it came when it has
/// `begun`. All requests go over HTTP: on the websocket Asterisk executes `variable` before it reads the next request, so one stuck
/// channel would hold up all calls. None: the number is withheld.
pub(super) async fn serve_direct(
    http: &Http,
    resolver: &Resolver,
    pbx: &Pbx,
    channel: &str,
    caller: &wire::Caller<'_>,
    (begun, longest): (Instant, Duration),
    warnings: &Warnings,
) -> Result<Option<Answer>, Failure> {
    // `GET variable` does not poison the dialplan.
    let presentation = http.variable(channel, "CALLERID(num-pres)").await?;
    if !presentation.starts_with("allowed") {
        return Ok(None);
    }
    let longest = longest.saturating_sub(begun.elapsed());
    let caller = caller.wanting(Party::Caller, None);
    let answer = call::answer_in_time(resolver, pbx, caller, longest).await;
    if let Some(name) = answer.name()
        && let ContinueResult::Failed(what) = http.set_variable(channel, "CALLERID(name)", name).await
    {
        warnings.name(&what);
    }
    Ok(Some(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_stasis_choose_the_mode() {
        let sweden = "SE".parse().ok();
        let mode = |wanted, country, edition| StasisMode::Handoff { wanted, country, edition };
        let plain = |country| mode(Party::Caller, country, Edition::Plain);
        let tags = |country| mode(Party::Caller, country, Edition::Tags);
        let called = |country| mode(Party::Called, country, Edition::Tags);
        for (app_data, mode) in [
            ("nameplate", StasisMode::Direct),
            ("nameplate,", StasisMode::Direct),
            ("nameplate,handoff,1", plain(None)),
            ("nameplate,handoff,1,", plain(None)),
            ("nameplate,handoff,1,SE", plain(sweden)),
            ("nameplate,handoff,1,,tags", tags(None)),
            ("nameplate,handoff,1,SE,tags", tags(sweden)),
            ("nameplate,handoff,1,SE,tags,22180000", tags(sweden)),
            ("nameplate,called,1,,tags,22334455", called(None)),
            ("nameplate,called,1,SE,tags,22334455", called(sweden)),
            ("nameplate,called,2,SE,tags,22334455", StasisMode::Unknown),
            ("nameplate,handoff,1,SE,later", plain(sweden)),
            ("nameplate,handoff,1,XX", plain(None)),
            ("nameplate,handoff,2,SE", StasisMode::Unknown),
            ("nameplate,handoff", StasisMode::Unknown),
            ("nameplate,dance", StasisMode::Unknown),
        ] {
            let arguments = app_data.split(',').skip(1);
            let dialled = app_data.split_once(",tags,").map_or("", |(_, dialled)| dialled);
            assert_eq!(StasisMode::dialled(arguments), dialled, "{app_data}");
            let mut unknown = None;
            let arguments = app_data.split(',').skip(1);
            let read = StasisMode::of(arguments, |country| unknown = Some(country.to_owned()));
            assert_eq!(read, mode, "{app_data}");
            assert_eq!(unknown.as_deref(), app_data.ends_with("XX").then_some("XX"), "{app_data}");
        }
    }
}
