//! The talk with Asterisk.
//!
//! - [`ari`]: calls that enter our Stasis application, over the events websocket
//! - [`agi`]: calls that enter `AGI(agi://…)`, over a connection of their own
//! - [`link`]: how each PBX is connected, for whoever asks how the service is
//! - `report`: what may happen at every call, and is not logged at every call; the web server's too

pub mod agi;
pub mod ari;
pub mod link;
pub(crate) mod report;
