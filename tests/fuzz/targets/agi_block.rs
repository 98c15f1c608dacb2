//! Tries any bytes as what stands in FastAGI's block.
#![no_main]

#[path = "../oracles.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::agi_block(data));
