//! What can go wrong when SuperOffice is asked, in words that an administrator can act on.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;

use super::key::KeyError;
use crate::observe::mask;
use crate::secret::SecretError;
use crate::tls::{self, TrustError};

/// Why no list came. What was known stays in use after each of them.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The credential's secret can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system user's key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A secret that no header can carry.
    #[error("what is to be sent as {0} holds characters that no header can: is it the right file?")]
    Unsendable(String),
    /// The scheme needs a login that only a tenant has. The configuration does not let it come to that.
    #[error("this credential needs `tenant` and `host`")]
    NoLogin,
    /// A login was refused.
    #[error("the login is refused ({said}): {advice}")]
    Login {
        /// What the answer says, masked.
        said: String,
        /// What an administrator can do about it.
        advice: String,
    },
    /// The tenant's state is one in which it must not be called.
    #[error("the tenant {tenant} is in state {state} and not running: it is not called until it runs again")]
    NotRunning {
        /// The tenant.
        tenant: String,
        /// Its state, in SuperOffice's word.
        state: String,
    },
    /// The state call does not say where the tenant is.
    #[error("the state of the tenant {tenant} can't be used: {what}")]
    NoSite {
        /// The tenant.
        tenant: String,
        /// What is wrong with it.
        what: String,
    },
    /// The host asked for silence, which is kept.
    #[error("it asked to be left alone for another {} s", .0.as_secs())]
    LeftAlone(Duration),
    /// It can't be checked whose certificate is to be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server is not to be trusted, or speaks no TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// No connection could be made.
    #[error("can't reach it: {0}")]
    NoConnection(String),
    /// The connection failed.
    #[error("can't reach it: {0}")]
    Unreachable(String),
    /// Not a byte of an answer came in time.
    #[error("it has not begun to answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It began in time, and did not end in time.
    #[error("its answer was not whole within `timeout`: {0}")]
    OutOfTime(String),
    /// 401 or 403.
    #[error("it refuses the credential ({status}): {said}")]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// What the answer says.
        said: String,
    },
    /// Another status than 200, 204, 401 and 403.
    #[error("it answers {status}: {said}")]
    Status {
        /// The answer's status.
        status: StatusCode,
        /// What the answer says.
        said: String,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// `null` though the whole set was asked for: how SuperOffice reports a failed call.
    #[error(
        "it answers without a set though the whole set was asked for: the call failed inside SuperOffice"
    )]
    NoSet,
    /// A `Message` in place of the collection.
    #[error("it answers with a message in place of caller ids: {0}")]
    Message(String),
    /// Something else than a collection of caller ids.
    #[error("the answer is no collection of caller ids ({what}); it begins: {head}")]
    NotACollection {
        /// What was wrong.
        what: &'static str,
        /// The beginning of the answer, masked.
        head: String,
    },
    /// Something else than a list of hits.
    #[error("the answer to a search is no list of persons and companies: {0}")]
    NoHits(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The answer exceeds `max_answer`.
    #[error("the answer exceeds max_answer, {0} bytes")]
    TooLarge(u64),
    /// The service is stopping.
    #[error("interrupted")]
    Interrupted,
}

impl FetchError {
    /// How long the server wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::LeftAlone(rest) => Some(*rest),
            _ => None,
        }
    }

    /// Whether the credential was refused as unknown or out of date: another one may be taken.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }

    /// The same once more, of a refusal of the credential: it is one for all lists of a source.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Login { said, advice } => Some(Self::Login { said: said.clone(), advice: advice.clone() }),
            Self::Refused { status, said } if self.is_refusal() => {
                Some(Self::Refused { status: *status, said: said.clone() })
            }
            _ => None,
        }
    }

    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        if let Some(trouble) = tls::trouble_behind(&error) {
            return Self::Tls(trouble.what);
        }
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let said = chain(&error.without_url());
        match (is_connect, is_timeout) {
            (true, _) => Self::NoConnection(said),
            (false, true) => Self::OutOfTime(said),
            (false, false) => Self::Unreachable(said),
        }
    }
}

