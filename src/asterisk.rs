//! The talk with Asterisk.
//!
//! - [`ari`]: calls that enter our Stasis application, over the events websocket
//! - [`agi`]: calls that enter `AGI(agi://…)`, over a connection of their own
//! - [`pbx_status`]: how each PBX is connected, for whoever asks how the service is

pub mod agi;
pub mod ari;
pub mod pbx_status;
