//! Tries any bytes as numbers as the CRM holds them.
#![no_main]

#[path = "../oracles.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::crm_number(data));
