//! What a call in our Stasis application wants, and what sends it on.

use super::answer::{Failure, Outcome};
use super::rest::Http;
use super::warnings::Warnings;
use super::wire::{Caller, Parameter};
use crate::number::Country;
use crate::resolver::{Pbx, Resolution, Resolver, Status};

/// The version of the arguments that the shipped dialplan sends: `Stasis(nameplate,handoff,1,<country>)`.
const PROTOCOL: &str = "1";

/// How a call wants its answer: said by the arguments of `Stasis()`, so each call chooses for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
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

impl Wish {
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
                let country = country.map(str::trim).filter(|country| !country.is_empty());
                let read = country.and_then(|country| country.parse().ok());
                if let (Some(country), None) = (country, read) {
                    unknown_country(country);
                }
                Self::Handoff { country: read }
            }
            _ => Self::Unknown,
        }
    }

    /// Reads the application's data as a channel's snapshot has it: `nameplate,handoff,1,NO`.
    pub(super) fn of_app_data(app_data: &str, unknown_country: impl FnOnce(&str)) -> Self {
        Self::of(app_data.split(',').skip(1), unknown_country)
    }
}

/// Where the handoff sends a call: an extension of the context it is in, at a label.
///
/// No context is named, which means the one that `Stasis()` stands in: a renamed context works, and a call
/// that came from elsewhere can't be sent into one that it would not find back from. The label makes a
/// mismatch an immediate 404, with the call still in Stasis; an unknown priority would lose the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    extension: String,
    label: &'static str,
}

impl Place {
    /// The place for what was found. `keeps`: the call keeps the name that it has.
    pub(super) fn of(resolution: &Resolution, keeps: bool) -> Self {
        match (resolution.status_of(keeps), &resolution.name) {
            (Status::Found, Some(name)) => {
                let [person, company] =
                    resolution.ids().map(|id| id.map_or_else(String::new, |id| id.to_string()));
                if keeps {
                    return Self { extension: format!("={person}:{company}:"), label: "kept" };
                }
                Self { extension: format!("={person}:{company}:{}", name.as_str()), label: "found" }
            }
            (Status::Skipped, _) => Self { extension: "skipped".into(), label: "skipped" },
            _ => Self { extension: "notfound".into(), label: "notfound" },
        }
    }

    #[cfg(test)]
    pub(super) fn not_found() -> Self {
        Self { extension: "notfound".into(), label: "notfound" }
    }

    /// The parameters of the `continue` request.
    pub(super) fn parameters(&self) -> [Parameter<'_>; 2] {
        [
            Parameter { name: "extension", value: &self.extension },
            Parameter { name: "label", value: self.label },
        ]
    }
}

/// Finds a call's name and sets it, in the direct style. All over HTTP: on the websocket one stuck channel would hold up
/// every request behind it, since Asterisk answers `variable` after its execution. None: the number is withheld.
pub(super) async fn serve_direct(
    http: &Http,
    resolver: &Resolver,
    pbx: &Pbx,
    channel: &str,
    caller: &Caller<'_>,
    warnings: &Warnings,
) -> Result<Option<std::sync::Arc<Resolution>>, Failure> {
    // Read by `GET variable`, which does not poison the dialplan.
    let presentation = http.variable(channel, "CALLERID(num-pres)").await?;
    if !presentation.starts_with("allowed") {
        return Ok(None);
    }
    let resolution = resolver.resolve(pbx, None, &caller.number);
    if let Some(name) = &resolution.name
        && !resolver.keeps(&caller.name)
    {
        let outcome = http.set_variable(channel, "CALLERID(name)", name.as_str()).await;
        if let Outcome::Failed(what) = outcome {
            warnings.name(&what);
        }
    }
    Ok(Some(resolution))
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
    use crate::name::Name;
    use crate::resolver::{CompanyParty, PersonParty};

    #[test]
    fn the_arguments_say_how_a_call_wants_its_answer() {
        let sweden = "SE".parse().ok();
        for (app_data, wish) in [
            ("nameplate", Wish::Direct),
            ("nameplate,", Wish::Direct),
            ("nameplate,handoff,1", Wish::Handoff { country: None }),
            ("nameplate,handoff,1,", Wish::Handoff { country: None }),
            ("nameplate,handoff,1,SE", Wish::Handoff { country: sweden }),
            ("nameplate,handoff,1,XX", Wish::Handoff { country: None }),
            ("nameplate,handoff,2,SE", Wish::Unknown),
            ("nameplate,handoff", Wish::Unknown),
            ("nameplate,dance", Wish::Unknown),
        ] {
            let mut unknown = None;
            let read = Wish::of_app_data(app_data, |country| unknown = Some(country.to_owned()));
            assert_eq!(read, wish, "{app_data}");
            assert_eq!(unknown.as_deref(), app_data.ends_with("XX").then_some("XX"), "{app_data}");
        }
    }

    #[test]
    fn the_longest_answer_fits_an_extension() {
        let resolver = Resolver::new(crate::name::Style::default());
        let pbx = Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) };
        let mut resolution = resolver.resolve(&pbx, None, "22334455").as_ref().clone();
        for keeps in [false, true] {
            let expected = Place { extension: "notfound".into(), label: "notfound" };
            assert_eq!(Place::of(&resolution, keeps), expected);
        }

        resolution.status = Status::Found;
        resolution.name = Name::new(&"Ж".repeat(28), usize::MAX, false);
        resolution.person =
            Some(PersonParty { id: Some(u32::MAX), name: String::new(), mrmrs: String::new() });
        resolution.company = Some(CompanyParty { id: Some(u32::MAX), name: String::new() });
        let place = Place::of(&resolution, false);
        assert_eq!(place.label, "found");
        assert_eq!(place.extension.len(), 79);
        assert!(place.extension.starts_with("=4294967295:4294967295:ЖЖ"));

        resolution.person = None;
        resolution.company = None;
        resolution.name = Name::new("---", usize::MAX, false);
        assert_eq!(Place::of(&resolution, false).extension, "=::---");
        assert_eq!(Place::of(&resolution, true), Place { extension: "=::".into(), label: "kept" });
    }

    #[test]
    fn a_guess_has_no_ids_and_gives_way_to_a_name() {
        let resolver = Resolver::new(crate::name::Style::default());
        let pbx = Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) };
        let mut range = resolver.resolve(&pbx, None, "22334455").as_ref().clone();
        range.status = Status::Found;
        range.name = Name::new("~Fjord", usize::MAX, false);
        range.company = Some(CompanyParty { id: Some(243), name: "Fjord".into() });
        // One that the administrator wrote.
        assert_eq!(Place::of(&range, false).extension, "=:243:~Fjord");
        assert_eq!(Place::of(&range, true), Place { extension: "=:243:".into(), label: "kept" });
        range.guessed = true;
        assert_eq!(Place::of(&range, false).extension, "=::~Fjord");
        assert_eq!(Place::of(&range, true), Place { extension: "notfound".into(), label: "notfound" });
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
