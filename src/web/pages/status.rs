//! The page `Status`: each list, the server of the replicas, each PBX, how fast calls are answered, what `nameplate check` finds, and buttons.

mod replicas;

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::desk::{Checked, Done, Entry, Order};
use super::html;
use super::moment::{Moment, grouped};
use super::picture::Picture;
use super::shell::Shell;
use super::texts::{Status as Texts, fill};
use crate::asterisk::pbx_status::{self, PbxStatus};
use crate::calls::{Calls, Outcome};
use crate::check::{Finding, Level};
use crate::lists::events::RefreshResult;
use crate::lists::outcome::RefreshOutcome;
use crate::lists::status::ListStatus;
use crate::observe::mask;
use crate::web::State as Web;
use crate::web::login::Role;
use replicas::ReplicasCard;

/// The unknown callers that are shown.
const UNKNOWN: usize = 10;

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    shell: Shell,
    /// The token against forgery; "" without a login.
    forgery: String,
    may_refresh: bool,
    may_accept: bool,
    /// Why there are no buttons, or not all.
    buttons: Option<&'static str>,
    /// Whether anything wants a person, and what.
    troubles: Vec<String>,
    all_well: String,
    orders: Vec<OrderLine>,
    /// Whether an order or a check is under way: a page without a script loads itself again.
    is_busy: bool,
    lists: Vec<ListCard>,
    are_lists_open: bool,
    replicas: Option<ReplicasCard>,
    pbxs: Vec<PbxCard>,
    picture: Option<Picture>,
    unknown: Vec<(String, String)>,
    keeps_history: bool,
    checked: Checked,
    checked_at: Option<Moment>,
    check_summary: String,
}

/// A list as the page shows it.
struct ListCard {
    name: String,
    lamp: &'static str,
    state: &'static str,
    count: String,
    taken: Option<Moment>,
    last_success: Option<Moment>,
    next: Option<Moment>,
    last_error: Option<String>,
    held: Option<HeldCard>,
    unusable: Vec<(String, String, String)>,
    unusable_total: Option<String>,
    tenant: Option<String>,
}

/// A list that is held back.
struct HeldCard {
    id: u64,
    what: String,
    came: Option<Moment>,
    why: String,
    /// At which other machine, in words.
    at: Option<String>,
}

/// A PBX as the page shows it.
struct PbxCard {
    name: String,
    lamp: &'static str,
    state: &'static str,
    since: Option<Moment>,
    version: String,
    way: &'static str,
    why: String,
}

/// An order as the page shows it.
struct OrderLine {
    at: Option<Moment>,
    what: String,
    lamp: &'static str,
    /// The results, in words.
    results: Vec<String>,
}

/// `GET /status`
pub(super) async fn page(State(web): State<Arc<Web>>, shell: Shell) -> Response {
    let live = web.live();
    let backend = &live.backend;
    // The page shows what is known; what a new check finds stands on the next one.
    let (desk, config) = (Arc::clone(&web.desk), backend.config.clone());
    if backend.service.is_some() {
        drop(tokio::spawn(async move { desk.check(config, false).await }));
    }
    let all = shell.texts();
    let texts = &all.status;
    let lists = backend.service.as_ref().map(|service| service.handle.status());
    let are_lists_open = lists.is_some();
    let server = backend.replica.as_ref().map(|replica| replica.server());
    let replicas = server.map(|server| ReplicasCard::of(server, lists.as_deref().unwrap_or_default(), texts));
    let lists: Vec<_> = lists.iter().flatten().map(|list| ListCard::of(list, &shell)).collect();
    let pbxs: Vec<_> = backend.pbx_statuses.iter().map(|pbx| PbxCard::of(pbx, &shell)).collect();
    let orders: Vec<_> = web.desk.orders();
    let checked = web.desk.checked();
    let is_busy = checked.is_running || orders.iter().any(|order| order.done.is_none());
    let numbers = grouped(backend.resolver.numbers(), all);
    html(
        StatusCode::OK,
        &Page {
            forgery: shell.viewer.login.as_ref().map(|login| login.forgery.clone()).unwrap_or_default(),
            may_refresh: shell.viewer.may(Role::Operator),
            may_accept: shell.viewer.may(Role::Administrator),
            buttons: why_no_buttons(&shell),
            troubles: troubles(&lists, replicas.as_ref(), &pbxs, &checked, texts),
            all_well: fill(texts.all_well, &[&numbers]),
            orders: orders.iter().map(|entry| OrderLine::of(entry, &shell)).collect(),
            is_busy,
            lists,
            are_lists_open,
            replicas,
            pbxs,
            picture: Picture::of(&backend.metrics.answer_times(), all),
            unknown: unknown(&backend.calls, &shell),
            keeps_history: backend.calls.most() > 0,
            checked_at: checked.at.and_then(|at| Moment::of(at, all)),
            check_summary: check_summary(&checked, texts),
            checked,
            shell,
        },
    )
}