/// An error with its causes: reqwest's own text often is only "error sending request".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// SuperOffice's error body; some versions add `Message`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct ErrorBody {
    error_type: Option<String>,
    error_message: Option<String>,
    message: Option<String>,
}

/// What the body of an error says, shortened and masked.
pub(super) async fn said(mut response: Response) -> String {
    const ENOUGH: usize = 4096;
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ENOUGH {
            break;
        }
    }
    let parsed: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    match (parsed.error_message.or(parsed.message), parsed.error_type) {
        (Some(message), Some(kind)) => format!("{} ({})", short(&message), mask::Word(&kind)),
        (Some(message), None) => short(&message),
        _ if body.is_empty() => "(an empty body)".into(),
        _ => head(&body),
    }
}

/// So much of somebody else's words is shown, in characters.
const LONGEST: usize = 160;

/// Somebody else's words for a message: 160 characters, one line; none where logs are masked.
pub(super) fn short(text: &str) -> String {
    cut(text.trim(), |text| mask::Words(text).to_string())
}

/// An address for a message: 160 characters, one line, masked.
pub(super) fn address(text: &str) -> String {
    cut(text, |text| mask::Text(text).to_string())
}

fn cut(text: &str, masked: impl FnOnce(&str) -> String) -> String {
    // What a number is shows behind the cut too.
    let end = text.char_indices().nth(LONGEST * 2).map_or(text.len(), |(end, _)| end);
    let begin = &text[..end];
    let masked = masked(begin);
    let cut: String = masked.chars().take(LONGEST).collect();
    let is_whole = cut.len() == masked.len() && begin.len() == text.len();
    cut + if is_whole { "" } else { "…" }
}

/// The beginning of a body for a message: of JSON, which may hold records, the keys; of a page the elements; else the words.
pub(super) fn head(body: &[u8]) -> String {
    const ENOUGH: usize = 5;
    let named = |kind: &str, names: Vec<&str>| {
        let names: Vec<_> = names.into_iter().map(|name| mask::Word(name).to_string()).collect();
        format!("{kind} with {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    };
    let text = String::from_utf8_lossy(body);
    let begin = text.trim_start();
    if begin.starts_with(['{', '[', '"']) {
        // Every other piece stands between two quotation marks; a key has a colon behind it.
        let pieces: Vec<&str> = text.split('"').collect();
        let keys = pieces.windows(2).filter(|pair| pair[1].trim_start().starts_with(':')).map(|pair| pair[0]);
        return named("JSON", keys.take(ENOUGH).collect());
    }
    if begin.starts_with('<') {
        let elements =
            text.split('<').filter_map(|piece| piece.split([' ', '>', '/', '\r', '\n', '\t']).next());
        let elements = elements.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        return named("markup", elements.take(ENOUGH).collect());
    }
    short(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_words_are_short_and_hidden() {
        assert_eq!(short(" Kari Nordmann is locked "), "`mask` hides its words");
        assert_eq!(short(""), "");
        assert_eq!(address("https://x.example/22334455"), "https://x.example/••••••••");
        let long = address(&"word ".repeat(100_000));
        assert!(long.chars().count() == 161 && long.ends_with('…'), "{long}");
        // A number that is cut is a number still.
        let cut = address(&format!("{}2233445566", "x".repeat(157)));
        assert_eq!(cut, format!("{}•••…", "x".repeat(157)));
        assert!(head(format!("{{\"{}\":1}}", "k".repeat(9000)).as_bytes()).len() < 200);
    }

    #[test]
    fn a_body_shows_how_it_is_made_and_nothing_of_what_is_in_it() {
        for (body, shown) in [
            (
                r#"{"PersonName":"Kari Nordmann","Kari Nordmann":1}"#,
                "JSON with PersonName, `mask` hides its words",
            ),
            ("[1, 2]", "JSON with none"),
            (
                "<?xml version='1.0'?>\n<CallerIDs><PersonName>Kari</PersonName>",
                "markup with CallerIDs, PersonName",
            ),
            ("<!DOCTYPE html><html lang=en><title>Kari</title>", "markup with html, title"),
            ("Kari Nordmann", "`mask` hides its words"),
        ] {
            assert_eq!(head(body.as_bytes()), shown, "{body}");
        }
    }
}
