//! One call as its phone has to remember it (RFC 3261 §17.2), without a socket: what comes in goes
//! into a method, what has to be sent comes out as datagrams.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::calls::Timed;
use super::clock::{GIVE_UP, T1, T2};
use super::message::{Message, Writer, sdp};
use super::ring::RingState;

/// A call from its INVITE until nobody can repeat anything of it any more.
pub(crate) struct Leg {
    invite: Message,
    peer: SocketAddr,
    /// Our end of the dialog.
    tag: String,
    contact: String,
    /// The latest answer to the INVITE, for its repetitions.
    answer: Vec<u8>,
    /// P-Asserted-Identity of the responses.
    asserted: Option<&'static str>,
    /// What is repeated until the other side has confirmed it: a final answer, or our BYE.
    unconfirmed: Option<Vec<u8>>,
    wait: Duration,
    /// When this leg is given up, or forgotten.
    deadline: Option<Instant>,
    due: Option<Instant>,
    state: watch::Sender<RingState>,
}

impl Leg {
    /// A call that has just come in.
    pub(crate) fn new(
        invite: Message,
        peer: SocketAddr,
        local: SocketAddr,
        asserted: Option<&'static str>,
    ) -> Self {
        Self {
            invite,
            peer,
            tag: format!("{:016x}", fastrand::u64(..)),
            contact: format!("<sip:operator@{local}>"),
            answer: Vec::new(),
            asserted,
            unconfirmed: None,
            wait: T1,
            deadline: None,
            due: None,
            state: watch::Sender::new(RingState::Ringing),
        }
    }

    /// Where it came from, and where the answers go.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// For whoever holds the ring.
    pub(crate) fn watch(&self) -> watch::Receiver<RingState> {
        self.state.subscribe()
    }

    /// 100.
    pub(crate) fn trying(&mut self) -> Vec<Vec<u8>> {
        self.answer = Writer::response(&self.invite, 100, "Trying", None).finish();
        vec![self.answer.clone()]
    }

    /// 180.
    pub(crate) fn ring(&mut self) -> Vec<Vec<u8>> {
        if !self.is_ringing() {
            return Vec::new();
        }
        self.answer = self.response(180, "Ringing").finish();
        vec![self.answer.clone()]
    }

    /// 183, with media on `port`.
    pub(crate) fn progress(&mut self, port: u16) -> Vec<Vec<u8>> {
        if !self.is_ringing() {
            return Vec::new();
        }
        self.answer = self.response(183, "Session Progress").finish_with_sdp(&sdp(port));
        vec![self.answer.clone()]
    }

    /// A refusal, whoever is the reason for it.
    pub(crate) fn refuse(&mut self, status: u16, because: RingState, now: Instant) -> Vec<Vec<u8>> {
        if !self.is_ringing() {
            return Vec::new();
        }
        let reason = if status == 487 { "Request Terminated" } else { "Busy Here" };
        self.answer = self.response(status, reason).finish();
        self.state.send_replace(because);
        self.insist(self.answer.clone(), now)
    }

    /// 200, with media on `port`.
    pub(crate) fn answer(&mut self, port: u16, now: Instant) -> Vec<Vec<u8>> {
        if !self.is_ringing() {
            return Vec::new();
        }
        self.answer = self.response(200, "OK").finish_with_sdp(&sdp(port));
        self.state.send_replace(RingState::Answered);
        self.insist(self.answer.clone(), now)
    }

    /// BYE from our side.
    pub(crate) fn hang_up(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if *self.state.borrow() != RingState::Answered {
            return Vec::new();
        }
        self.state.send_replace(RingState::Ended);
        let target = self.invite.address("Contact").unwrap_or_default().uri;
        let mut from = self.invite.header("To").unwrap_or_default().to_vec();
        from.extend_from_slice(format!(";tag={}", self.tag).as_bytes());
        let branch = format!("z9hG4bK{:016x}", fastrand::u64(..));
        let via = self.contact.trim_start_matches("<sip:operator@").trim_end_matches('>');
        let bye = Writer::request("BYE", target.as_bytes())
            .header("Via", format!("SIP/2.0/UDP {via};rport;branch={branch}"))
            .header("Max-Forwards", "70")
            .header("From", from)
            .header("To", self.invite.header("From").unwrap_or_default())
            .header("Call-ID", self.invite.header("Call-ID").unwrap_or_default())
            .header("CSeq", "1 BYE");
        self.insist(bye.finish(), now)
    }

    /// True for the INVITE this leg began with, repeated.
    pub(crate) fn has_seen(&self, invite: &Message) -> bool {
        invite.cseq() == self.invite.cseq()
    }

    /// Another INVITE of this call: a repetition, or one that renews the media.
    pub(crate) fn on_further_invite(&mut self, invite: &Message, port: u16, now: Instant) -> Vec<Vec<u8>> {
        if self.has_seen(invite) {
            return vec![self.answer.clone()];
        }
        let ok = Writer::response(invite, 200, "OK", Some(&self.tag))
            .header("Contact", &self.contact)
            .finish_with_sdp(&sdp(port));
        self.insist(ok, now)
    }

    /// The other side has our final answer.
    pub(crate) fn on_ack(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if matches!(*self.state.borrow(), RingState::Answered) {
            (self.unconfirmed, self.due) = (None, None);
            return Vec::new();
        }
        self.linger(now)
    }

    /// The other side answered our BYE.
    pub(crate) fn on_response(&mut self, status: u16, now: Instant) -> Vec<Vec<u8>> {
        if status >= 200 && *self.state.borrow() == RingState::Ended {
            return self.linger(now);
        }
        Vec::new()
    }

    /// CANCEL or BYE from the other side.
    pub(crate) fn on_end(&mut self, request: &Message, method: &str, now: Instant) -> Vec<Vec<u8>> {
        let mut datagrams = vec![Writer::response(request, 200, "OK", Some(&self.tag)).finish()];
        if method == "CANCEL" {
            datagrams.extend(self.refuse(487, RingState::Cancelled, now));
            return datagrams;
        }
        self.state.send_if_modified(|state| {
            let is_up = *state == RingState::Answered;
            *state = if is_up { RingState::Ended } else { *state };
            is_up
        });
        self.linger(now);
        datagrams
    }

    fn is_ringing(&self) -> bool {
        *self.state.borrow() == RingState::Ringing
    }

    fn response(&self, status: u16, reason: &str) -> Writer {
        let response = Writer::response(&self.invite, status, reason, Some(&self.tag))
            .header("Contact", &self.contact)
            .header("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS");
        match self.asserted {
            Some(identity) => response.header("P-Asserted-Identity", identity),
            None => response,
        }
    }

    fn insist(&mut self, datagram: Vec<u8>, now: Instant) -> Vec<Vec<u8>> {
        self.unconfirmed = Some(datagram.clone());
        self.wait = T1;
        self.due = Some(now + T1);
        self.deadline = Some(now + GIVE_UP);
        vec![datagram]
    }

    fn linger(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.unconfirmed = None;
        let forget = now + GIVE_UP;
        (self.due, self.deadline) = (Some(forget), Some(forget));
        Vec::new()
    }
}

impl Timed for Leg {
    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn wake(&mut self, now: Instant) -> Option<Vec<Vec<u8>>> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return None;
        }
        self.wait = (self.wait * 2).min(T2);
        self.due = Some(now + self.wait);
        self.unconfirmed.clone().map(|datagram| vec![datagram])
    }
}
