//! The person in front of a page.

use serde::Deserialize;

/// What a person may do. A later one may do all of an earlier one, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the pages, and has lists refreshed.
    Operator,
    /// Takes lists that are held back, and reloads the configuration.
    Administrator,
}

/// The person in front of a page.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Viewer {
    /// The login; none where the page is shown without one.
    pub(in crate::web) login: Option<Login>,
    /// Whether anybody can log in: a token or a user is set.
    pub(in crate::web) can_log_in: bool,
}

/// A login.
#[derive(Clone, Debug)]
pub(in crate::web) struct Login {
    /// The name of the user; none for the token.
    pub(in crate::web) name: Option<String>,
    /// What the person may do.
    pub(in crate::web) role: Role,
    /// The token against forgery, which each form sends back.
    pub(in crate::web) forgery: String,
    /// Whether it is a session, which can be ended; not so where each request shows the token.
    pub(in crate::web) is_session: bool,
}

impl Viewer {
    /// Whether the person may do what this role may.
    pub(in crate::web) fn may(&self, role: Role) -> bool {
        self.login.as_ref().is_some_and(|login| login.role >= role)
    }
}
