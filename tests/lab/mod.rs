//! The lab: everything real that a promise is proved on, and the one stand-in.
//!
//! - [`another_date`]: a server whose clock is wrong
//! - [`asterisk`]: a real Asterisk, private, on loopback
//! - [`sip`]: a caller and an operator's phone, for precise checks
//! - [`baresip`]: a real softphone
//! - [`superoffice`]: the stand-in of SuperOffice's server
//! - [`people`]: who is in it
//! - [`nameplate`]: the program under test; [`terminal`]: a terminal that it asks questions on
//! - [`configuration`]: what it is configured with
//! - [`web`]: a client of its web server; [`stream`]: an open page without a browser; [`browser`]: a real one; [`visitor`]: who is in front of it
//! - [`machine`]: rights, ports, what is installed, what killed tests have left
//! - [`way`]: ARI and FastAGI, on the versions of Asterisk that are met
//! - [`freepbx`]: what a FreePBX has around our lines
//! - [`certificate`], [`tls`]: for a PBX, and a CRM, that speak TLS
//! - [`network`]: a path to the PBX that can be cut
//! - [`call`]: all of it wired together
//! - [`comparison`]: how much longer a call takes than one without us
//! - [`proxy`], [`disk`]: what can be cut, what can be full
//! - [`muffler`]: what makes a new Asterisk an older one
//! - [`systemd`]: a Debian with a real systemd, for the package and its unit; [`package`]: the package
//! - [`redis`]: a real Redis or Valkey, alone or with sentinels; [`line`]: a line to it that stops where a test wants
//! - [`site`]: replicas around it, with calls, while a test makes trouble
//! - [`uptime`]: when the service was up
//! - [`fate`]: what became of calls meanwhile

pub(crate) mod another_date;
pub(crate) mod asterisk;
pub(crate) mod baresip;
pub(crate) mod browser;
pub(crate) mod call;
pub(crate) mod certificate;
pub(crate) mod comparison;
pub(crate) mod configuration;
pub(crate) mod disk;
pub(crate) mod fate;
pub(crate) mod freepbx;
pub(crate) mod line;
pub(crate) mod machine;
pub(crate) mod muffler;
pub(crate) mod nameplate;
pub(crate) mod network;
pub(crate) mod package;
pub(crate) mod people;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod sip;
pub(crate) mod site;
pub(crate) mod stream;
pub(crate) mod superoffice;
pub(crate) mod systemd;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod uptime;
pub(crate) mod visitor;
pub(crate) mod way;
pub(crate) mod web;
