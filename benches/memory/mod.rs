//! The memory of another process, for benchmarks.

use std::fs;

/// A line of the process's status, in MB: `VmRSS`, or `VmHWM` for the peak.
pub(crate) fn of(process: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("status");
    let line = status.lines().find(|found| found.starts_with(line)).expect("the line");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("kB") / 1024
}

/// Lets the peak begin anew.
pub(crate) fn forget_peak(process: u32) {
    fs::write(format!("/proc/{process}/clear_refs"), "5").expect("clear_refs");
}
