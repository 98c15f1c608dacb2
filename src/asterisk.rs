//! The protocols that Asterisk speaks with us.
//!
//! - [`ari`]: calls that enter our Stasis application, announced on the events websocket
//! - [`agi`]: calls that enter `AGI(agi://…)`, each over a connection of its own
//! - [`pbx_status`]: how each PBX is connected

pub mod agi;
pub mod ari;
pub mod pbx_status;
