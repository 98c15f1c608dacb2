//! One door for a call: [`answer`] takes a [`Caller`] and returns the [`Answer`]. ARI, FastAGI, the web server and
//! `nameplate lookup` use it, so their answers can't differ. An answer has both encodings for a dialplan: the extension of
//! ARI's handoff, and the line of FastAGI.

use std::sync::Arc;
use std::time::Duration;

use crate::lookup::{Certainty, Explanation, Pbx, Resolution, Resolver, Status};
use crate::name::Name;
use crate::number::Country;
use crate::observe::mask;
use crate::search::Wait;

/// The most characters of an unknown country that a log line shows.
const MAX_SHOWN: usize = 32;

/// The end of a call whose name is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Party {
    /// The caller: an outside call comes in.
    #[default]
    Caller,
    /// The person called: an operator dials an outside number.
    Called,
}

/// A call, as the PBX describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The caller's number. "" for a withheld number, which is not looked up.
    pub number: &'a str,
    /// The provider's name for the caller. "" for none.
    pub name: &'a str,
    /// The number called. "" where the dialplan does not say it.
    pub dialled: &'a str,
    /// The end of the call whose name is wanted.
    pub wanted: Party,
    /// The country of the trunk. None for the country of the PBX.
    pub country: Option<Country>,
}

impl Caller<'_> {
    /// The number whose name is wanted.
    fn wanted_number(&self) -> &str {
        match self.wanted {
            Party::Caller => self.number,
            Party::Called => self.dialled,
        }
    }

    /// The name that the call has for the wanted end. "" for none.
    fn existing(&self) -> &str {
        match self.wanted {
            Party::Caller => self.name,
            Party::Called => "",
        }
    }

    fn answered(&self, resolver: &Resolver, resolution: Arc<Resolution>) -> Answer {
        Answer { resolution, wanted: self.wanted, keeps_name: resolver.keeps(self.existing()) }
    }
}

/// The words that a dialplan's context understands. The context says so with each call, so that contexts and services of
/// different versions work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// Status, ids and name: a context that announces nothing.
    #[default]
    Plain,
    /// Also the certainty and the tag.
    Tags,
}

impl Edition {
    /// The argument of `Stasis()` and `AGI()`, behind the country, that announces [`Edition::Tags`].
    pub const TAGS: &str = "tags";

    /// The edition that this argument announces; "" for none.
    #[must_use]
    pub fn of(argument: &str) -> Self {
        if argument.trim() == Self::TAGS { Self::Tags } else { Self::Plain }
    }
}

/// The answer to a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The name, with its reasons.
    pub resolution: Arc<Resolution>,
    /// The end of the call that has the name.
    pub wanted: Party,
    /// The call keeps the provider's name.
    keeps_name: bool,
}

/// Answers a call from this PBX.
#[must_use]
pub fn answer(resolver: &Resolver, pbx: &Pbx, caller: Caller<'_>) -> Answer {
    caller.answered(resolver, resolver.resolve(pbx, caller.country, caller.wanted_number()))
}

/// The answer of [`answer`], and the search that may bring a better one, if the call may wait for it.
#[must_use]
pub fn answer_or_wait(resolver: &Resolver, pbx: &Pbx, caller: Caller<'_>) -> (Answer, Option<Wait>) {
    let (resolution, wait) = resolver.resolve_or_wait(pbx, caller.country, caller.wanted_number());
    (caller.answered(resolver, resolution), wait)
}

/// Waits for the search of [`answer_or_wait`], for at most `longest` from the call's beginning, and answers.
pub async fn answer_after(
    wait: Wait,
    longest: Duration,
    resolver: &Resolver,
    pbx: &Pbx,
    caller: Caller<'_>,
) -> Answer {
    let resolution = resolver.resolve_after(wait, longest, pbx, caller.country, caller.wanted_number()).await;
    caller.answered(resolver, resolution)
}

/// Answers a call from this PBX. A caller that no list has waits for the search in the CRM where a source has `search_wait`,
/// for at most `longest`.
pub async fn answer_in_time(resolver: &Resolver, pbx: &Pbx, caller: Caller<'_>, longest: Duration) -> Answer {
    match answer_or_wait(resolver, pbx, caller) {
        (_, Some(wait)) => answer_after(wait, longest, resolver, pbx, caller).await,
        (answer, None) => answer,
    }
}

