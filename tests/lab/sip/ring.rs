//! A call as the phone saw it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::message::{Address, Message};
use super::phone::Shared;

/// An INVITE that reached the phone, once, however often it was repeated.
pub(crate) struct Ring {
    /// When its datagram was read.
    pub received: Instant,
    /// Who sent it.
    pub peer: SocketAddr,
    /// From: the name and the number that a phone shows.
    pub from: Address,
    /// The user part of To.
    pub to_user: String,
    /// The user part of the request URI: what Asterisk dialled.
    pub dialled: String,
    /// Asterisk's leg; the caller's leg has another.
    pub call_id: String,
    /// The whole INVITE.
    pub message: Message,
    /// The INVITE byte for byte, for hostile names: what was injected shows here.
    pub datagram: Vec<u8>,
    pub(super) shared: Arc<Shared>,
    pub(super) state: watch::Receiver<RingState>,
}

/// What became of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingState {
    /// The phone rings (or has not answered at all yet).
    Ringing,
    /// The caller hung up first: 487.
    Cancelled,
    /// The phone declined: 486.
    Declined,
    /// Picked up: 200.
    Answered,
    /// Answered, and hung up by either side.
    Ended,
}

impl Ring {
    pub(super) fn new(
        (datagram, peer, received): (&[u8], SocketAddr, Instant),
        message: Message,
        shared: Arc<Shared>,
        state: watch::Receiver<RingState>,
    ) -> Self {
        let user = |name| message.address(name).unwrap_or_default().user;
        Self {
            received,
            peer,
            from: message.address("From").unwrap_or_default(),
            to_user: user("To"),
            dialled: message.dialled(),
            call_id: message.text("Call-ID"),
            datagram: datagram.to_vec(),
            message,
            shared,
            state,
        }
    }

    /// The name that the phone shows, "" where From has none.
    pub(crate) fn name(&self) -> &str {
        self.from.display.as_deref().unwrap_or_default()
    }

    /// The number that the phone shows.
    pub(crate) fn number(&self) -> &str {
        &self.from.user
    }

    /// P-Asserted-Identity as it travelled.
    pub(crate) fn asserted_identity(&self) -> Option<String> {
        self.message.asserted_identity()
    }

    /// All messages of this call that came after the INVITE.
    pub(crate) fn heard(&self) -> Vec<Message> {
        self.shared.heard(&self.call_id).into_iter().skip(1).collect()
    }

    /// What became of it so far.
    pub(crate) fn state(&self) -> RingState {
        *self.state.borrow()
    }

    /// Waits until the ring has come to `state`; false when it has not within `wait`.
    pub(crate) async fn until(&self, state: RingState, wait: Duration) -> bool {
        let mut states = self.state.clone();
        let reached = states.wait_for(|now| *now == state);
        matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_)))
    }

    /// 180: lets the caller hear that it rings.
    pub(crate) fn ring(&self) {
        self.shared.ring(&self.call_id);
    }

    /// 183, with media: the caller hears the far end before it answers.
    pub(crate) fn progress(&self) {
        self.shared.progress(&self.call_id);
    }

    /// 486: rejects the call. Nothing happens when it is answered or over.
    pub(crate) fn decline(&self) {
        self.shared.decline(&self.call_id);
    }

    /// 200: picks up. Nothing happens when it is over.
    pub(crate) fn answer(&self) {
        self.shared.answer(&self.call_id);
    }

    /// BYE: hangs up what was answered.
    pub(crate) fn hang_up(&self) {
        self.shared.hang_up(&self.call_id);
    }
}
