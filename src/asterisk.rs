//! The talk with Asterisk.
//!
//! - [`ari`]: calls that enter our Stasis application, over the events websocket
//! - [`link`]: how each PBX is connected, for whoever asks how the service is

pub mod ari;
pub mod link;
