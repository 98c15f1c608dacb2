//! `make drill`: calls at a steady rate while the service, its disk, its CRM, its connection and Asterisk go wrong in turn.
//!
//! What became of the calls is counted at the phones and in Asterisk, and kept as a table. For each trouble the service
//! is started anew, on the same Asterisk. What has to hold:
//!
//! - every call that was placed rings, unless its caller has hung up (**lost** otherwise);
//! - no channel stays in Asterisk (**left over**);
//! - none rings later than a call without trouble does (the median of the first row) by more than the dialplan's bound
//!   of 500 ms and 250 ms (**late**);
//! - every call that was placed while the service was up has its name (**unnamed** otherwise), but those that were
//!   under way when it was taken away (**inside**) and those that came before it was back (**not up**);
//! - none has a name that is neither the caller's nor the provider's (**wrong**), and a withheld number is not looked up.
//!
//! When the service was up is told from outside, by its `/readyz` and what was done to it: `lab::uptime` says how.
//!
//! As a test (`cargo test`) it is a short drill, which fails on calls that are lost, left over or wrong: how late others
//! are says as much of the machine that tests run on. Arguments: `long`, `22` or `16` for one of the two,
//! `ari`, `agi`, and troubles that are wanted alone (`kill`, `stop`, …; they are measured by what `none` shows).

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "../lab/mod.rs"]
mod lab;
mod service;
mod stage;
mod table;
mod trouble;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use lab::way::Way;
use stage::{LONG, SHORT, Size, Stage};
use table::{Row, Table};
use tokio::sync::{Semaphore, mpsc};
use trouble::Trouble;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    let wanted: Vec<_> = Trouble::ALL.into_iter().filter(|trouble| has(&trouble.word())).collect();
    let known = ["long", "22", "16", "ari", "agi"].into_iter().filter(|word| has(word)).count();
    if known + wanted.len() < words.len() {
        // `cargo test` with the name of another test.
        return ExitCode::SUCCESS;
    }
    let size = if has("long") { LONG } else { SHORT };
    // The yardstick of a reload is for who looks at times.
    let is_wanted = |trouble: &Trouble| {
        wanted.is_empty() && (size.is_strict || *trouble != Trouble::ReloadAlone)
            || *trouble == Trouble::None
            || wanted.contains(trouble)
    };
    let (new, old) = ([Way::Websocket, Way::Http, Way::Agi], [Way::HttpOn16, Way::AgiOn16]);
    let (on_new, on_old) = (!has("16"), has("16") || !has("22"));
    let ways = new.iter().filter(|_| on_new).chain(old.iter().filter(|_| on_old));
    let chosen = |way: &&Way| if way.is_agi() { !has("ari") } else { !has("agi") };

    let begun = Instant::now();
    let mut table = Table::new(&size);
    let troubles: Vec<_> = Trouble::ALL.into_iter().filter(is_wanted).collect();
    let places = Arc::new(Semaphore::new(size.ways_at_once));
    let drills: Vec<_> = ways
        .filter(chosen)
        .map(|way| {
            let (sender, rows) = mpsc::unbounded_channel();
            (*way, tokio::spawn(drill(*way, size, troubles.clone(), Arc::clone(&places), sender)), rows)
        })
        .collect();
    for (way, drill, mut rows) in drills {
        while let Some((version, row)) = rows.recv().await {
            table.add(way, &version, &row);
        }
        drill.await.expect("a drill");
    }
    table.end(begun.elapsed());
    let form = if has("long") { "drill" } else { "drill-short" };
    let versions = match (on_new, on_old) {
        (true, true) => "",
        (true, false) => "-22",
        _ => "-16",
    };
    println!("The table is in {}", table.keep(&format!("{form}{versions}")).display());
    if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Drills one way, once there is a place for it; gives each row as soon as it is known, with the version of Asterisk.
async fn drill(
    way: Way,
    size: Size,
    troubles: Vec<Trouble>,
    places: Arc<Semaphore>,
    rows: mpsc::UnboundedSender<(String, Row)>,
) {
    let _place = places.acquire().await.expect("places");
    let mut stage = Stage::start(way, size).await;
    let version = stage.asterisk.version();
    for trouble in troubles {
        let row = stage.drill(trouble).await;
        drop(rows.send((version.clone(), row)));
    }
}
