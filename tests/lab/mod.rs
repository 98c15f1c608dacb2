//! The lab: everything real that a promise is proved on, and the one stand-in.
//!
//! - [`asterisk`]: a real Asterisk, private, on loopback
//! - [`sip`]: a caller and an operator's phone, for precise checks
//! - [`baresip`]: a real softphone
//! - [`superoffice`]: the stand-in of SuperOffice's server
//! - [`people`]: who is in it
//! - [`nameplate`]: the program under test
//! - [`configuration`]: what it is configured with
//! - [`web`]: a client of its web server
//! - [`machine`]: rights, ports, what is installed, what killed tests have left
//! - [`way`]: ARI and FastAGI, on the versions of Asterisk that are met
//! - [`freepbx`]: what a FreePBX has around our lines
//! - [`certificate`], [`tls`]: for a PBX, and a CRM, that speak TLS
//! - [`network`]: a path to the PBX that can be cut
//! - [`call`]: all of it wired together
//! - [`comparison`]: how much longer a call takes than one without us
//! - [`proxy`], [`disk`]: what can be cut, what can be full
//! - [`muffler`]: what makes a new Asterisk an older one
//! - [`uptime`]: when the service was up
//! - [`fate`]: what became of calls meanwhile

pub mod asterisk;
pub mod baresip;
pub mod call;
pub mod certificate;
pub mod comparison;
pub mod configuration;
pub mod disk;
pub mod fate;
pub mod freepbx;
pub mod machine;
pub mod muffler;
pub mod nameplate;
pub mod network;
pub mod people;
pub mod proxy;
pub mod sip;
pub mod superoffice;
pub mod tls;
pub mod uptime;
pub mod way;
pub mod web;
