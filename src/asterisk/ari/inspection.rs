//! What one Asterisk says of itself, for `nameplate check`. It is asked by GET alone: nothing on the PBX is changed, and the
//! service keeps its application.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use reqwest::header::SERVER;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::error::ConnectionError;
use super::handshake::{open, trust};
use super::response::Failure;
use super::rest::{Http, Reports, Turn};
use super::session::{Input, Output, Session};
use super::takeover::{Registration, look};
use super::version::delays_commands;
use super::warnings::Warnings;
use super::wire::{ConfigTuple, Info, Module, segment};
use crate::asterisk::pbx_status::PbxStatus;
use crate::observe::metrics::Metrics;

/// The most time for the version of an Asterisk that has no user for us yet.
const LIMIT: Duration = Duration::from_secs(3);
/// The modules without which Nameplate does not connect, or does not answer.
const FOR_ARI: [&str; 7] = [
    "app_stasis.so",
    "res_ari.so",
    "res_ari_applications.so",
    "res_ari_channels.so",
    "res_ari_events.so",
    "res_http_websocket.so",
    "res_stasis.so",
];
/// The modules that the shipped context needs for every lookup, for the first lookup after a start of Asterisk, or for a
/// second lookup of a call.
const FOR_THE_CONTEXT: [&str; 10] = [
    "app_exec.so",
    "app_stack.so",
    "func_callerid.so",
    "func_channel.so",
    "func_cut.so",
    "func_global.so",
    "func_module.so",
    "func_strings.so",
    "func_timeout.so",
    "pbx_config.so",
];

/// What one Asterisk says of itself.
#[derive(Debug)]
pub struct Inspection {
    /// Asterisk's version; "unknown" if it does not say it.
    pub version: String,
    /// Whether a command to a call in `Stasis()` waits up to 200 ms on this version.
    pub delays_commands: bool,
    /// How requests for calls will go: "the websocket" or "HTTP".
    pub transport: Result<&'static str, Problem>,
    /// Whether a program is connected with our application.
    pub is_registered: Result<bool, Problem>,
    /// Whether the user may only read; none if Asterisk does not say it.
    pub is_read_only: Option<bool>,
    /// Needed modules that do not run; none if Asterisk does not list its modules.
    pub missing: Option<MissingModules>,
    /// A sentence on this machine's clock if it differs from Asterisk's.
    pub clock: Option<String>,
}

/// Needed modules that do not run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MissingModules {
    /// For the connection, and for the answers.
    pub for_ari: Vec<&'static str>,
    /// For the shipped context.
    pub for_the_context: Vec<&'static str>,
}

/// Why Asterisk does not answer, or not as it should.
#[derive(Debug)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// The command or the setting that mends it.
    pub remedy: &'static str,
}

impl From<ConnectionError> for Problem {
    fn from(error: ConnectionError) -> Self {
        Self { remedy: error.remedy(), what: error.to_string() }
    }
}

/// Asks one Asterisk.
///
/// # Errors
/// If Asterisk can't be reached, or refuses the user or the password.
pub async fn inspect(settings: &Settings) -> Result<Inspection, Problem> {
    // Large: it holds the states of all questions.
    Ok(Box::pin(ask(settings)).await?)
}

async fn ask(settings: &Settings) -> Result<Inspection, ConnectionError> {
    let password = settings.password.read()?;
    let tls = trust(settings).await?;
    let (reports, _) = Reports::new(CancellationToken::new());
    let http = Http::new(settings, password.clone(), &tls, reports).map_err(ConnectionError::of)?;
    let version = match http.get::<Info>(Turn::Immediate, "asterisk/info").await {
        Ok(info) => info.system.version,
        // res_ari_asterisk.so is not loaded: the service runs without it.
        Err(failure) if failure.is_no_resource() => "unknown".to_owned(),
        Err(failure) => return Err(ConnectionError::of(failure)),
    };
    let mut looking = None;
    let (registration, modules, is_read_only, transport) = tokio::join!(
        look(settings, &mut looking),
        http.get::<Vec<Module>>(Turn::Immediate, "asterisk/modules"),
        is_read_only(&http, &settings.username),
        transport(settings, &password, tls, &version),
    );
    Ok(Inspection {
        delays_commands: delays_commands(&version),
        transport: transport.map_err(Problem::from),
        is_registered: registration
            .map(|registration| matches!(registration, Registration::Registered(_)))
            .map_err(Problem::from),
        is_read_only,
        missing: missing(modules),
        clock: http.clock(),
        version,
    })
}

