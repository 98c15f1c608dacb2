//! The language of a page: the one that was chosen, or the first of `Accept-Language` that there is, or English.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::texts::{self, Texts};
use crate::web::cookie;

/// A language of the pages.
#[derive(Debug)]
pub(super) struct Language {
    /// Its BCP 47 tag, which is the page's `lang`.
    pub(super) tag: &'static str,
    /// Further tags that mean it.
    pub(super) others: &'static [&'static str],
    /// Its name in itself.
    pub(super) name: &'static str,
    /// Its texts.
    pub(super) texts: &'static Texts,
}

/// All languages. The first is taken where nothing else fits.
pub(super) static LANGUAGES: [&Language; 2] = [&texts::en::ENGLISH, &texts::nb::NORWEGIAN];

/// The cookie with the choice.
const COOKIE: &str = "nameplate_language";
/// The parameter of a choice: `/status?language=nb`.
const PARAMETER: &str = "language=";
/// The time for which a choice is kept, in seconds: a year.
const KEPT: u32 = 365 * 24 * 3600;

/// The language of a request.
pub(super) fn of(headers: &HeaderMap) -> &'static Language {
    let chosen = cookie::get(headers, COOKIE).and_then(named);
    chosen.or_else(|| accepted(headers)).unwrap_or(LANGUAGES[0])
}

/// The language with this tag, or with its first part: `nb-NO` is `nb`.
fn named(tag: &str) -> Option<&'static Language> {
    let first = tag.split('-').next().unwrap_or_default();
    let is = |language: &&&Language| {
        [language.tag].iter().chain(language.others).any(|own| own.eq_ignore_ascii_case(first))
    };
    LANGUAGES.iter().find(is).copied()
}

/// The language that `Accept-Language` prefers of ours (RFC 9110 §12.5.4).
fn accepted(headers: &HeaderMap) -> Option<&'static Language> {
    let accepted = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(f32, &'static Language)> = None;
    for range in accepted.flat_map(|value| value.split(',')) {
        let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
        let weight: f32 = weight.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if let Some(language) = named(tag.trim())
            && weight > best.map_or(0.0, |(best, _)| best)
        {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// Keeps a choice of the language in a cookie, and leads to the same page without the choice in its address.
pub(super) async fn choose(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let tag = query.split('&').find_map(|parameter| parameter.strip_prefix(PARAMETER));
    let Some(language) = tag.and_then(named) else { return next.run(request).await };
    let rest: Vec<_> = query.split('&').filter(|parameter| !parameter.starts_with(PARAMETER)).collect();
    // `//other.example/` would be another server.
    let path = format!("/{}", request.uri().path().trim_start_matches('/'));
    let rest = if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) };
    let mut response = Redirect::to(&rest).into_response();
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age={KEPT}; SameSite=Lax", language.tag);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(headers: &[(header::HeaderName, &'static str)]) -> &'static str {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        of(&headers.collect()).tag
    }

    #[test]
    fn a_choice_counts_then_the_browsers_wish_then_english() {
        let wish = |accept| language(&[(header::ACCEPT_LANGUAGE, accept)]);
        for (accept, expected) in [
            ("nb-NO,nb;q=0.9,no;q=0.8,en;q=0.7", "nb"),
            ("no", "nb"),
            ("nn-NO, en;q=0.5", "nb"),
            ("de-DE,de;q=0.9,en;q=0.5,nb;q=0.6", "nb"),
            ("de-DE,de;q=0.9", "en"),
            ("en-GB,nb;q=0.9", "en"),
            ("nb;q=0", "en"),
            ("", "en"),
            (";;,=", "en"),
        ] {
            assert_eq!(wish(accept), expected, "{accept}");
        }
        let chosen = [(header::COOKIE, "a=b; nameplate_language=nb"), (header::ACCEPT_LANGUAGE, "en")];
        assert_eq!(language(&chosen), "nb");
        let unknown = [(header::COOKIE, "nameplate_language=xx"), (header::ACCEPT_LANGUAGE, "nb")];
        assert_eq!(language(&unknown), "nb");
        assert_eq!(language(&[]), "en");
    }
}
