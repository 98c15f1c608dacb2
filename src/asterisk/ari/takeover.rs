//! Another copy has taken over our application: taking it back would only make the other do the same, with calls in
//! between that nobody answers. So it is the other's until the other has left it.

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

/// At most, from one look whether the other is still there to the next, and at least half of it. A call that somebody
/// serves is gone by then; one that nobody serves hears silence so long.
const LOOK: Duration = Duration::from_secs(2);

/// At most, while Asterisk does not say.
const LONGEST: Duration = Duration::from_secs(60);

/// What Asterisk says of the application.
enum Registration {
    /// Somebody has it, with these calls in it.
    Registered(HashSet<String>),
    /// Nobody: Asterisk forgets an application whose websocket is closed, and in which there is no call.
    Unregistered,
}

/// Waits until nobody has the application: it is forgotten, or a call is left in it from one look to the next. Or until
/// we are refused ourselves, which the next attempt says.
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
            // Asterisk is away, and the other copy as well: who comes first has it then. Or it does not answer this question,
            // and loses a thread with each: it is asked ever less often.
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

/// Looks, with the client of the last look where that has worked: certificates and the password are not read each time.
async fn look(settings: &Settings, http: &mut Option<Http>) -> Result<Registration, ConnectionError> {
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
