//! Failures of requests to SuperOffice, in words that an administrator can act on.

use std::io::Read;
use std::time::Duration;

use reqwest::{Response, StatusCode};

use super::fields;
use super::json::Scanner;
use super::key::KeyError;
use super::utf16::Utf8;
use crate::observe::mask;
use crate::secret::SecretError;
use crate::source::retry::Retry;
use crate::tls::{self, TrustError};

/// Why a request failed. The list in use stays.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The credential's secret can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system user's key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A secret has characters that no header can have.
    #[error("the secret for {0} has characters that a header can't have: is it the right file?")]
    Unsendable(String),
    /// The scheme needs a tenant's login. The configuration prevents this.
    #[error("this credential needs `tenant` and `host`")]
    NoLogin,
    /// The login was refused.
    #[error("the login is refused ({said}): {advice}")]
    Login {
        /// The answer's words, masked.
        said: String,
        /// Advice for an administrator.
        advice: String,
    },
    /// The tenant's state permits no requests.
    #[error("the tenant {tenant} is in state {state} and not running: it is not called until it runs again")]
    NotRunning {
        /// The tenant.
        tenant: String,
        /// Its state, in SuperOffice's word.
        state: String,
    },
    /// The answer of the state call has no usable address.
    #[error("the state of the tenant {tenant} can't be used: {what}")]
    NoSite {
        /// The tenant.
        tenant: String,
        /// The fault.
        what: String,
    },
    /// The host asked for a pause, which is not over.
    #[error("it asked to be left alone for another {} s", .0.as_secs())]
    LeftAlone(Duration),
    /// The trusted certificates can't be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server's certificate is not trusted, or the server has no TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// No connection could be made.
    #[error("can't reach it: {0}")]
    NoConnection(String),
    /// The connection failed.
    #[error("can't reach it: {0}")]
    Unreachable(String),
    /// No byte of an answer came in time.
    #[error("it has not begun to answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The answer did not end in time.
    #[error("its answer was not whole within `timeout`: {0}")]
    OutOfTime(String),
    /// 401 or 403.
    #[error("it refuses the credential ({status}): {said}")]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// The answer's words.
        said: String,
    },
    /// Another status than 200, 204, 401 and 403.
    #[error("it answers {status}: {said}")]
    Status {
        /// The answer's status.
        status: StatusCode,
        /// The answer's words.
        said: String,
        /// The pause that the server asks for.
        retry_after: Option<Duration>,
    },
    /// `null` in answer to a request for the complete list: SuperOffice's way to report a failed call.
    #[error(
        "it answers without a set though the whole set was asked for: the call failed inside SuperOffice"
    )]
    NoSet,
    /// A `Message` instead of the collection.
    #[error("it answers with a message in place of caller ids: {0}")]
    Message(String),
    /// Another answer than a collection of caller ids.
    #[error("the answer is no collection of caller ids ({what}): {head}")]
    NotACollection {
        /// The fault.
        what: &'static str,
        /// The kind of the text, and its length.
        head: String,
    },
    /// Another answer than a list of hits.
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
    /// When SuperOffice may be asked again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Refused { .. } | Self::Login { .. } => Retry::Refused,
            Self::Silent(_) | Self::OutOfTime(_) => Retry::TooSlow,
            Self::Status { retry_after: Some(wait), .. } | Self::LeftAlone(wait) => Retry::After(*wait),
            _ => Retry::Soon,
        }
    }

    /// Whether the credential was refused as unknown or expired: a renewed one may be accepted.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }

    /// A copy of a refusal, for the source's other lists; none for other errors.
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
        if let Some(fault) = tls::fault_behind(&error) {
            return Self::Tls(fault.text);
        }
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let said = chain(&error.without_url());
        match (is_connect, is_timeout) {
            (true, _) => Self::NoConnection(said),
            (false, true) => Self::OutOfTime(said),
            (false, false) => Self::Unreachable(said),
        }
    }

    /// The error without these secrets: a server's error page can show the request.
    #[must_use]
    pub(super) fn without(mut self, secrets: &[String]) -> Self {
        let (Self::Login { said, .. }
        | Self::Refused { said, .. }
        | Self::Status { said, .. }
        | Self::NoSite { what: said, .. }
        | Self::NotACollection { head: said, .. }
        | Self::Message(said)
        | Self::NoHits(said)) = &mut self
        else {
            return self;
        };
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            *said = said.replace(secret.as_str(), HIDDEN);
        }
        self
    }
}

