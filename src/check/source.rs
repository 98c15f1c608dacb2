//! SuperOffice is asked once for each list, as the service asks it. The answer is counted, and thrown away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::finding::Finding;
use crate::source::superoffice::error::FetchError;
use crate::source::{
    self, Delivery, Fetched, Kind, ListId, Progress, Source, SourceError, Step, superoffice,
};

/// The most time for all lists of a source.
const LIMIT: Duration = Duration::from_secs(9);
const DAY: u64 = 24 * 60 * 60;
const NO_LIST: &str =
    "its list does not come; the one on disk stays in use, and without one callers have no name";

/// Asks one source. A CSV file is read by [`super::files`].
pub(super) async fn findings(source: &source::Settings) -> Vec<Finding> {
    let Kind::SuperOffice(settings) = &source.kind else { return Vec::new() };
    // An error is reported with the files.
    let Ok(client) = Source::new(source).map(Arc::new) else { return Vec::new() };
    let place = format!("[[source]] {}", source.name);
    let lists = source.lists();
    let asked = lists.iter().map(|list| ask(&client, *list));
    let answers = join_all(asked).await;
    let mut findings = Vec::new();
    if let Some(tenant) = client.tenant().filter(|tenant| tenant.is_running) {
        findings
            .push(Finding::ok(&place, format!("the tenant {} is in state {}", tenant.name, tenant.state)));
    }
    for (list, answer) in lists.iter().zip(answers) {
        let place = match list.selection {
            Some(selection) => format!("{place}, selection {selection}"),
            None => place.clone(),
        };
        match answer {
            Ok((delivery, took)) => findings.extend(of_list(&place, *list, settings, &delivery, took)),
            Err(finding) => findings.push(Finding { place, ..finding }),
        }
    }
    if let Some(clock) = client.clock() {
        let meaning =
            "SuperOffice refuses the login of a system user, and the window of activities is shifted";
        findings.push(Finding::warning(&place, clock, meaning, "timedatectl set-ntp true"));
    }
    // All lists fail by the same cause, where it is not a selection's own.
    findings.dedup_by(|one, other| one.what == other.what && one.level == other.level);
    findings
}

/// One call, and how long it took; or the finding, whose place is not set yet.
async fn ask(client: &Source, list: ListId) -> Result<(Delivery, Duration), Finding> {
    let progress = Progress::default();
    let begun = Instant::now();
    match timeout(LIMIT, client.fetch(list, "", &progress)).await {
        Ok(Ok(Fetched::Entries(delivery))) => Ok((delivery, begun.elapsed())),
        Ok(Ok(Fetched::Unchanged)) => Ok((Delivery::default(), begun.elapsed())),
        Ok(Err(SourceError::SuperOffice(error))) => Err(of_failure(&error)),
        Ok(Err(error)) => Err(Finding::error("", error.to_string(), NO_LIST, "mend the source")),
        Err(_) => Err(too_slow(&progress)),
    }
}

fn of_list(
    place: &str,
    list: ListId,
    settings: &superoffice::Settings,
    delivery: &Delivery,
    took: Duration,
) -> Vec<Finding> {
    let (count, unusable) = (delivery.entries.len(), &delivery.unusable);
    let seconds = took.as_secs_f64();
    if count == 0 && unusable.total() == 0 {
        let (what, remedy) = match list.selection {
            Some(_) => (
                "the selection is empty".to_owned(),
                "put persons or companies into it, or take it out of `selections`".to_owned(),
            ),
            None => (
                format!(
                    "the window is empty: this user has no activities with anybody, {} days back and {} days ahead",
                    settings.window_past.as_secs() / DAY,
                    settings.window_future.as_secs() / DAY
                ),
                "widen `window_past` and `window_future`, take another user, or give `selections`".to_owned(),
            ),
        };
        return vec![Finding::warning(place, what, "nobody has a name from it", remedy)];
    }
    let mut what = format!("it answers: entries: {count}, in {seconds:.1} s");
    for (remark, examples) in unusable.remarks() {
        what += &format!("; {} {remark}", examples.count);
    }
    let mut findings = vec![Finding::ok(place, what)];
    if unusable.total() > 0 {
        let what = format!("{} records can't be used: {unusable}", unusable.total());
        let meaning = "callers with these numbers have no name";
        findings.push(Finding::warning(place, what, meaning, "mend these records in the CRM"));
    }
    findings
}

/// What is wrong, in the client's own words, and what mends it.
fn of_failure(error: &FetchError) -> Finding {
    let remedy = match error {
        FetchError::Secret(_) | FetchError::Key(_) | FetchError::Unsendable(_) => "mend the secret in `auth`",
        FetchError::Login { .. } => "mend `auth` or `host`",
        FetchError::Refused { .. } | FetchError::NoLogin => {
            "mend `auth`: the user, its password or token, and its right to use the WebAPI"
        }
        FetchError::NotRunning { .. } => {
            "nothing here: SuperOffice runs the tenant again, or answers your questions"
        }
        FetchError::NoSite { .. } => "compare `tenant` and `host` with SuperOffice's address in your browser",
        FetchError::Trust(_) | FetchError::Tls(_) => {
            "mend `ca_file`, the address, or the server's certificate"
        }
        FetchError::NoConnection(_) | FetchError::Unreachable(_) => {
            "compare `api`, or `host`, with the address in your browser; a `proxy` or a firewall may be between"
        }
        FetchError::Silent(_) | FetchError::OutOfTime(_) | FetchError::Broken(_) => {
            "check again when it is less busy"
        }
        FetchError::LeftAlone(_) => "wait so long, and check again",
        FetchError::TooLarge(_) => "raise `max_answer`",
        _ => "compare `api` with the WebAPI's address, which ends in /api",
    };
    let what = match error {
        FetchError::NoConnection(what) if what.contains("dns error") => {
            format!("its name can't be resolved: {what}")
        }
        error => error.to_string(),
    };
    Finding::error("", what, NO_LIST, remedy)
}

/// A list may be long: that is no fault.
fn too_slow(progress: &Progress) -> Finding {
    let seconds = LIMIT.as_secs();
    if let Step::Reading { records } = progress.step() {
        let what =
            format!("its answer was not whole within {seconds} s: {records} records were read by then");
        let meaning = "the service waits longer, up to `timeout`";
        return Finding::warning("", what, meaning, "`nameplate refresh` shows how long it takes");
    }
    let what = format!("it has not begun to answer within {seconds} s");
    let remedy =
        "compare `api`, or `host`, with the address in your browser; a firewall may drop what is sent there";
    Finding::error("", what, NO_LIST, remedy)
}
