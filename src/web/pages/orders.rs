//! The buttons of the page `Status`. They go the same ways as `nameplate refresh`, `refresh --accept`, `reload` and `check`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::info;

use super::desk::{Done, Order};
use super::shell::{Place, Shell};
use super::{Message, html};
use crate::control;
use crate::lists::events::RefreshResult;
use crate::reload;
use crate::web::State as Web;
use crate::web::login::Role;

/// The time for which a button waits for its order. What takes longer is shown later.
const PATIENCE: Duration = Duration::from_secs(2);

/// The paths of the buttons.
pub(super) fn router() -> Router<Arc<Web>> {
    Router::new()
        .route("/status/refresh", post(refresh))
        .route("/status/accept", post(accept))
        .route("/status/reload", post(reload))
        .route("/status/check", post(check))
}

#[derive(Deserialize)]
struct Refresh {
    /// A list's name; "" for all.
    #[serde(default)]
    list: String,
}

async fn refresh(State(web): State<Arc<Web>>, shell: Shell, Form(asked): Form<Refresh>) -> Response {
    let list = Some(asked.list).filter(|list| !list.is_empty());
    let service = match allowed(&web, &shell, Role::Operator) {
        Ok(service) => service,
        Err(refusal) => return refusal,
    };
    let ordered = service.handle.refresh(list.as_deref(), false);
    if ordered.is_empty() {
        return message(StatusCode::NOT_FOUND, shell, |texts| texts.status.no_such_list);
    }
    info!(who = who(&shell), list, "[web] a refresh is ordered");
    let results = ordered.into_iter().map(|(watch, result)| (watch.list().to_owned(), result)).collect();
    do_order(&web, &shell, Order::Refresh(list), refreshed(results)).await
}

#[derive(Deserialize)]
struct Accept {
    list: String,
    /// The id of the list that the page has shown.
    held: u64,
}

async fn accept(State(web): State<Arc<Web>>, shell: Shell, Form(asked): Form<Accept>) -> Response {
    let service = match allowed(&web, &shell, Role::Administrator) {
        Ok(service) => service,
        Err(refusal) => return refusal,
    };
    let lists = service.handle.status();
    let held = lists.iter().find(|list| list.list == asked.list).and_then(|list| list.held_back());
    // What is taken is what was looked at: another list may have come meanwhile, and another person may have seen it.
    if held.is_none_or(|(held, _)| held.id != asked.held) {
        return message(StatusCode::CONFLICT, shell, |texts| texts.status.another_is_held);
    }
    info!(who = who(&shell), list = asked.list, "[web] a list that is held back is accepted");
    let ordered = service.handle.accept_shown(&asked.list, asked.held);
    let results = ordered.into_iter().map(|result| (asked.list.clone(), result)).collect();
    do_order(&web, &shell, Order::Accept(asked.list), refreshed(results)).await
}

async fn reload(State(web): State<Arc<Web>>, shell: Shell) -> Response {
    let service = match allowed(&web, &shell, Role::Administrator) {
        Ok(service) => service,
        Err(refusal) => return refusal,
    };
    info!(who = who(&shell), "[web] a reload is ordered");
    let work = async move {
        let (reply, report) = oneshot::channel();
        if service.reloads.send(reload::Order { reply: Some(reply) }).await.is_err() {
            return Done::Nothing;
        }
        report.await.map_or(Done::Nothing, Done::Reloaded)
    };
    do_order(&web, &shell, Order::Reload, work).await
}

async fn check(State(web): State<Arc<Web>>, shell: Shell) -> Response {
    if let Err(refusal) = allowed(&web, &shell, Role::Operator) {
        return refusal;
    }
    let (desk, config) = (Arc::clone(&web.desk), web.live().backend.config.clone());
    let checking = tokio::spawn(async move { desk.check(config, true).await });
    let _ = timeout(PATIENCE, checking).await;
    Redirect::to(Place::Status.path()).into_response()
}

/// The service, if the person in front of the page has this role.
#[allow(clippy::result_large_err, reason = "a response is made once for each press of a button")]
fn allowed(web: &Web, shell: &Shell, role: Role) -> Result<control::Service, Response> {
    if !shell.viewer.may(role) {
        return Err(message(StatusCode::FORBIDDEN, shell.clone(), |texts| texts.status.not_your_role));
    }
    let service = web.live().backend.service.clone();
    service.ok_or_else(|| {
        message(StatusCode::SERVICE_UNAVAILABLE, shell.clone(), |texts| texts.status.still_starting)
    })
}

fn message(
    status: StatusCode,
    shell: Shell,
    title: impl Fn(&super::texts::Texts) -> &'static str,
) -> Response {
    let texts = shell.texts();
    let (title, link) = (title(texts), texts.status.back);
    html(status, &Message { shell, title, text: "", link, to: Place::Status.path() })
}

fn who(shell: &Shell) -> &str {
    shell.viewer.login.as_ref().and_then(|login| login.name.as_deref()).unwrap_or("the token")
}

async fn refreshed(results: Vec<(String, oneshot::Receiver<RefreshResult>)>) -> Done {
    let mut lists = Vec::new();
    for (list, result) in results {
        let stopping = "the service is stopping";
        lists.push(result.await.unwrap_or_else(|_| RefreshResult::failed(list, stopping)));
    }
    Done::Refreshed(lists)
}

/// Follows an order to its end, and leads back to the page, which shows what became of it.
async fn do_order(
    web: &Web,
    shell: &Shell,
    order: Order,
    work: impl Future<Output = Done> + Send + 'static,
) -> Response {
    let by = shell.viewer.login.as_ref().and_then(|login| login.name.clone());
    let desk = Arc::clone(&web.desk);
    let id = desk.begin(order, by);
    // It goes on if the browser does not wait.
    let working = tokio::spawn(async move { desk.end(id, work.await) });
    let _ = timeout(PATIENCE, working).await;
    Redirect::to(Place::Status.path()).into_response()
}