/// An error with its causes. reqwest's own text is often "error sending request" only.
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

/// The replacement of a secret.
const HIDDEN: &str = "•••";

/// The type of an error answer, and its words as far as they may be shown.
pub(super) async fn said(mut response: Response) -> String {
    const ENOUGH: usize = 4096;
    let mut body = Vec::new();
    let mut is_whole = true;
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ENOUGH {
            is_whole = false;
            break;
        }
    }
    // SuperOffice's error body; some versions add `Message`.
    let mut json = Vec::new();
    let came = Scanner::new(body.as_slice()).value(&mut json).ok();
    let fields = came.and_then(|came| fields::read(&json, came, &["ErrorType", "ErrorMessage", "Message"]));
    let [kind, message, other] =
        fields.map(|fields| fields.values.map(|value| value.text())).unwrap_or_default();
    let message = short(if message.is_empty() { &other } else { &message });
    match (message.is_empty(), kind.is_empty()) {
        (false, false) => format!("{message} ({})", error_type(&kind)),
        (false, true) => message,
        (true, false) => error_type(&kind),
        (true, true) if body.is_empty() => "(an empty body)".into(),
        (true, true) => head(&body, body.len() as u64, is_whole),
    }
}

/// An error's type, unchanged if it has the form of one: `SoSessionException`.
fn error_type(kind: &str) -> String {
    const LONGEST: usize = 60;
    let is_type = ["Exception", "Error", "Fault"].iter().any(|end| kind.ends_with(end))
        && kind.len() <= LONGEST
        && kind.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
    if is_type { kind.to_owned() } else { short(kind) }
}

/// A word of a protocol, unchanged if it is a `known` one; else as foreign text.
pub(super) fn word(found: &str, known: &[&str]) -> String {
    if known.contains(&found) { found.to_owned() } else { short(found) }
}

/// The most characters of foreign text in a message.
const LONGEST: usize = 160;

/// Foreign text for a message: 160 characters, one line, without secrets; nothing of it if logs are masked.
pub(super) fn short(text: &str) -> String {
    if mask::is_on() {
        return mask::Words(text.trim()).to_string();
    }
    cut(&without_secrets(text.trim()), |text| mask::Words(text).to_string())
}

/// An address for a message: 160 characters, one line, masked.
pub(super) fn address(text: &str) -> String {
    cut(text, |text| mask::Text(text).to_string())
}

fn cut(text: &str, masked: impl FnOnce(&str) -> String) -> String {
    // Twice the length: a number at the cut is recognised by its rest.
    let end = text.char_indices().nth(LONGEST * 2).map_or(text.len(), |(end, _)| end);
    let begin = &text[..end];
    let masked = masked(begin);
    let cut: String = masked.chars().take(LONGEST).collect();
    let is_whole = cut.len() == masked.len() && begin.len() == text.len();
    cut + if is_whole { "" } else { "…" }
}

/// The beginning of a text without possible secrets: words after `password` and the like, and words in the form of tokens.
fn without_secrets(text: &str) -> String {
    const ANNOUNCE: [&str; 14] = [
        "basic",
        "bearer",
        "soticket",
        "ticket",
        "password",
        "pwd",
        "token",
        "access_token",
        "refresh_token",
        "secret",
        "client_secret",
        "cookie",
        "apptoken",
        "xsrf",
    ];
    const TOKEN: usize = 20;
    let begin = &text[..text.floor_char_boundary(LONGEST * 8)];
    let mut shown = String::new();
    let mut is_announced = false;
    for piece in begin.split_inclusive(|c: char| c.is_whitespace() || "\"'<>()[]{},;:&=".contains(c)) {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || "\"'<>()[]{},;:&=".contains(c));
        if word.is_empty() {
            shown.push_str(piece);
            continue;
        }
        let is_token = word.len() >= TOKEN && word.contains(|c: char| c.is_ascii_digit());
        let lower = word.to_ascii_lowercase();
        let announces = ANNOUNCE.iter().any(|known| lower == *known || lower.ends_with(&format!("-{known}")));
        if (is_announced && !announces) || is_token {
            shown.push_str(HIDDEN);
            shown.push_str(&piece[word.len()..]);
        } else {
            shown.push_str(piece);
        }
        is_announced = announces;
    }
    shown
}

