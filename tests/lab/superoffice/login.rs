//! The login host of SuperOffice's cloud: tokens for a refresh token, tickets for a system user, the keys
//! that sign them, and where a tenant is. It is as strict as the documentation lets it be.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::Credential;
use super::http::{Answer, Request};

/// The application and its customer, as the stand-in knows them.
pub(crate) const CLIENT_ID: &str = "0123456789abcdef";
/// The application's secret, which is the app token too; with letters that a form has to escape.
pub(crate) const CLIENT_SECRET: &str = "client+secret/&=%";
/// What a user granted.
pub(crate) const REFRESH_TOKEN: &str = "KXxgz+refresh/token=";
/// What the customer's approval gave.
pub(crate) const SYSTEM_TOKEN: &str = "Nameplate-aBcDeF";
/// The customer.
pub(crate) const TENANT: &str = "Cust12345";

const PARTNER_KEY: &str = include_str!("../../data/test-only-partner-key.pem");
const LOGIN_KEY: &str = include_str!("../../data/test-only-login-key.pem");

/// What the login host does, and what it has done.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// In place of a token or a ticket: status and body.
    pub refusal: Option<(u16, Value)>,
    /// In place of whatever is asked of it: status, and a page of HTML, as a proxy in front of it answers.
    pub page: Option<u16>,
    /// The `Date` of its answers, where it is another than now.
    pub date: Option<String>,
    /// By how many seconds its clock is ahead of this machine's.
    pub ahead: i64,
    /// How long access tokens live, in seconds.
    pub expires_in: u64,
    /// When it handed out the last one.
    pub issued_at: Option<Instant>,
    /// Whether tokens are signed by a key that is not in its key set.
    pub forges: bool,
    /// How many tokens and tickets it has handed out.
    pub issued: usize,
    /// Of the tenant.
    pub state: &'static str,
    /// The node that the tenant is on: a part of its API's path.
    pub node: &'static str,
    /// For how many seconds a state is said to be valid.
    pub valid: i64,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            refusal: None,
            page: None,
            date: None,
            ahead: 0,
            expires_in: 3600,
            issued_at: None,
            forges: false,
            issued: 0,
            state: "Running",
            node: "online2",
            valid: 3600,
        }
    }
}

impl Login {
    /// The path of the tenant's API.
    pub(crate) fn api(&self) -> String {
        format!("/{}/{TENANT}/api", self.node)
    }

