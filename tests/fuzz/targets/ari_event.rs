//! Tries any bytes as what stands in ARI's events.
#![no_main]

#[path = "../oracles.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::ari_event(data));
