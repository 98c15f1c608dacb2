//! What a call in our Stasis application wants, and what sends it on.

use super::response::{ContinueResult, Failure};
use super::rest::Http;
use super::warnings::Warnings;
use super::wire::{self, Parameter};
use crate::call::{self, Answer, Handoff};
use crate::number::Country;
use crate::resolver::{Pbx, Resolver};

/// The version of the arguments that the shipped dialplan sends: `Stasis(nameplate,handoff,1,<country>)`.
const PROTOCOL: &str = "1";

/// How a call wants its answer: said by the arguments of `Stasis()`, so each call chooses for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StasisMode {
    /// `Stasis(nameplate,handoff,1,<country>)`: one `continue` that carries the name to the context it comes from.
    Handoff {
        /// The trunk's country, where it is not the PBX's.
        country: Option<Country>,
    },
    /// `Stasis(nameplate)` in a user's own context: the name as `CALLERID(name)`, then on to the next priority.
    Direct,
    /// Arguments of another version than ours: the call is sent on untouched.
    Unknown,
}

impl StasisMode {
    /// Reads the arguments behind the application's name. A country that is none goes to `unknown_country`;
    /// the PBX's own is taken.
    pub(super) fn of<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        unknown_country: impl FnOnce(&str),
    ) -> Self {
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next(), arguments.next()) {
            (None | Some(""), None, None) => Self::Direct,
            (Some("handoff"), Some(PROTOCOL), country) => {
                Self::Handoff { country: call::country(country.unwrap_or_default(), unknown_country) }
            }
            _ => Self::Unknown,
        }
    }

    /// Reads the application's data as a channel's snapshot has it: `nameplate,handoff,1,NO`.
    pub(super) fn of_app_data(app_data: &str, unknown_country: impl FnOnce(&str)) -> Self {
        Self::of(app_data.split(',').skip(1), unknown_country)
    }
}

/// The parameters of the `continue` request that hands a call off.
pub(super) fn parameters(handoff: &Handoff) -> [Parameter<'_>; 2] {
    [
        Parameter { name: "extension", value: &handoff.extension },
        Parameter { name: "label", value: handoff.label },
    ]
}

/// Finds a call's name and sets it, in the direct style. All over HTTP: on the websocket one stuck channel would hold up
/// every request behind it, since Asterisk answers `variable` after its execution. None: the number is withheld.
pub(super) async fn serve_direct(
    http: &Http,
    resolver: &Resolver,
    pbx: &Pbx,
    channel: &str,
    caller: &wire::Caller<'_>,
    warnings: &Warnings,
) -> Result<Option<Answer>, Failure> {
    // Read by `GET variable`, which does not poison the dialplan.
    let presentation = http.variable(channel, "CALLERID(num-pres)").await?;
    if !presentation.starts_with("allowed") {
        return Ok(None);
    }
    let answer = call::answer(resolver, pbx, caller.with_country(None));
    if let Some(name) = answer.name()
        && let ContinueResult::Failed(what) = http.set_variable(channel, "CALLERID(name)", name).await
    {
        warnings.name(&what);
    }
    Ok(Some(answer))
}

/// Whether `POST channels/{id}/variable` makes this Asterisk refuse `DB()`, `SHELL()` and others for the
/// rest of the call: 20.20.1, 21.12.3, 22.10.1, 23.4.1 and later. What can't be read is taken for one that does.
pub(super) fn poisons(version: &str) -> bool {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .map(|number| number.parse::<u32>().unwrap_or(u32::MAX));
    let Some(major) = numbers.next() else { return true };
    let rest = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match major {
        ..20 => false,
        20 => rest >= (20, 1),
        21 => rest >= (12, 3),
        22 => rest >= (10, 1),
        23 => rest >= (4, 1),
        24.. => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_say_how_a_call_wants_its_answer() {
        let sweden = "SE".parse().ok();
        for (app_data, mode) in [
            ("nameplate", StasisMode::Direct),
            ("nameplate,", StasisMode::Direct),
            ("nameplate,handoff,1", StasisMode::Handoff { country: None }),
            ("nameplate,handoff,1,", StasisMode::Handoff { country: None }),
            ("nameplate,handoff,1,SE", StasisMode::Handoff { country: sweden }),
            ("nameplate,handoff,1,XX", StasisMode::Handoff { country: None }),
            ("nameplate,handoff,2,SE", StasisMode::Unknown),
            ("nameplate,handoff", StasisMode::Unknown),
            ("nameplate,dance", StasisMode::Unknown),
        ] {
            let mut unknown = None;
            let read = StasisMode::of_app_data(app_data, |country| unknown = Some(country.to_owned()));
            assert_eq!(read, mode, "{app_data}");
            assert_eq!(unknown.as_deref(), app_data.ends_with("XX").then_some("XX"), "{app_data}");
        }
    }

    #[test]
    fn versions_that_poison_the_dialplan() {
        for (version, poisoned) in [
            ("16.28.0~dfsg-0+deb11u4", false),
            ("20.20.0", false),
            ("20.20.1", true),
            ("21.12.2", false),
            ("22.10.1+dfsg+~cs6.15.60671435-1", true),
            ("22.9.4", false),
            ("23.4.1", true),
            ("24.0.0", true),
            ("GIT-master", true),
        ] {
            assert_eq!(poisons(version), poisoned, "{version}");
        }
    }
}
