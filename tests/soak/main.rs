//! `make soak`: what only shows after a long time.
//!
//! - `calls [COUNT]` ([`calls`]): 200,000 calls on a real Asterisk, by ARI and FastAGI in turn. The service takes no more memory, files
//!   and threads at the end than after a warm-up.
//! - `year` ([`year`]): a year of refreshes, logins and changed records, on a clock that is a thousand times as fast, with clocks that
//!   are set wrong, daylight saving and a leap day.
//!
//! Each ends with status 1 where something is not as expected. Without a word nothing is run: both take long.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod calls;
#[path = "../lab/mod.rs"]
mod lab;
mod year;

fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    match words.first().map(String::as_str) {
        Some("calls") => calls::run(words.get(1).and_then(|count| count.parse().ok())),
        Some("year") => year::run(),
        _ => println!("soak: `make soak` runs it"),
    }
}
