//! What every page has around it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::language::{self, LANGUAGES, Language};
use super::texts::Texts;
use crate::web::login::{Role, Viewer};

/// A place of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Place {
    /// The calls as they come.
    Calls,
    /// A search by name, company or digits.
    Find,
    /// The state of the service.
    Status,
}

impl Place {
    /// All of them, in the order of the navigation.
    pub(in crate::web) const ALL: [Self; 3] = [Self::Calls, Self::Find, Self::Status];

    /// Its path.
    pub(in crate::web) const fn path(self) -> &'static str {
        match self {
            Self::Calls => "/",
            Self::Find => "/find",
            Self::Status => "/status",
        }
    }

    /// Its name in the navigation.
    pub(super) fn title(self, texts: &Texts) -> &'static str {
        match self {
            Self::Calls => texts.shell.calls,
            Self::Find => texts.shell.find,
            Self::Status => texts.shell.status,
        }
    }

    /// The place with this path.
    pub(in crate::web) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path)
    }
}

impl Role {
    /// Its name on a page.
    pub(super) fn title(self, texts: &Texts) -> &'static str {
        match self {
            Self::Operator => texts.shell.operator,
            Self::Administrator => texts.shell.administrator,
        }
    }
}

/// What every page has around it. A handler of a page takes it as an argument, and gives it to its template as `shell`.
#[derive(Clone, Debug)]
pub(in crate::web) struct Shell {
    /// The language of the page.
    pub(super) language: &'static Language,
    /// The path of the page.
    pub(super) path: String,
    /// The person in front of it.
    pub(super) viewer: Viewer,
}

impl Shell {
    /// The shell of a page that is the same for everybody.
    pub(super) fn for_anybody(headers: &HeaderMap) -> Self {
        Self {
            language: language::of(headers),
            path: Place::Calls.path().to_owned(),
            viewer: Viewer::default(),
        }
    }

    /// The texts of the page's language.
    pub(super) fn texts(&self) -> &'static Texts {
        self.language.texts
    }

    /// The places of the navigation.
    pub(super) fn places(&self) -> [Place; 3] {
        Place::ALL
    }

    /// Whether the page is this place.
    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.path == place.path()
    }

    /// All languages.
    pub(super) fn languages(&self) -> &'static [&'static Language] {
        &LANGUAGES
    }
}

impl<S: Sync> FromRequestParts<S> for Shell {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            language: language::of(&parts.headers),
            path: parts.uri.path().to_owned(),
            viewer: parts.extensions.get::<Viewer>().cloned().unwrap_or_default(),
        })
    }
}