/// A description of foreign text that begins with `begin`: its kind and length, and its first words if logs are not masked.
pub(super) fn head(begin: &[u8], length: u64, is_whole: bool) -> String {
    let mut text = Vec::new();
    // Reading from memory does not fail.
    let _ = Utf8::new(begin).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    let kind = match text.chars().next() {
        None => "white space",
        Some('{' | '[' | '"') => "JSON",
        Some('<') if begins("<!doctype html") || begins("<html") => "a web page",
        Some('<') => "XML",
        Some(_) => "text",
    };
    let more = if is_whole { "" } else { "at least " };
    let words = if mask::is_on() || text.is_empty() { String::new() } else { format!(", `{}`", short(text)) };
    format!("{kind} of {more}{length} bytes{words}")
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
    }

    #[test]
    fn a_body_shows_its_kind_and_nothing_of_what_is_in_it() {
        let utf16 = "<html>Kari".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        for (body, shown) in [
            (&br#"{"PersonName":"Kari Nordmann","Kari Nordmann":1}"#[..], "JSON of 48 bytes"),
            (b"[1, 2]", "JSON of 6 bytes"),
            (b"\xef\xbb\xbf{\"Kari\":1}", "JSON of 13 bytes"),
            (b")]}',\n{\"Kari\":1}", "text of 16 bytes"),
            (b"cb({\"Kari\":1})", "text of 14 bytes"),
            (b"<?xml version='1.0'?>\n<Kari>Kari</Kari>", "XML of 39 bytes"),
            (b"<Kari", "XML of 5 bytes"),
            (b"<!DOCTYPE html><html lang=en><title>Kari</title>", "a web page of 48 bytes"),
            (b"<HTML>Kari", "a web page of 10 bytes"),
            (&utf16, "a web page of 20 bytes"),
            (b"Authorization: Basic S2FyaQ==", "text of 29 bytes"),
            (b" ", "white space of 1 bytes"),
        ] {
            assert_eq!(head(body, body.len() as u64, true), shown, "{body:?}");
        }
        assert_eq!(head(b"Kari", 4, false), "text of at least 4 bytes");
    }

    #[test]
    fn an_errors_own_type_is_shown_and_nothing_that_only_stands_there() {
        for kind in ["SoSessionException", "System.ArgumentException", "InternalServerError"] {
            assert_eq!(error_type(kind), kind);
        }
        for kind in
            ["Kari", "S2FyaTpoZW1tZWxpZw", "Kari Nordmann Exception", "Basic S2FyaQ==", "4722334455Error"]
        {
            assert_eq!(error_type(kind), "`mask` hides its words", "{kind}");
        }
        assert_eq!(word("invalid_grant", &["invalid_grant"]), "invalid_grant");
        assert_eq!(word("kari", &["invalid_grant"]), "`mask` hides its words");
    }

    #[test]
    fn no_secret_is_in_what_is_shown_without_a_mask() {
        for (text, shown) in [
            ("Access denied for this user.", "Access denied for this user."),
            ("Authorization: Basic S2FyaTp4", "Authorization: Basic •••"),
            ("<b>authorization</b>: <i>Basic S2FyaTp4=</i>", "<b>authorization</b>: <i>Basic •••=</i>"),
            ("{\"Authorization\":\"SOTicket 7T:abc\"}", "{\"Authorization\":\"SOTicket •••:abc\"}"),
            ("SO-AppToken: abc and more", "SO-AppToken: ••• and more"),
            ("password=hemmelig&user=kari", "password=•••&user=kari"),
            ("got eyJhbGciOiJSUzI1NiJ9abcdef12345", "got •••"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
        let error = FetchError::Message("no pass:wørd here".into()).without(&["pass:wørd".into()]);
        assert!(error.to_string().ends_with("no ••• here"), "{error}");
    }
}
