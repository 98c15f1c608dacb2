//! What nameplate promises to its users; each file is a promise, proved on a real Asterisk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What one promise does not use of the lab, another does.
#![allow(dead_code)]

mod lab;

mod call_rings_with_name;

mod numbers_are_read_as_google_does;
