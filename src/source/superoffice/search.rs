//! The search for a telephone number: `GET {api}/v1/MDOList/phonesearch?query=22544545`.
//!
//! It finds persons and companies with the digits anywhere in one of their numbers. The caller of this function compares the
//! whole number.

use std::io;

use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE};
use reqwest::{StatusCode, Url};

use super::error::{self, FetchError};
use super::fields::{self, Scalar};
use super::json::{Came, Scanner};
use super::manners::RequestKind;
use super::record::name;
use super::signer::SignedHeaders;
use super::{Attempts, Client, http, refusal};
use crate::entry::{Entry, Subscriber};
use crate::number::{self, Country};

/// The size of the largest answer, in bytes: thousands of hits.
const MAX_ANSWER: usize = 1 << 20;

/// An item of the answer. Every field is optional and may have any type, as in a list's record.
#[derive(Debug, Default)]
struct Item {
    id: Scalar,
    kind: Scalar,
    icon_hint: Scalar,
    full_name: Scalar,
    name: Scalar,
    extra_info: Scalar,
    tool_tip: Scalar,
}

impl Item {
    /// Reads an item; none if it can't be used.
    fn read(json: &[u8], came: Came) -> Option<Self> {
        const KEYS: [&str; 7] = ["Id", "Type", "IconHint", "FullName", "Name", "ExtraInfo", "ToolTip"];
        let fields = fields::read(json, came, &KEYS).filter(|fields| !fields.is_twice)?;
        let [id, kind, icon_hint, full_name, name, extra_info, tool_tip] = fields.values;
        Some(Self { id, kind, icon_hint, full_name, name, extra_info, tool_tip })
    }

    /// The entries of this item, one for each reading of its number; none if it is neither a person nor a company, or has no
    /// name or no number.
    fn entries(&self, country: Country, language: &str) -> Option<Vec<Entry>> {
        let kinds = [self.kind.text(), self.icon_hint.text()];
        let is = |kind: &str| kinds.iter().any(|found| found.eq_ignore_ascii_case(kind));
        let names = [&self.full_name, &self.name].map(|scalar| name(scalar, language));
        let name = names.into_iter().find(|name| !name.is_empty())?;
        let numbers = [self.extra_info.text(), self.tool_tip.text()];
        let numbers = numbers.iter().find_map(|text| number::of_text(text, country).ok())?;
        let named = if is("Person") {
            Subscriber { person_id: self.id.id(), person: name, ..Subscriber::default() }
        } else if is("Contact") {
            Subscriber { company_id: self.id.id(), company: name, ..Subscriber::default() }
        } else {
            return None;
        };
        Some(named.cleared()?.entries(&numbers).collect())
    }
}

impl Client {
    /// The entries that a search for these digits finds. After a refusal or a move of the tenant it tries again, as
    /// [`Client::fetch`] does.
    pub async fn search(&self, digits: &str) -> Result<Vec<Entry>, FetchError> {
        let mut attempts = Attempts::default();
        loop {
            let (api, mut signed) = attempts.prepare(self, RequestKind::Search).await?;
            let result = self.search_once(&api, &mut signed, digits).await;
            let judged = attempts.judge(self, &api, signed, result).await;
            if let Some(result) = judged.and_then(Result::transpose) {
                return result;
            }
        }
    }

    async fn search_once(
        &self,
        api: &Url,
        signed: &mut SignedHeaders,
        digits: &str,
    ) -> Result<Option<Vec<Entry>>, FetchError> {
        let api = api.as_str().trim_end_matches('/');
        let mut request = self
            .http
            .client
            .get(format!("{api}/v1/MDOList/phonesearch"))
            .query(&[("query", digits)])
            .header(ACCEPT, "application/json")
            .header(ACCEPT_LANGUAGE, &self.settings.language)
            .headers(signed.headers.clone());
        for (name, value) in &self.settings.so_headers {
            request = request.header(*name, value);
        }
        let sent = self.http.send_if(RequestKind::Search, request, || self.signer.may_send(signed)).await?;
        let Some((response, _)) = sent else { return Ok(None) };
        if response.status().is_success() {
            self.signer.accepted(signed);
        }
        match response.status() {
            StatusCode::OK => {
                let body = http::body(response, MAX_ANSWER).await?;
                let body = body.ok_or_else(|| FetchError::NoHits("more than a megabyte".into()))?;
                entries(&body, self.settings.country, &self.settings.language).map(Some)
            }
            _ => Err(refusal(response).await),
        }
    }
}

/// The usable items of an answer. An item that can't be read costs only itself.
fn entries(body: &[u8], country: Country, language: &str) -> Result<Vec<Entry>, FetchError> {
    let mut json = Scanner::new(body);
    let mut entries = Vec::new();
    let mut read = || -> io::Result<bool> {
        if json.ahead()? != Some(b'[') {
            return Ok(false);
        }
        json.array(|item, came| {
            let item = Item::read(item, came).and_then(|item| item.entries(country, language));
            entries.extend(item.unwrap_or_default());
        })?;
        Ok(json.ahead()?.is_none())
    };
    match read() {
        Ok(true) => Ok(entries),
        Ok(false) => Err(FetchError::NoHits(error::head(body, body.len() as u64, true))),
        Err(_) => Err(FetchError::Broken(format!("after {} bytes", body.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Entry>, String> {
        entries(body.as_bytes(), "NO".parse().unwrap(), "en").map_err(|error| error.to_string())
    }

    #[test]
    fn persons_and_companies_with_a_number_and_a_name() {
        let found = read(
            r#"[
            {"Id": 7, "Type": "Person", "FullName": "Per Strand", "Name": "Strand", "ExtraInfo": "22 54 45 45"},
            {"Id": "8", "IconHint": "contact", "Name": "NO:\"Fjord AS\";SW:\"Fjord AB\"", "ExtraInfo": null, "ToolTip": "+47 22544545"},
            {"Id": 9, "Type": "Sale", "Name": "Nets", "ExtraInfo": "22544545"},
            {"Id": 10, "Type": "Person", "Name": "", "ExtraInfo": "22544545"},
            {"Id": 11, "Type": "Person", "Name": "Eva Berg", "ExtraInfo": "ask me"},
            {"Id": [12], "Type": {}, "Name": true}, null, 3, "Person", [],
            {"Id": 13, "Type": "Person", "Name": "Eva", "Name": "Berg", "ExtraInfo": "22544545"}, {"Id": 1e999},
            {"Id": 14, "Type": "Person", "Name": "Eva" "ExtraInfo": "22544545"},
            {"Id": 15, "Type": "Person", "Name": "Jo \ud83d", "ExtraInfo": "22544545"}
            ]"#,
        );
        let nobody = Entry::example(number::Number::new(47, 22_544_545).unwrap(), (0, ""), (0, ""));
        let wanted = [
            Entry { person_id: 7, person: "Per Strand".into(), ..nobody.clone() },
            Entry { company_id: 8, company: "Fjord AS".into(), ..nobody.clone() },
            Entry { person_id: 15, person: "Jo \u{fffd}".into(), ..nobody },
        ];
        assert_eq!(found.unwrap(), wanted);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_no_list_is_an_error_and_no_absence() {
        for body in ["", "null", "{}", "<html>Log in", r#"{"Message":"An error has occurred."}"#, "[] x"] {
            let error = read(body).unwrap_err();
            assert!(error.starts_with("the answer to a search is no list"), "{error}");
        }
        assert_eq!(read("[{}").unwrap_err(), "the answer broke off: after 3 bytes");
    }
}