fn why_no_buttons(shell: &Shell) -> Option<&'static str> {
    let texts = &shell.texts().status;
    match &shell.viewer.login {
        None if shell.viewer.can_log_in => Some(texts.buttons_want_login),
        None => Some(texts.buttons_want_users),
        Some(login) if login.role < Role::Administrator => Some(texts.buttons_of_administrators),
        Some(_) => None,
    }
}

/// What wants a person, a line each.
fn troubles(
    lists: &[ListCard],
    replicas: Option<&ReplicasCard>,
    pbxs: &[PbxCard],
    checked: &Checked,
    texts: &Texts,
) -> Vec<String> {
    let mut troubles = Vec::new();
    for list in lists.iter().filter(|list| list.lamp != "good") {
        troubles.push(format!("{}: {}", list.name, list.state));
    }
    if let Some(replicas) = replicas.filter(|replicas| replicas.lamp == "bad") {
        troubles.push(format!("{}: {}", texts.replicas, replicas.state));
    }
    for pbx in pbxs.iter().filter(|pbx| pbx.lamp != "good") {
        troubles.push(format!("{}: {}", pbx.name, pbx.state));
    }
    let errors = checked.count(Level::Error);
    if errors > 0 {
        troubles.push(fill(texts.check_errors, &[&errors.to_string()]));
    }
    troubles
}

fn check_summary(checked: &Checked, texts: &Texts) -> String {
    let (errors, warnings) = (checked.count(Level::Error), checked.count(Level::Warning));
    match (errors, warnings - errors) {
        (0, 0) => texts.check_good.to_owned(),
        (errors, warnings) => fill(texts.check_bad, &[&errors.to_string(), &warnings.to_string()]),
    }
}

impl ListCard {
    fn of(list: &ListStatus, shell: &Shell) -> Self {
        let all = shell.texts();
        let texts = &all.status;
        let moment = |seconds: Option<u64>| seconds.and_then(|seconds| Moment::of(seconds, all));
        let (lamp, state) = match () {
            () if list.held_back().is_some() => ("warn", texts.list_held),
            () if list.last_error.is_some() => ("bad", texts.list_failed),
            () if list.taken.is_none() && list.last_success.is_none() => ("warn", texts.list_waits),
            () => ("good", texts.list_good),
        };
        let held = list.held_back().map(|(held, by)| {
            let numbers = [held.count, held.changes.new, held.changes.gone, held.changes.renamed];
            let numbers = numbers.map(|number| grouped(number, all));
            let losses = [held.losses.total(), held.losses.known].map(|number| grouped(number, all));
            HeldCard {
                id: held.id,
                what: fill(texts.held_what, &numbers.each_ref().map(String::as_str)),
                came: moment(Some(held.came)),
                why: fill(texts.held_why, &losses.each_ref().map(String::as_str)),
                at: by.map(|by| fill(texts.held_at, &[by])),
            }
        });
        let unusable = list.unusable.reasons().chain(list.unusable.remarks()).map(|(reason, examples)| {
            (reason.replace('_', " "), grouped(examples.count, all), examples.first.join("; "))
        });
        let tenant = list.tenant.as_ref().map(|tenant| format!("{} · {}", tenant.name, tenant.state));
        let total = list.unusable.total();
        Self {
            name: list.list.clone(),
            lamp,
            state,
            count: grouped(list.count, all),
            taken: moment(list.taken),
            last_success: moment(list.last_success),
            next: moment(list.next),
            last_error: list.last_error.clone(),
            held,
            unusable: unusable.collect(),
            unusable_total: (total > 0).then(|| fill(texts.unusable, &[&grouped(total, all)])),
            tenant,
        }
    }
}

impl PbxCard {
    fn of(pbx: &PbxStatus, shell: &Shell) -> Self {
        let all = shell.texts();
        let texts = &all.status;
        let now = pbx.snapshot();
        let (lamp, state) = match now.state {
            pbx_status::State::Connected => ("good", texts.connected),
            pbx_status::State::Connecting => ("warn", texts.connecting),
            pbx_status::State::Disconnected => ("bad", texts.disconnected),
            pbx_status::State::Refused(_) => ("bad", texts.refused),
            pbx_status::State::TakenOver => ("warn", texts.taken_over),
            pbx_status::State::NotListening => ("bad", texts.not_listening),
        };
        let (version, way) = match now.peer {
            Some(peer) => (peer.version, way(peer.way, texts)),
            None => (String::new(), ""),
        };
        Self {
            name: pbx.name().to_owned(),
            lamp,
            state,
            since: Moment::of(now.since, all),
            version,
            way,
            why: now.why,
        }
    }
}

