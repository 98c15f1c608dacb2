//! A caller and a phone of our own: two UDP sockets that speak just enough SIP (RFC 3261) to place
//! a call and to ring for it.
//!
//! A SIP stack would hide what these checks are about. Here the test owns every byte the caller
//! sends (hostile names included), sees every byte that reaches the phone, and both ends note the
//! instant at the socket, so INVITE to INVITE is Asterisk's share and nothing else's.
//!
//! In reading order:
//! - [`message`]: a message read from a datagram, and written to one;
//! - [`clock`]: retransmission, because a datagram lost under load must not fail a test;
//! - [`calls`]: the calls of one endpoint, each woken in its time;
//! - [`caller`]: places calls; identified by Asterisk as the trunk;
//! - [`dialog`]: what a caller has to remember of one call, as bytes ready to be sent;
//! - [`phone`]: the operator's phone, and the [`Ring`]s a test takes from it;
//! - [`leg`]: what a phone has to remember of one call;
//! - [`ring`]: one call as the phone saw it;
//! - [`trace`]: the latest messages of an endpoint, printed when a test fails;
//! - [`load`]: many calls at a steady rate, with the time each took from INVITE to INVITE.

pub(crate) mod caller;
pub(crate) mod calls;
pub(crate) mod clock;
pub(crate) mod dialog;
pub(crate) mod leg;
pub(crate) mod load;
pub(crate) mod message;
pub(crate) mod phone;
pub(crate) mod ring;
pub(crate) mod trace;

mod checks;

pub(crate) use caller::{Call, Caller, Invite};
pub(crate) use load::Load;
pub(crate) use message::{Address, Message};
pub(crate) use phone::{Behaviour, Phone};
pub(crate) use ring::{Ring, RingState};
