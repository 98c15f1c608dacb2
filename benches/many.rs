//! `nameplate lookup -`: a million numbers through the binary, at a directory of 100,000, beside `cat` and `sort` on
//! the same file. What the start takes, reading the list included, is shown apart, and part of each time.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KNOWN: u32 = 100_000;
const NUMBERS: u32 = 1_000_000;

const CONFIG: &str = r#"state_dir = "state"
[numbers]
country = "NO"
[[source]]
name = "crm"
type = "csv"
path = "crm.csv"
"#;

fn main() {
    // `cargo test --benches` only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let nameplate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
        command.arg("--config").arg(folder.path().join("nameplate.toml")).arg("lookup").args(arguments);
        command
    };
    let numbers = folder.path().join("numbers");
    let one = folder.path().join("one");
    println!("{:<28} {:>8} {:>14}", "a million numbers through", "s", "numbers a second");
    for (what, command, input) in [
        ("nameplate, its start alone", nameplate(&["-"]), &one),
        ("nameplate lookup -", nameplate(&["-"]), &numbers),
        ("nameplate lookup - --json", nameplate(&["-", "--json"]), &numbers),
        ("cat", Command::new("cat"), &numbers),
        ("sort", Command::new("sort"), &numbers),
    ] {
        let took = median(command, input);
        let rate = f64::from(NUMBERS) / took.as_secs_f64();
        let rate = if input == &one { "-".to_owned() } else { format!("{rate:.0}") };
        println!("{what:<28} {:>8.2} {rate:>14}", took.as_secs_f64());
    }
}

/// A list of Norwegian numbers, and a million callers of whom half are in it, in no order.
fn prepare(folder: &Path) {
    let mut random = fastrand::Rng::with_seed(5);
    let known: Vec<u32> = (0..KNOWN).map(|_| random.u32(20_000_000..80_000_000)).collect();
    let mut list = "number,person,company\n".to_owned();
    for (place, number) in known.iter().enumerate() {
        writeln!(list, "{number},Person Number {place},Company {} AS", place / 5).unwrap();
    }
    let mut numbers = String::new();
    for _ in 0..NUMBERS {
        let number = if random.bool() {
            known[random.usize(0..known.len())]
        } else {
            random.u32(20_000_000..80_000_000)
        };
        writeln!(numbers, "{number}").unwrap();
    }
    for (name, text) in
        [("nameplate.toml", CONFIG), ("crm.csv", &list), ("numbers", &numbers), ("one", "1\n")]
    {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// The median of five runs, from the start to the end of the process; the output goes through a pipe.
fn median(mut command: Command, input: &Path) -> Duration {
    let mut took: Vec<_> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let mut process =
                command.stdin(File::open(input).unwrap()).stdout(Stdio::piped()).spawn().unwrap();
            std::io::copy(&mut process.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
            assert!(process.wait().unwrap().success());
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[2]
}