/// Asterisk's version by the header `Server` of its HTTP server, which needs no user; none if there is no answer, or if the header
/// does not say it.
pub async fn server_version(url: &Url) -> Option<String> {
    let tls = crate::tls::client(None).ok()?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(LIMIT).no_proxy();
    let mut url = url.clone();
    url.set_path(&format!("{}/ari/asterisk/info", url.path().trim_end_matches('/')));
    let response = client.build().ok()?.get(url).send().await.ok()?;
    let version = response.headers().get(SERVER)?.to_str().ok()?.strip_prefix("Asterisk/")?;
    Some(version.to_owned())
}

/// Whether `ari.conf` has `read_only` for the user. Asterisk 22.10 says it, 16 does not.
async fn is_read_only(http: &Http, username: &str) -> Option<bool> {
    let path = format!("asterisk/config/dynamic/res_ari/user/{}", segment(username));
    let settings = http.get::<Vec<ConfigTuple>>(Turn::Immediate, &path).await.ok()?;
    let read_only = settings.into_iter().find(|setting| setting.attribute == "read_only")?;
    Some(["yes", "true", "1", "on"].contains(&read_only.value.as_str()))
}

fn missing(modules: Result<Vec<Module>, Failure>) -> Option<MissingModules> {
    let modules = modules.ok()?;
    let runs = |wanted: &str| modules.iter().any(|it| it.name == wanted && it.status == "Running");
    let without = |wanted: &[&'static str]| wanted.iter().copied().filter(|name| !runs(name)).collect();
    Some(MissingModules { for_ari: without(&FOR_ARI), for_the_context: without(&FOR_THE_CONTEXT) })
}

/// How requests for calls will go. A session decides it, on a websocket with an application of this check's own.
async fn transport(
    settings: &Settings,
    password: &SecretString,
    tls: Arc<ClientConfig>,
    version: &str,
) -> Result<&'static str, ConnectionError> {
    // The service would lose an application of the same name.
    let own = Settings { app: format!("nameplate-check-{:08x}", fastrand::u32(..)), ..settings.clone() };
    let mut socket = open(&own, password, tls).await?;
    let pbx_status = PbxStatus::new(&settings.name, Metrics::new().pbx(&settings.name));
    let warnings = Arc::new(Warnings::new(Arc::new(pbx_status)));
    let (mut session, mut outputs) = Session::begin(warnings, Instant::now());
    outputs.extend(session.handle(Input::WaitingCalls(Ok(Vec::new())), Instant::now()));
    outputs.extend(session.handle(Input::Version(version.to_owned()), Instant::now()));
    loop {
        for output in std::mem::take(&mut outputs) {
            match output {
                Output::Send(message) => {
                    let sent = socket.send(message).await;
                    sent.map_err(|error| ConnectionError::Lost(error.to_string()))?;
                }
                Output::Connected { transport, .. } => {
                    // The application goes with the websocket, also if this fails.
                    let _ = socket.close(None).await;
                    return Ok(transport);
                }
                Output::End { how, .. } => {
                    return Err(how.err().unwrap_or_else(ConnectionError::closed));
                }
                // There are no calls, and the version is known.
                Output::LookUp { .. } | Output::Task(_) | Output::LearnVersion => {}
            }
        }
        let wake_at = session.wake_at().unwrap_or_else(Instant::now);
        outputs = tokio::select! {
            received = socket.next() => {
                let now = Instant::now();
                match received {
                    Some(Ok(message)) => session.handle(Input::Message(&message), now),
                    Some(Err(error)) => {
                        session.handle(Input::Lost(ConnectionError::Lost(error.to_string())), now)
                    }
                    None => session.handle(Input::Lost(ConnectionError::closed()), now),
                }
            }
            () = sleep_until(wake_at) => session.handle(Input::Time, Instant::now()),
        };
    }
}
