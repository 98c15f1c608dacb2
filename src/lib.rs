//! Nameplate puts a name on every incoming phone call. It keeps the caller ids of SuperOffice CRM and of CSV files in
//! memory. When Asterisk sends a caller's number, Nameplate answers with the name of the person and the company.
//!
//! A call's way, from its event to its name. Nothing on it waits for anything but Asterisk, and a stranger's first call for its
//! search if the administrator wants it:
//!
//! - [`asterisk`]: a call enters our application, and one request sends it on with its name
//! - [`call`]: a caller → an answer, for ARI, FastAGI, HTTP and the command line
//! - [`lookup`]: the caller's digits → the name, with an explanation
//! - [`number`]: digits → a country and a national number
//! - [`directory`]: a number → a person or a company; immutable, replaced as a whole
//! - [`name`]: the text that a phone shows
//!
//! In the background:
//!
//! - [`source`]: SuperOffice, CSV files
//! - [`lists`]: keeps the directory fresh
//! - [`search`]: searches the CRM for callers that no list has
//! - [`share`]: replicas, through a Valkey or a Redis
//! - [`entry`]: one record, as every source delivers it
//!
//! Around it:
//!
//! - [`web`]: lookups over HTTP, health, metrics, pages for people
//! - [`calls`]: the history of calls, for the pages
//! - [`find`]: searches by name, company or digits, for the pages
//! - [`cli`]: the command line
//! - [`config`]: the TOML file
//! - [`control`]: how commands ask the running service
//! - [`check`]: looks whether calls will have names, and says what is wrong
//! - [`serve`]: starts, connects and stops all of it, and takes another configuration while it runs
//! - [`reload`]: the order to read the configuration again, and the report on it
//! - [`listen`]: ports; a taken port is tried again
//! - [`files`]: the limit of open files
//! - [`supervisor`]: the tasks of the running service
//! - [`systemd`]: ready, a line of status, the watchdog
//! - [`observe`]: logging, masking, metrics, throttled warnings, panics
//! - [`backoff`], `clock`, [`owner`], [`secret`], [`tls`]: small, used by all
//!
//! Errors: an error that stops a command, or the start of the service, is an [`anyhow::Error`] that reaches the user. An
//! error at run time has an enum in its own room, with words for an administrator.

pub mod asterisk;
pub mod backoff;
pub mod call;
pub mod calls;
pub mod check;
pub mod cli;
mod clock;
pub mod config;
pub mod control;
pub mod directory;
pub mod entry;
pub mod files;
pub mod find;
pub mod listen;
pub mod lists;
pub mod lookup;
pub mod name;
pub mod number;
pub mod observe;
pub mod owner;
pub mod reload;
pub mod search;
pub mod secret;
pub mod serve;
pub mod share;
pub mod source;
pub mod supervisor;
pub mod systemd;
pub mod tls;
pub mod web;
