//! Nameplate puts a name on every incoming phone call: it keeps the caller ids of SuperOffice CRM and of CSV
//! files in memory, and when Asterisk says who is calling it answers with the person's and company's name.
//!
//! A call's way, from its event to its name; nothing on it waits for anything but Asterisk:
//!
//! - [`asterisk`]: a call enters our application, one request sends it on with its name
//! - [`call`]: a caller → an answer, for every way in, and the words in which a dialplan gets it
//! - [`resolver`]: the caller's digits → the name, and why
//! - [`number`]: what digits mean: a country, a national number
//! - [`directory`]: who answers to a number; immutable, swapped whole
//! - [`name`]: what a phone shows
//!
//! In the background:
//!
//! - [`source`]: SuperOffice, CSV files
//! - [`refresh`]: keeps the directory fresh
//! - [`search`]: whom no list knows
//! - [`entry`]: one record, as every source delivers it
//!
//! Around it:
//!
//! - [`web`]: lookups over HTTP, health, metrics
//! - [`cli`]: arguments in, exit status out
//! - [`config`]: the TOML file
//! - [`control`]: how commands ask the running service
//! - [`serve`]: what is started, wired and stopped
//! - [`listen`]: ports, each taken as soon as it can be had
//! - [`files`]: as many as the service may need
//! - [`supervisor`]: what the running service consists of, each part watched
//! - [`observe`]: logging, masking, metrics, throttled warnings, panics
//! - [`backoff`], [`secret`], [`tls`]: small, used by all
//!
//! Errors: what keeps a command or the service from starting is an [`anyhow::Error`] that reaches the user;
//! what can go wrong at run time has an enum of its own where it happens, with words for an administrator.

pub mod asterisk;
pub mod backoff;
pub mod call;
pub mod cli;
pub mod config;
pub mod control;
pub mod directory;
pub mod entry;
pub mod files;
pub mod listen;
pub mod name;
pub mod number;
pub mod observe;
pub mod refresh;
pub mod resolver;
pub mod search;
pub mod secret;
pub mod serve;
pub mod source;
pub mod supervisor;
pub mod tls;
pub mod web;
