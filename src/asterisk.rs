//! The talk with Asterisk.
//!
//! - [`ari`]: calls that enter our Stasis application, over the events websocket

pub mod ari;
