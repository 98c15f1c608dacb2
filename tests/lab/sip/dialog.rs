//! One call as its caller has to remember it (RFC 3261 §17.1 and §9), without a socket: what comes
//! in goes into a method, what has to be sent comes out as datagrams.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::calls::Timed;
use super::clock::{GIVE_UP, T1, T2};
use super::message::{Address, Message, Writer};

/// Asterisk identifies the endpoint, `trunk` or `desk`, by this header.
pub(crate) const ENDPOINT: &str = "X-Nameplate-Lab";

/// What a caller knows of its call so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The latest 1xx.
    pub provisional: Option<u16>,
    /// The final answer and when it came. 408 is also the caller's own, when nobody answered.
    pub answer: Option<(u16, Instant)>,
    /// When the call was over, for whichever reason.
    pub ended: Option<Instant>,
}

/// What never changes in a dialog's requests.
pub(crate) struct Parts {
    /// The request URI: what was dialled, then what the other side names as its Contact.
    pub uri: Vec<u8>,
    /// From with its tag.
    pub from: Vec<u8>,
    /// To; with the other side's tag as soon as that is known.
    pub to: Vec<u8>,
    /// `host:port` of the caller's socket.
    pub via: String,
    /// Identifies the call.
    pub call_id: String,
    /// The endpoint that Asterisk takes the caller for.
    pub endpoint: &'static str,
    /// The methods that the caller takes.
    pub allow: &'static str,
}

/// A call from its INVITE until nobody can repeat anything of it any more.
pub(crate) struct Dialog {
    parts: Parts,
    branch: String,
    phase: Phase,
    /// The caller wants to be gone, perhaps sooner than the protocol lets it.
    leaving: bool,
    /// The request that is repeated until it is answered.
    pending: Vec<u8>,
    /// Answers each repetition of the final answer.
    ack: Vec<u8>,
    /// How long until the next repetition.
    wait: Duration,
    /// When `pending` is given up.
    deadline: Instant,
    /// When this dialog wants to be woken; `None` while the other side has to move.
    due: Option<Instant>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// INVITE sent, nothing heard.
    Calling,
    /// A 1xx came: the other side has the INVITE.
    Proceeding,
    /// CANCEL sent, the final answer is still to come.
    Cancelling,
    /// 2xx came and is acknowledged.
    Answered,
    /// BYE sent.
    Leaving,
    /// Only repetitions can come now.
    Over,
}

