//! Replicas: the services of one site share the lists of their CRM through a Valkey or a Redis, the *server*. One of them, the holder of
//! the lease, asks the CRM and publishes; the others take its lists. Each answers its calls from its own memory and disk, with
//! the server or without.
//!
//! - [`settings`]: the section `[share]`
//! - [`lease`]: which replica asks the CRM, and until when it may publish; a machine without I/O
//! - [`version`]: the order of published lists
//! - [`manifest`]: what the server has of a list; [`pack`]: its bytes as chunks; [`seal`]: the key
//! - [`scripts`]: the keys in the server, and what changes them; [`server`]: the requests; [`inspection`]: those of `nameplate check`;
//!   [`connector`]: the way there; [`error`]: what may be wrong with it
//! - [`held`]: a list that the holder holds back, at the others; [`forgotten`]: the numbers of `nameplate forget`; a machine without I/O
//! - [`life`]: the replicas' signs of life; [`format`](mod@format): the formats that all of them read
//! - [`slot`]: one list: where the next one comes from, what is to be published; a machine without I/O; [`view`]: what is known of the server
//! - [`replica`]: this service as one of the replicas; [`list`]: one shared list for its schedule; [`session`]: the connection;
//!   [`said`]: what the log has of it
//! - [`searches`]: the results of searches for strangers
//! - [`leftovers`]: chunks that no list needs any more
//! - [`memory`]: what a replica has to know after a restart

pub mod connector;
pub mod error;
pub mod forgotten;
pub mod format;
pub mod held;
pub mod inspection;
pub mod lease;
pub mod leftovers;
pub mod life;
pub mod list;
pub mod manifest;
pub mod memory;
pub mod pack;
pub mod replica;
pub mod said;
pub mod scripts;
pub mod seal;
pub mod searches;
pub mod server;
pub mod session;
pub mod settings;
pub mod slot;
pub mod version;
pub mod view;

pub use settings::{Servers, Settings};