/// The way of the answers, in words.
fn way(way: &'static str, texts: &Texts) -> &'static str {
    match way {
        "the websocket" => texts.way_websocket,
        "HTTP" => texts.way_http,
        other => other,
    }
}

impl OrderLine {
    fn of(entry: &Entry, shell: &Shell) -> Self {
        let all = shell.texts();
        let texts = &all.status;
        let by = entry.by.as_deref().unwrap_or(all.shell.token_holder);
        let what = match &entry.order {
            Order::Refresh(None) => fill(texts.ordered_refresh_of_all, &[by]),
            Order::Refresh(Some(list)) => fill(texts.ordered_refresh, &[by, list]),
            Order::Accept(list) => fill(texts.ordered_accept, &[by, list]),
            Order::Reload => fill(texts.ordered_reload, &[by]),
        };
        let mut results = Vec::new();
        let lamp = match &entry.done {
            None => {
                results.push(texts.under_way.to_owned());
                "warn"
            }
            Some(Done::Nothing) => {
                results.push(texts.stopping.to_owned());
                "bad"
            }
            Some(Done::Reloaded(report)) => {
                match &report.error {
                    Some(error) => results.push(fill(texts.reload_failed, &[error])),
                    None if report.changed.is_empty() && report.stays.is_empty() => {
                        results.push(texts.reload_nothing.to_owned());
                    }
                    None => results.extend(report.changed.iter().cloned()),
                }
                results.extend(report.stays.iter().map(|line| fill(texts.reload_stays, &[line])));
                results.extend(report.notices.iter().cloned());
                if report.error.is_some() { "bad" } else { "good" }
            }
            Some(Done::Refreshed(lists)) => {
                results.extend(lists.iter().map(|list| refreshed(list, shell)));
                let is_good = |list: &RefreshResult| {
                    matches!(list.outcome, Some(RefreshOutcome::Unchanged | RefreshOutcome::New { .. }))
                };
                if lists.iter().all(is_good) { "good" } else { "bad" }
            }
        };
        Self { at: Moment::of(entry.at, all), what, lamp, results }
    }
}

/// What became of the refresh of a list.
fn refreshed(result: &RefreshResult, shell: &Shell) -> String {
    let all = shell.texts();
    let texts = &all.status;
    let number = |number: usize| grouped(number, all);
    let what = match &result.outcome {
        Some(RefreshOutcome::Unchanged) => texts.unchanged.to_owned(),
        Some(RefreshOutcome::NothingHeld) => texts.nothing_held.to_owned(),
        Some(RefreshOutcome::New { count, changes }) => {
            let numbers = [*count, changes.new, changes.gone, changes.renamed].map(number);
            fill(texts.taken_now, &numbers.each_ref().map(String::as_str))
        }
        Some(RefreshOutcome::Held { another: true, .. }) => texts.another.to_owned(),
        Some(RefreshOutcome::Held { .. }) => texts.list_held.to_owned(),
        None => fill(texts.failed, &[result.error.as_deref().unwrap_or_default()]),
    };
    format!("{}: {what}", result.list)
}

/// The unknown callers of the history that called most often, masked, with how often they did.
fn unknown(calls: &Calls, shell: &Shell) -> Vec<(String, String)> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for call in calls.all().0.iter().filter(|call| call.outcome == Outcome::NotFound) {
        let Some(resolution) = &call.resolution else { continue };
        let first = resolution.readings.first().map(|outcome| outcome.reading.number.to_string());
        *times.entry(first.unwrap_or_else(|| resolution.input.clone())).or_default() += 1;
    }
    let mut most: Vec<_> = times.into_iter().collect();
    most.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let shown = most.iter().take(UNKNOWN);
    shown.map(|(number, times)| (mask::Number(number).masked(), grouped(*times, shell.texts()))).collect()
}

/// What a template asks of a finding.
impl Finding {
    fn lamp(&self) -> &'static str {
        match self.level {
            Level::Ok => "good",
            Level::Unknown => "",
            Level::Warning => "warn",
            Level::Error => "bad",
        }
    }

    fn title(&self, texts: &Texts) -> &'static str {
        match self.level {
            Level::Ok => texts.level_ok,
            Level::Unknown => texts.level_unknown,
            Level::Warning => texts.level_warning,
            Level::Error => texts.level_error,
        }
    }
}