impl Dialog {
    /// A call whose INVITE is about to leave. `more` is written between the standard headers and
    /// the body.
    pub(crate) fn new(parts: Parts, more: &[(String, Vec<u8>)], sdp: &str, now: Instant) -> Self {
        let branch = new_branch();
        let mut invite = parts
            .request("INVITE", 1, &branch)
            .header("Contact", format!("<sip:caller@{}>", parts.via))
            .header("Allow", parts.allow);
        for (name, value) in more {
            invite = invite.header(name, value);
        }
        Self {
            pending: invite.finish_with_sdp(sdp),
            parts,
            branch,
            phase: Phase::Calling,
            leaving: false,
            ack: Vec::new(),
            wait: T1,
            deadline: now + GIVE_UP,
            due: Some(now + T1),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    /// The datagram to send first.
    pub(crate) fn invite(&self) -> &[u8] {
        &self.pending
    }

    /// For whoever holds the call.
    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Asks for a transfer of the answered call to this address. A lost datagram is a failed test.
    pub(crate) fn refer(&self, to: &str) -> Vec<u8> {
        let request = self.parts.request("REFER", 2, &new_branch());
        request
            .header("Contact", format!("<sip:caller@{}>", self.parts.via))
            .header("Refer-To", format!("<{to}>"))
            .finish()
    }

    /// This call, as another one's `Replaces` names it (RFC 3891).
    pub(crate) fn as_replaced(&self) -> String {
        let tag = |value: &[u8]| Address::parse(value).tag.unwrap_or_default();
        let (to, from) = (tag(&self.parts.to), tag(&self.parts.from));
        format!("{}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}", self.parts.call_id)
    }

    /// The other side answered one of our requests.
    pub(crate) fn on_response(&mut self, response: &Message, status: u16, now: Instant) -> Vec<Vec<u8>> {
        match response.cseq().1.as_str() {
            "INVITE" if status < 200 => self.on_provisional(status, now),
            "INVITE" => self.on_final(response, status, now),
            // The CANCEL has arrived. Its INVITE's own answer is still to come, within the deadline.
            "CANCEL" if status >= 200 && self.phase == Phase::Cancelling => {
                self.due = Some(self.deadline);
                Vec::new()
            }
            "BYE" if status >= 200 => self.over(now),
            _ => Vec::new(),
        }
    }

    /// The other side hung up.
    pub(crate) fn on_bye(&mut self, bye: &Message, now: Instant) -> Vec<Vec<u8>> {
        self.over(now);
        vec![Writer::response(bye, 200, "OK", None).finish()]
    }

    /// Hang up, whichever way the call's state asks for: CANCEL or BYE, now or as soon as allowed.
    pub(crate) fn leave(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.leaving = true;
        match self.phase {
            Phase::Proceeding => {
                self.phase = Phase::Cancelling;
                let cancel = self.parts.request("CANCEL", 1, &self.branch).finish();
                self.insist(cancel, now)
            }
            Phase::Answered => {
                self.phase = Phase::Leaving;
                let bye = self.parts.request("BYE", 3, &new_branch()).finish();
                self.insist(bye, now)
            }
            // RFC 3261 §9.1: no CANCEL before a 1xx, it could overtake its INVITE.
            Phase::Calling | Phase::Cancelling | Phase::Leaving | Phase::Over => Vec::new(),
        }
    }

    fn on_provisional(&mut self, status: u16, now: Instant) -> Vec<Vec<u8>> {
        self.progress.send_modify(|progress| progress.provisional = Some(status));
        if self.phase != Phase::Calling {
            return Vec::new();
        }
        self.phase = Phase::Proceeding;
        self.due = None;
        if self.leaving { self.leave(now) } else { Vec::new() }
    }

    fn on_final(&mut self, response: &Message, status: u16, now: Instant) -> Vec<Vec<u8>> {
        if self.ack.is_empty() {
            self.parts.to = response.header("To").unwrap_or(&self.parts.to).to_vec();
            if status < 300 {
                self.parts.uri = response
                    .address("Contact")
                    .map_or_else(|| self.parts.uri.clone(), |contact| contact.uri.into_bytes());
            }
            // RFC 3261 §17.1.1.3: the ACK of a refusal belongs to the INVITE's own transaction.
            let branch = if status < 300 { new_branch() } else { self.branch.clone() };
            self.ack = self.parts.request("ACK", 1, &branch).finish();
        }
        let mut out = vec![self.ack.clone()];
        let is_first = matches!(self.phase, Phase::Calling | Phase::Proceeding | Phase::Cancelling);
        if !is_first {
            return out;
        }
        self.set_answer(status, now);
        if status >= 300 {
            self.over(now);
            return out;
        }
        self.phase = Phase::Answered;
        self.due = None;
        if self.leaving {
            // Answered in the moment of the CANCEL.
            out.extend(self.leave(now));
        }
        out
    }

    fn insist(&mut self, request: Vec<u8>, now: Instant) -> Vec<Vec<u8>> {
        self.pending = request;
        self.wait = T1;
        self.due = Some(now + T1);
        self.deadline = now + GIVE_UP;
        vec![self.pending.clone()]
    }

    fn set_answer(&self, status: u16, now: Instant) {
        self.progress.send_modify(|progress| {
            progress.answer.get_or_insert((status, now));
        });
    }

    fn over(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.due = Some(now + GIVE_UP);
            self.progress.send_modify(|progress| progress.ended = Some(now));
        }
        Vec::new()
    }
}

impl Timed for Dialog {
    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn wake(&mut self, now: Instant) -> Option<Vec<Vec<u8>>> {
        if self.phase == Phase::Over {
            return None;
        }
        if now >= self.deadline {
            self.set_answer(408, now);
            return Some(self.over(now));
        }
        self.wait *= 2;
        if self.phase != Phase::Calling {
            self.wait = self.wait.min(T2);
        }
        self.due = Some((now + self.wait).min(self.deadline));
        Some(vec![self.pending.clone()])
    }
}

impl Parts {
    fn request(&self, method: &str, number: u32, branch: &str) -> Writer {
        Writer::request(method, &self.uri)
            .header("Via", format!("SIP/2.0/UDP {};rport;branch={branch}", self.via))
            .header("Max-Forwards", "70")
            .header("From", &self.from)
            .header("To", &self.to)
            .header("Call-ID", &self.call_id)
            .header("CSeq", format!("{number} {method}"))
            .header(ENDPOINT, self.endpoint)
    }
}

/// The cookie says that the branch is unique (RFC 3261 §8.1.1.7).
fn new_branch() -> String {
    format!("z9hG4bK{:016x}", fastrand::u64(..))
}
