//! Where a SuperOffice is: an address of its own, or a tenant of SuperOffice's cloud, which moves.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::error::{self, FetchError};
use super::http::{self, Http};
use super::manners;
use crate::observe::mask;

/// However long a state is said to be valid: it is asked for again after a day.
const LONGEST: Duration = Duration::from_hours(24);

/// Where a SuperOffice is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// The WebAPI of an installation: `https://crm.example.com/SuperOffice/api`.
    Api(Url),
    /// A customer of SuperOffice's cloud. Which numbered host it is on is asked, never configured.
    Tenant {
        /// `Cust12345`
        name: String,
        /// The host without a number, for logins and the state: `https://online.superoffice.com/`.
        host: Url,
    },
}

impl Site {
    /// The same for the same SuperOffice: its sources form one group.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::Api(api) => api.as_str().trim_end_matches('/').to_owned(),
            Self::Tenant { name, host } => format!("{host}{name}"),
        }
    }
}

/// What is known of a tenant, for others to see: what the last state call said that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// `Cust12345`
    pub name: String,
    /// In SuperOffice's word: `Running`, `OfflineMaintenance`.
    pub state: String,
    /// Whether it may be called.
    pub is_running: bool,
    /// The API that the state leads to.
    pub api: Option<String>,
    /// Until when this is said to be so: seconds since 1970, UTC.
    pub valid_until: Option<u64>,
}

impl Tenant {
    fn new(name: &str, answer: &State) -> Self {
        let api = answer.api.as_deref().and_then(|api| Url::parse(api).ok());
        let until = answer.valid_until();
        Self {
            name: name.to_owned(),
            state: answer.word(),
            is_running: answer.is_running,
            api: api.map(String::from),
            valid_until: until.and_then(|until| u64::try_from(until.as_second()).ok()),
        }
    }

    /// Says what it has become, unless it was that `before`.
    fn log(&self, before: Option<&Self>) {
        let said = |of: &Self| (of.is_running, of.state.clone(), of.api.clone());
        if before.map(said) == Some(said(self)) {
            return;
        }
        let (tenant, state) = (&self.name, &self.state);
        let api = self.api.as_deref().unwrap_or("-");
        if self.is_running {
            info!(%tenant, %state, %api, "the tenant may be called");
        } else {
            warn!(%tenant, %state, %api, "the tenant must not be called in this state; what is known stays");
        }
    }
}

/// What the state call answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default)]
    context_identifier: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    is_running: bool,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default)]
    api: Option<String>,
}

impl State {
    fn is_about(&self, tenant: &str) -> bool {
        self.context_identifier.as_ref().is_none_or(|found| found.eq_ignore_ascii_case(tenant))
    }

    fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until.as_deref()?.parse().ok()
    }

    /// The state's name, fit for a line.
    fn word(&self) -> String {
        mask::Word(self.state.as_deref().unwrap_or("Unknown")).to_string()
    }
}

/// Finds the WebAPI of a site, and keeps what it found for as long as it is valid.
#[derive(Debug)]
pub(super) struct Finder {
    site: Site,
    /// The tenant's API, and until when that is believed.
    found: Mutex<Option<(Url, Instant)>>,
    /// What the tenant's state was last.
    tenant: std::sync::Mutex<Option<Tenant>>,
}

impl Finder {
    pub(super) fn new(site: Site) -> Self {
        Self { site, found: Mutex::new(None), tenant: std::sync::Mutex::default() }
    }

    /// The WebAPI's address. For a tenant its state is asked for where it is not known or has grown old;
    /// an error while it is not running: it must not be called then.
    pub(super) async fn api(&self, http: &Http) -> Result<Url, FetchError> {
        let (name, host) = match &self.site {
            Site::Api(api) => return Ok(api.clone()),
            Site::Tenant { name, host } => (name, host),
        };
        // Held while asking: the other lists of this source wait for the one answer.
        let mut found = self.found.lock().await;
        if let Some((api, end)) = &*found
            && *end > Instant::now()
        {
            return Ok(api.clone());
        }
        *found = None;
        let (state, valid) = ask(name, host, http).await?;
        self.note(name, &state);
        let api = running(name, host, state)?;
        *found = Some((api.clone(), Instant::now() + valid));
        Ok(api)
    }

