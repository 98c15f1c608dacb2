//! Another copy of the service has taken over our application. If this copy took the application back, the other copy would
//! do the same, and calls in between would have no answer. So this copy waits until the other one has left the application.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Settings;
use super::error::ConnectionError;
use super::handshake::trust;
use super::rest::{Http, Reports, Turn};
use super::wire::ApplicationInfo;
use crate::backoff::{Backoff, jittered};

/// The wait between two looks at the application: at most this time, at least half of it. A call that the other copy serves
/// has gone on by then. A call that is left behind hears silence for so long.
const LOOK: Duration = Duration::from_secs(2);

/// The longest wait after looks without an answer.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether a websocket has the application.
pub(super) enum Registration {
    /// Yes, and these calls are in the application.
    Registered(HashSet<String>),
    /// No: Asterisk forgets an application without a websocket and without calls.
    Unregistered,
}

/// Waits until the other copy has left: Asterisk has forgotten the application, or the same call is in it at two looks. Also
/// returns when Asterisk refuses us: the next attempt to connect reports that.
pub(super) async fn until_left(settings: &Settings) {
    let pbx = &settings.name;
    let mut before = HashSet::new();
    let mut http = None;
    let mut backoff = Backoff::new(LOOK, LONGEST);
    loop {
        tokio::time::sleep(jittered(LOOK)).await;
        match look(settings, &mut http).await {
            Ok(Registration::Unregistered) => return info!(%pbx, "the other copy has left the application"),
            Ok(Registration::Registered(calls)) if !calls.is_disjoint(&before) => {
                return warn!(%pbx, "the other copy has left a call in the application: it is taken back");
            }
            Ok(Registration::Registered(calls)) => before = calls,
            Err(error) if error.refusal().is_some() => return,
            // Asterisk is away. Or it does not answer this request, which may hold one of its threads: so the waits get
            // longer.
            Err(error) => {
                debug!(%pbx, "can't ask who has the application: {error}");
                http = None;
                tokio::time::sleep(backoff.next_wait()).await;
                continue;
            }
        }
        backoff.reset();
    }
}

/// Looks at the application. Keeps the client after a success, so that certificates and the password are not read at each
/// look.
pub(super) async fn look(
    settings: &Settings,
    http: &mut Option<Http>,
) -> Result<Registration, ConnectionError> {
    let http = match http {
        Some(http) => http,
        none => {
            let tls = trust(settings).await?;
            let (reports, _) = Reports::new(CancellationToken::new());
            let http = Http::new(settings, settings.password.read()?, &tls, reports);
            none.insert(http.map_err(ConnectionError::of)?)
        }
    };
    let path = format!("applications/{}", settings.app);
    match http.get::<ApplicationInfo>(Turn::Immediate, &path).await {
        Ok(application) => Ok(Registration::Registered(application.channel_ids.into_iter().collect())),
        Err(failure) if failure.is_no_application() => Ok(Registration::Unregistered),
        Err(failure) => Err(ConnectionError::of_set_up(failure, ConnectionError::Waiting)),
    }
}