    /// Whether the access token has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.issued_at.is_some_and(|at| at.elapsed() >= Duration::from_secs(self.expires_in))
    }

    /// What is answered to a request that is for the login host; `credential` becomes what was issued.
    pub(crate) fn answer(
        &mut self,
        request: &Request,
        origin: &str,
        credential: &mut Credential,
    ) -> Option<Answer> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", path) if path == format!("/api/state/{TENANT}") => self.state(origin),
            ("GET", path) if path.starts_with("/api/state/") => {
                Answer::error(404, "SoNotFoundException", "No such tenant")
            }
            ("POST", "/login/common/oauth/tokens") => self.tokens(request, credential),
            ("POST", "/Login/api/PartnerSystemUser/Authenticate") => self.authenticate(request, credential),
            ("GET", "/login/.well-known/jwks") => {
                let key = pair(LOGIN_KEY);
                let public: PublicKeyComponents<Vec<u8>> = key.public().into();
                let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
                let key = json!({"kty": "RSA", "use": "sig", "kid": "lab", "n": n, "e": e});
                json_of(200, &json!({ "keys": [key] }))
            }
            _ => return None,
        };
        let answer = match self.page {
            Some(status) => {
                let page = "<html><title>Bad gateway for 22334455</title></html>".as_bytes();
                Answer::new(status, "text/html", page).with("Retry-After", "2")
            }
            None => answer,
        };
        Some(match &self.date {
            Some(date) => answer.with("Date", date),
            None => answer,
        })
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        Timestamp::now().as_second() + self.ahead
    }

    fn state(&self, origin: &str) -> Answer {
        let until = Timestamp::from_second(self.now() + self.valid).expect("a time");
        let endpoint = format!("{origin}/{}/{TENANT}", self.node);
        let is_running = matches!(self.state, "Running" | "OnlineMaintenance");
        json_of(
            200,
            &json!({
                "ContextIdentifier": TENANT, "Endpoint": endpoint, "State": self.state,
                "IsRunning": is_running, "ValidUntil": until.to_string(), "Api": format!("{endpoint}/api"),
            }),
        )
    }

    fn tokens(&mut self, request: &Request, credential: &mut Credential) -> Answer {
        if let Some((status, body)) = &self.refusal {
            return json_of(*status, body);
        }
        let is_form = request.header("Content-Type") == Some("application/x-www-form-urlencoded");
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let field = |name: &str| {
            let value =
                body.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
            percent_encoding::percent_decode_str(value).decode_utf8().ok().map(String::from)
        };
        let wrong = |error: &str| json_of(400, &json!({ "error": error }));
        if !is_form || field("grant_type").as_deref() != Some("refresh_token") {
            return wrong("unsupported_grant_type");
        }
        if field("client_id").as_deref() != Some(CLIENT_ID)
            || field("client_secret").as_deref() != Some(CLIENT_SECRET)
        {
            return wrong("invalid_client");
        }
        if field("refresh_token").as_deref() != Some(REFRESH_TOKEN) {
            return wrong("invalid_grant");
        }
        self.issued += 1;
        self.issued_at = Some(Instant::now());
        let token = format!("8A:{TENANT}.{}", self.issued);
        *credential = Credential::Bearer(token.clone());
        json_of(
            200,
            &json!({"token_type": "Bearer", "access_token": token, "expires_in": self.expires_in, "id_token": "x.y.z"}),
        )
    }

    fn authenticate(&mut self, request: &Request, credential: &mut Credential) -> Answer {
        let refused = |code: i64, message: &str| {
            let body =
                json!({"IsSuccessful": false, "Token": null, "ErrorMessage": message, "ErrorCode": code});
            // A refusal comes with 200 as well: "check IsSuccessful even on 2xx".
            json_of(200, &body)
        };
        if let Some((status, body)) = &self.refusal {
            return json_of(*status, body);
        }
        let body = request.json();
        if body["ApplicationToken"] != CLIENT_SECRET
            || body["ContextIdentifier"] != TENANT
            || body["ReturnTokenType"] != "JWT"
        {
            return refused(2, "Unknown application or customer");
        }
        let signed = body["SignedSystemToken"].as_str().unwrap_or_default();
        let Some((data, signature)) = signed.rsplit_once('.') else {
            return refused(7, "Invalid signature");
        };
        let Some((SYSTEM_TOKEN, minute)) = data.split_once('.') else {
            return refused(8, "Unknown system token");
        };
        let now = self.now();
        let minutes = [now - 60, now]
            .map(|at| Timestamp::from_second(at).expect("a time").strftime("%Y%m%d%H%M").to_string());
        if !minutes.iter().any(|allowed| allowed == minute) {
            return refused(6, "Invalid timestamp");
        }
        let partner = pair(PARTNER_KEY);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, partner.public_key().as_ref());
        let signature = STANDARD.decode(signature).unwrap_or_default();
        if public.verify(data.as_bytes(), &signature).is_err() {
            return refused(7, "Invalid signature");
        }
        self.issued += 1;
        let ticket = format!("7T:lab{}", self.issued);
        *credential = Credential::Ticket(ticket.clone());
        let token = self.token(&ticket, now);
        json_of(200, &json!({"IsSuccessful": true, "Token": token, "ErrorMessage": null}))
    }

    fn token(&self, ticket: &str, now: i64) -> String {
        let claims = json!({
            "iss": "SuperOffice AS", "aud": "spn:1234567890", "exp": now + 600, "iat": now,
            "http://schemes.superoffice.net/identity/serial": "1234567890",
            "http://schemes.superoffice.net/identity/ctx": TENANT,
            "http://schemes.superoffice.net/identity/ticket": ticket,
        });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed =
            format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT", "kid": "lab"})), part(&claims));
        let key = pair(if self.forges { PARTNER_KEY } else { LOGIN_KEY });
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn pair(pem: &str) -> RsaKeyPair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("an RSA key")
}

fn json_of(status: u16, body: &Value) -> Answer {
    Answer::json(status, body.to_string().into_bytes())
}