    /// What is known of the tenant; none where the site has an address of its own, or nothing is known yet.
    pub(super) fn tenant(&self) -> Option<Tenant> {
        self.tenant.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, name: &str, answer: &State) {
        if !answer.is_about(name) {
            return;
        }
        let now = Tenant::new(name, answer);
        let mut tenant = self.tenant.lock().unwrap_or_else(PoisonError::into_inner);
        now.log(tenant.as_ref());
        *tenant = Some(now);
    }

    /// Whether a failed call may mean that the tenant has moved.
    pub(super) fn may_have_moved(&self, error: &FetchError) -> bool {
        let is_sign = match error {
            FetchError::NoConnection(_) | FetchError::Tls(_) => true,
            FetchError::Status { status, .. } => *status == StatusCode::MISDIRECTED_REQUEST,
            _ => false,
        };
        is_sign && matches!(self.site, Site::Tenant { .. })
    }

    /// `api` is not to be believed any more.
    pub(super) async fn forget(&self, api: &Url) {
        let mut found = self.found.lock().await;
        // Another list may have found the new place already.
        if found.as_ref().is_some_and(|(known, _)| known == api) {
            *found = None;
        }
    }
}

async fn ask(name: &str, host: &Url, http: &Http) -> Result<(State, Duration), FetchError> {
    let request = http.client.get(format!("{host}api/state/{name}"));
    let (response, _) = http.send(request.header(reqwest::header::ACCEPT, "application/json")).await?;
    let (status, url) = (response.status(), response.url().clone());
    if status != StatusCode::OK {
        let retry_after = manners::note(&url, status, response.headers());
        let said = format!("asked for the state of {name}: {}", error::said(response).await);
        return Err(FetchError::Status { status, said, retry_after });
    }
    let state: Result<State, String> = http::json(response, "a tenant's state").await?;
    let state = state.map_err(|what| FetchError::NoSite { tenant: name.to_owned(), what })?;
    // A state without an end is asked for each time: that costs little, a wrong host much.
    let valid = state.valid_until().map_or(Duration::ZERO, |until| {
        Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default().min(LONGEST)
    });
    Ok((state, valid))
}

/// The API of a tenant that may be called.
fn running(name: &str, host: &Url, state: State) -> Result<Url, FetchError> {
    let wrong = |what: String| FetchError::NoSite { tenant: name.to_owned(), what };
    if let Some(other) = state.context_identifier.as_ref().filter(|_| !state.is_about(name)) {
        let other: String = other.escape_debug().take(32).collect();
        return Err(wrong(format!("the answer is about another tenant, `{other}`")));
    }
    if !state.is_running {
        return Err(FetchError::NotRunning { tenant: name.to_owned(), state: state.word() });
    }
    let said = state.api.ok_or_else(|| wrong("it has no Api".to_owned()))?;
    let api =
        Url::parse(&said).map_err(|error| wrong(format!("its Api `{}`: {error}", error::address(&said))))?;
    // The credential goes there: never in clear where the state came encrypted.
    if api.scheme() != host.scheme() && api.scheme() != "https" {
        return Err(wrong(format!("its Api `{}` is not https", error::address(&said))));
    }
    Ok(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_tenant_is_called_and_only_where_it_is_safe() {
        let host = "https://online.superoffice.com/".parse().unwrap();
        let ask = |text: &str| {
            let state = serde_json::from_str(text).unwrap();
            running("Cust12345", &host, state).map(String::from).map_err(|error| error.to_string())
        };
        let good = r#"{"ContextIdentifier":"Cust12345","Endpoint":"https://online2.superoffice.com/Cust12345",
            "State":"Running","IsRunning":true,"Api":"https://online2.superoffice.com/Cust12345/api"}"#;
        assert_eq!(ask(good).unwrap(), "https://online2.superoffice.com/Cust12345/api");
        for (from, to, said) in [
            ("\"IsRunning\":true", "\"IsRunning\":false", "the tenant Cust12345 is in state Running"),
            (
                "https://online2.superoffice.com/Cust12345/api",
                "http://x/api",
                "its Api `http://x/api` is not https",
            ),
            ("\"Cust12345\"", "\"Cust99999\"", "another tenant, `Cust99999`"),
            ("\"Api\"", "\"Ipa\"", "no Api"),
        ] {
            let error = ask(&good.replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
