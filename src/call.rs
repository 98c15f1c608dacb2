//! One door for a call: [`answer`] takes what is known of a caller, and returns the [`Answer`]. ARI, FastAGI, the web server and
//! `nameplate lookup` all go through it, so that they can't differ. An answer also has the words in which a dialplan gets it.

use std::sync::Arc;

use crate::name::Name;
use crate::number::Country;
use crate::observe::mask;
use crate::resolver::{Pbx, Resolution, Resolver, Status};

/// Of a country that is none, so many characters are shown.
const SHOWN: usize = 32;

/// What is known of a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The number as the trunk sent it; "" where it is withheld, which is not looked up.
    pub number: &'a str,
    /// The name that the call brings along; "" for none.
    pub name: &'a str,
    /// The trunk's country, where it is not the PBX's.
    pub country: Option<Country>,
}

/// What a call gets.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The name, and how it was found.
    pub resolution: Arc<Resolution>,
    /// The call keeps the name that it brings along.
    keeps_name: bool,
}

/// The answer to a call from this PBX.
#[must_use]
pub fn answer(resolver: &Resolver, pbx: &Pbx, caller: Caller<'_>) -> Answer {
    let resolution = resolver.resolve(pbx, caller.country, caller.number);
    Answer { resolution, keeps_name: resolver.keeps(caller.name) }
}

/// Reads a trunk's country as a dialplan has it. None where there is none, and where it is no country, which `unknown` hears of.
pub fn country(word: &str, unknown: impl FnOnce(&str)) -> Option<Country> {
    let word = word.trim();
    if word.is_empty() {
        return None;
    }
    let read = word.parse().ok();
    if read.is_none() {
        let shown: String = word.chars().take(SHOWN).collect();
        unknown(&mask::Text(&shown).to_string());
    }
    read
}

impl Answer {
    /// The status, as the dialplan gets it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.resolution.status_of(self.keeps_name)
    }

    /// The name to set; none where there is none, and where the call keeps its own.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.resolution.name.as_ref().filter(|_| !self.keeps_name).map(Name::as_str)
    }

    /// The ids of the person and of the company, "" for none.
    #[must_use]
    pub fn ids(&self) -> [String; 2] {
        self.resolution.ids().map(|id| id.map_or_else(String::new, |id| id.to_string()))
    }

    /// The status in the dialplan's word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.status() {
            Status::Found => "FOUND",
            Status::NotFound => "NOTFOUND",
            Status::Skipped => "SKIPPED",
        }
    }

    /// Where ARI's `continue` sends the call.
    #[must_use]
    pub fn handoff(&self) -> Handoff {
        let [person, company] = self.ids();
        match (self.status(), self.name()) {
            (Status::Found, Some(name)) => {
                Handoff { extension: format!("={person}:{company}:{name}"), label: "found" }
            }
            (Status::Found, None) => Handoff { extension: format!("={person}:{company}:"), label: "kept" },
            (Status::Skipped, _) => Handoff { extension: "skipped".into(), label: "skipped" },
            (Status::NotFound, _) => Handoff { extension: "notfound".into(), label: "notfound" },
        }
    }

    /// What FastAGI's `handoff` sets, for the shipped context to take apart: `FOUND:<person id>:<company id>:<name>`, without a
    /// name where none is to be set. A name has no colon.
    #[must_use]
    pub fn line(&self) -> String {
        let [person, company] = self.ids();
        format!("{}:{person}:{company}:{}", self.word(), self.name().unwrap_or_default())
    }
}

/// Where the handoff sends a call: an extension of the context it is in, at a label.
///
/// No context is named, which means the one that `Stasis()` stands in: a renamed context works, and a call
/// that came from elsewhere can't be sent into one that it would not find back from. The label makes a
/// mismatch an immediate 404, with the call still in Stasis; an unknown priority would lose the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// At most 79 bytes, which is all that an extension holds.
    pub extension: String,
    /// `found`, `kept`, `notfound` or `skipped`.
    pub label: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Style;
    use crate::number;
    use crate::resolver::{CompanyParty, PersonParty};

    fn nobody() -> Resolution {
        let pbx = Pbx { id: 0, numbers: number::Settings::new("NO".parse().unwrap()) };
        Resolver::new(Style::default()).resolve(&pbx, None, "22334455").as_ref().clone()
    }

    fn both(resolution: &Resolution) -> [Answer; 2] {
        [false, true].map(|keeps_name| Answer { resolution: Arc::new(resolution.clone()), keeps_name })
    }

    fn words(answer: &Answer) -> (String, &'static str, String) {
        let Handoff { extension, label } = answer.handoff();
        (extension, label, answer.line())
    }

    #[test]
    fn the_longest_answer_fits_an_extension() {
        let mut resolution = nobody();
        for answer in both(&resolution) {
            assert_eq!(words(&answer), ("notfound".into(), "notfound", "NOTFOUND:::".into()));
        }
        resolution.status = Status::Found;
        resolution.name = Name::new(&"Ж".repeat(28), usize::MAX, false);
        resolution.person =
            Some(PersonParty { id: Some(u32::MAX), name: String::new(), mrmrs: String::new() });
        resolution.company = Some(CompanyParty { id: Some(u32::MAX), name: String::new() });
        let [answer, _] = both(&resolution);
        let Handoff { extension, label } = answer.handoff();
        assert_eq!((extension.len(), label), (79, "found"));
        assert!(extension.starts_with("=4294967295:4294967295:ЖЖ"));

        (resolution.person, resolution.company) = (None, None);
        resolution.name = Name::new("---", usize::MAX, false);
        let [answer, kept] = both(&resolution);
        assert_eq!(words(&answer), ("=::---".into(), "found", "FOUND:::---".into()));
        assert_eq!(words(&kept), ("=::".into(), "kept", "FOUND:::".into()));
    }

    #[test]
    fn a_guess_has_no_ids_and_gives_way_to_a_name() {
        let mut range = nobody();
        range.status = Status::Found;
        range.name = Name::new("~Fjord", usize::MAX, false);
        range.company = Some(CompanyParty { id: Some(243), name: "Fjord".into() });
        // One that the administrator wrote.
        let [answer, kept] = both(&range);
        assert_eq!(words(&answer), ("=:243:~Fjord".into(), "found", "FOUND::243:~Fjord".into()));
        assert_eq!(words(&kept), ("=:243:".into(), "kept", "FOUND::243:".into()));
        range.guessed = true;
        let [answer, kept] = both(&range);
        assert_eq!(words(&answer), ("=::~Fjord".into(), "found", "FOUND:::~Fjord".into()));
        assert_eq!(words(&kept), ("notfound".into(), "notfound", "NOTFOUND:::".into()));
    }

    #[test]
    fn a_trunks_country_is_one_or_is_named() {
        for (word, read, named) in [
            ("", None, None),
            ("  ", None, None),
            (" se ", "SE".parse().ok(), None),
            ("SE", "SE".parse().ok(), None),
            ("Sweden", None, Some("Sweden")),
            ("4722334455", None, Some("••••••••••")),
        ] {
            let mut heard = None;
            assert_eq!(country(word, |word| heard = Some(word.to_owned())), read, "{word}");
            assert_eq!(heard.as_deref(), named, "{word}");
        }
    }
}
