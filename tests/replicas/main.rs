//! `make demo-replicas` and `make chaos`: replicas of the real program, around one SuperOffice and three Redis servers with three sentinels.
//!
//! - `demo` ([`demo`]): three replicas, a kill, a failover; a table of what each knew and when. Two minutes.
//! - `chaos [MINUTES]` ([`chaos`]): eight replicas, two of them with a real Asterisk and calls all the time. One trouble after the other.
//!
//! Each ends with status 1 where something is not as it has to be. Without a word nothing is run.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod chaos;
mod demo;
#[path = "../lab/mod.rs"]
mod lab;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_good = match words.first().map(String::as_str) {
        Some("demo") => demo::run().await,
        Some("chaos") => chaos::run(words.get(1).and_then(|minutes| minutes.parse().ok())).await,
        _ => {
            println!("replicas: `make demo-replicas` and `make chaos` run it");
            true
        }
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
