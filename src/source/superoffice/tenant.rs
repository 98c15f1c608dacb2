//! Tenants of SuperOffice's cloud. A tenant can move to another host, so its address is requested before use.

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
use super::site::Site;

/// The longest time in which a state is believed, also where the answer names a longer one.
const LONGEST: Duration = Duration::from_hours(24);

/// The states that SuperOffice documents.
const STATES: [&str; 11] = [
    "Unknown",
    "Provisioning",
    "Running",
    "Deleted",
    "Suspended",
    "OnlineMaintenance",
    "OfflineMaintenance",
    "ProvisioningFailed",
    "Deleting",
    "DeleteFailed",
    "MigrationPending",
];

/// The state of a tenant, by the last answer of the state call; for `nameplate sources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// `Cust12345`
    pub name: String,
    /// The state in SuperOffice's word: `Running`, `OfflineMaintenance`.
    pub state: String,
    /// Whether requests to it are permitted.
    pub is_running: bool,
    /// The address of its API.
    pub api: Option<String>,
    /// The end of the state's validity: seconds since 1970, UTC.
    pub valid_until: Option<u64>,
}

impl Tenant {
    fn new(name: &str, answer: &State) -> Self {
        let api = answer.api.as_deref().and_then(|api| address(api).ok());
        let until = answer.valid_until();
        Self {
            name: name.to_owned(),
            state: answer.word(),
            is_running: answer.is_running,
            // Without user, password and query, which an address may have.
            api: api.map(|api| format!("{}{}", api.origin().ascii_serialization(), api.path())),
            valid_until: until.and_then(|until| u64::try_from(until.as_second()).ok()),
        }
    }

    /// Logs the state, unless it is the same as `before`.
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

/// The answer of the state call.
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

    /// The state's name, cleaned for the log.
    fn word(&self) -> String {
        error::word(self.state.as_deref().unwrap_or("Unknown"), &STATES)
    }
}

/// Finds the WebAPI of a site. The result is used as long as it is valid.
#[derive(Debug)]
pub(super) struct Finder {
    site: Site,
    /// The tenant's API, and the end of its validity.
    found: Mutex<Option<(Url, Instant)>>,
    /// The tenant's last state.
    tenant: std::sync::Mutex<Option<Tenant>>,
}

impl Finder {
    pub(super) fn new(site: Site) -> Self {
        Self { site, found: Mutex::new(None), tenant: std::sync::Mutex::default() }
    }

    /// The WebAPI's address. Requests the tenant's state if it is unknown or too old.
    ///
    /// # Errors
    /// If the tenant is not running: no request to it is permitted then.
    pub(super) async fn api(&self, http: &Http) -> Result<Url, FetchError> {
        let (name, host) = match &self.site {
            Site::Api(api) => return Ok(api.clone()),
            Site::Tenant { name, host } => (name, host),
        };
        // Held during the request: the source's other lists wait for the same answer.
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

    /// The tenant's state; none for an installation, and before the first answer.
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

    /// Whether an error can mean that the tenant has moved.
    pub(super) fn may_have_moved(&self, error: &FetchError) -> bool {
        let is_sign = match error {
            FetchError::NoConnection(_) | FetchError::Tls(_) => true,
            FetchError::Status { status, .. } => *status == StatusCode::MISDIRECTED_REQUEST,
            _ => false,
        };
        is_sign && matches!(self.site, Site::Tenant { .. })
    }

    /// Forgets the address `api`.
    pub(super) async fn forget(&self, api: &Url) {
        let mut found = self.found.lock().await;
        // Another list may have found the new address already.
        if found.as_ref().is_some_and(|(known, _)| known == api) {
            *found = None;
        }
    }
}

async fn ask(name: &str, host: &Url, http: &Http) -> Result<(State, Duration), FetchError> {
    let request = http.client.get(format!("{host}api/state/{name}"));
    let (response, _) = http.send(request.header(reqwest::header::ACCEPT, "application/json")).await?;
    let status = response.status();
    if status != StatusCode::OK {
        let retry_after = manners::wanted_rest(status, response.headers());
        let said = format!("asked for the state of {name}: {}", error::said(response).await);
        return Err(FetchError::Status { status, said, retry_after });
    }
    let state: Result<State, String> = http::json(response, "a tenant's state").await?;
    let state = state.map_err(|what| FetchError::NoSite { tenant: name.to_owned(), what })?;
    // A state without an end is requested each time: a request is cheap, a wrong host is not.
    let valid = state.valid_until().map_or(Duration::ZERO, |until| {
        Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default().min(LONGEST)
    });
    Ok((state, valid))
}

fn address(text: &str) -> Result<Url, String> {
    /// In bytes; browsers accept no longer address.
    const LONGEST: usize = 2048;
    if text.len() > LONGEST {
        return Err(format!("it has more than {LONGEST} bytes"));
    }
    Url::parse(text).map_err(|error| error.to_string())
}

/// The API of a tenant that is running.
fn running(name: &str, host: &Url, state: State) -> Result<Url, FetchError> {
    let wrong = |what: String| FetchError::NoSite { tenant: name.to_owned(), what };
    if let Some(other) = state.context_identifier.as_ref().filter(|_| !state.is_about(name)) {
        let digits = other.trim_start_matches("Cust");
        let is_id =
            digits.len() <= 9 && other.starts_with("Cust") && digits.bytes().all(|b| b.is_ascii_digit());
        let other = if is_id { other.clone() } else { error::short(other) };
        return Err(wrong(format!("the answer is about another tenant, {other}")));
    }
    if !state.is_running {
        return Err(FetchError::NotRunning { tenant: name.to_owned(), state: state.word() });
    }
    let said = state.api.ok_or_else(|| wrong("it has no Api".to_owned()))?;
    let api = address(&said).map_err(|what| wrong(format!("its Api is no address: {what}")))?;
    // The credential is sent there: never unencrypted if the state came encrypted.
    if api.scheme() != host.scheme() && api.scheme() != "https" {
        return Err(wrong("its Api is not https".to_owned()));
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
            ("https://online2.superoffice.com/Cust12345/api", "http://x/api", "its Api is not https"),
            ("\"Cust12345\"", "\"Cust99999\"", "another tenant, Cust99999"),
            ("\"Api\"", "\"Ipa\"", "no Api"),
            ("https://online2.superoffice.com/Cust12345/api", "Kari Nordmann", "its Api is no address: "),
            ("Cust12345/api", &"x".repeat(3000), "its Api is no address: it has more than 2048 bytes"),
        ] {
            let error = ask(&good.replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