/// The answer of [`answer`], with its explanation from the same directory.
#[must_use]
pub fn explain(resolver: &Resolver, pbx: &Pbx, caller: Caller<'_>) -> (Answer, Explanation) {
    let (resolution, explanation) = resolver.explain(pbx, caller.country, caller.wanted_number());
    (caller.answered(resolver, resolution), explanation)
}

/// Reads the country of a trunk from a dialplan's word. None for an empty word or an unknown country; `unknown` is called
/// with the latter.
pub fn country(word: &str, unknown: impl FnOnce(&str)) -> Option<Country> {
    let word = word.trim();
    if word.is_empty() {
        return None;
    }
    let read = word.parse().ok();
    if read.is_none() {
        let shown: String = word.chars().take(MAX_SHOWN).collect();
        unknown(&mask::Text(&shown).to_string());
    }
    read
}

impl Answer {
    /// The status, as the dialplan sees it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.resolution.status_of(self.keeps_name)
    }

    /// The name to set. None without a name, or if the call keeps the provider's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.resolution.name.as_ref().filter(|_| !self.keeps_name).map(Name::as_str)
    }

    /// The ids of the person and of the company; "" for none.
    #[must_use]
    pub fn ids(&self) -> [String; 2] {
        self.resolution.ids().map(|id| id.map_or_else(String::new, |id| id.to_string()))
    }

    /// The status as `NAMEPLATE_STATUS` has it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.status() {
            Status::Found => "FOUND",
            Status::NotFound => "NOTFOUND",
            Status::Skipped => "SKIPPED",
        }
    }

    /// The certainty of the name, for a dialplan. "" without a name.
    #[must_use]
    pub fn certainty(&self) -> &'static str {
        let certainty = self.resolution.certainty.filter(|_| self.status() == Status::Found);
        certainty.map_or("", Certainty::as_str)
    }

    /// The tag, by which a dialplan routes the call. "" for none.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.resolution.tag.as_deref().unwrap_or_default()
    }

    /// The target of ARI's `continue`, for a context of this edition.
    #[must_use]
    pub fn handoff(&self, edition: Edition) -> Handoff {
        let mut handoff = self.callers_handoff(edition);
        if self.wanted == Party::Called {
            handoff.label = "called";
        }
        handoff
    }

    fn callers_handoff(&self, edition: Edition) -> Handoff {
        let [person, company] = self.ids();
        let mut extension = format!("={person}:{company}:");
        match (self.status(), self.name()) {
            (Status::Found, Some(name)) => {
                extension.push_str(name);
                let mut label = "found";
                if edition == Edition::Tags {
                    // The label costs the name no bytes. A context takes `found` for the answer of an older service, which has no
                    // certainty.
                    label = self.certainty();
                    if !self.tag().is_empty() {
                        extension.extend([":", self.tag()]);
                    }
                }
                Handoff { extension, label }
            }
            (Status::Found, None) => {
                if edition == Edition::Tags {
                    extension.extend([":", self.tag(), ":", self.certainty()]);
                }
                Handoff { extension, label: "kept" }
            }
            (Status::Skipped, _) => Handoff { extension: "skipped".into(), label: "skipped" },
            (Status::NotFound, _) => Handoff { extension: "notfound".into(), label: "notfound" },
        }
    }

    /// The value that FastAGI's `handoff` sets and the shipped context splits: `FOUND:<person id>:<company id>:<name>`, and for a
    /// context of [`Edition::Tags`] also `:<certainty>:<tag>`. The name is empty if there is no name to set. A name has no colon.
    #[must_use]
    pub fn line(&self, edition: Edition) -> String {
        let [person, company] = self.ids();
        let line = format!("{}:{person}:{company}:{}", self.word(), self.name().unwrap_or_default());
        match edition {
            Edition::Plain => line,
            Edition::Tags => format!("{line}:{}:{}", self.certainty(), self.tag()),
        }
    }
}

/// The target of the handoff: an extension and a label in the call's own context.
///
/// The request has no context, so Asterisk takes the context of the `Stasis()`. A renamed context works, and no call is sent
/// to a context without the way back. If the label is missing, Asterisk answers 404 at once, and the call is still in
/// Stasis. A missing priority would lose the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// At most 79 bytes: the longest extension of Asterisk.
    pub extension: String,
    /// `found`, `exact`, `reading`, `range`, `kept`, `notfound` or `skipped`; `called` for each answer about the person called.
    pub label: &'static str,
}

#[cfg(test)]
mod tests;
