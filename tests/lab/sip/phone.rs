//! The operator's phone.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::calls::{Calls, listen};
use super::leg::Leg;
use super::message::{Message, Start, Writer};
use super::ring::{Ring, RingState};
use super::trace::{Heard, Trace};

/// What the phone does with an INVITE, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 486 as soon as the INVITE is in: the shortest of calls, for timings and for load.
    Decline486,
    /// 180, then it rings until the caller gives up (or the test does something about it).
    Ring180,
    /// 180 and 200 at once.
    Answer200,
    /// 100 only: what comes next is the test's [`Ring::ring`], [`Ring::answer`], [`Ring::decline`].
    Manual,
}

/// A phone on a UDP socket of its own; hundreds of calls at a time. It rings for whoever finds it,
/// and does not register. Gone when dropped.
pub(crate) struct Phone {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

pub(super) struct Shared {
    /// Answers from anywhere, without waiting.
    out: UdpSocket,
    local: SocketAddr,
    /// Takes the media that is sent to us, and is never read.
    media: UdpSocket,
    state: Mutex<State>,
    /// Rings when there is something new to take.
    arrived: Notify,
    trace: Trace,
    heard: Heard,
}

struct State {
    behaviour: Behaviour,
    /// P-Asserted-Identity of the responses.
    asserted: Option<&'static str>,
    legs: Calls<Leg>,
    /// Rings that no test has taken yet, oldest first.
    waiting: VecDeque<Ring>,
    rings: usize,
    repeated: usize,
    stray: Vec<Vec<u8>>,
}

impl Phone {
    /// A phone on a free port of 127.0.0.1.
    pub(crate) async fn bind(behaviour: Behaviour) -> io::Result<Self> {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?.into_std()?;
        let shared = Arc::new(Shared {
            out: socket.try_clone()?,
            local: socket.local_addr()?,
            media: UdpSocket::bind("127.0.0.1:0")?,
            state: Mutex::new(State::new(behaviour)),
            arrived: Notify::new(),
            trace: Trace::default(),
            heard: Heard::default(),
        });
        let (hearing, ticking) = (shared.clone(), shared.clone());
        let task = tokio::spawn(listen(
            tokio::net::UdpSocket::from_std(socket)?,
            move |datagram, peer, now| hearing.on_datagram(datagram, peer, now),
            move |now| ticking.on_tick(now),
        ));
        Ok(Self { shared, task })
    }

    /// What `Dial()` wants behind `PJSIP/operator/`.
    pub(crate) fn uri(&self) -> String {
        format!("sip:operator@{}", self.shared.local)
    }

    /// Where the phone listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// From the next INVITE on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
    }

    /// From the next INVITE on, its responses say this as P-Asserted-Identity: a provider's name for the person called.
    pub(crate) fn asserts(&self, identity: Option<&'static str>) {
        self.shared.state().asserted = identity;
    }

    /// All messages that have come.
    pub(crate) fn heard(&self) -> Vec<Message> {
        self.shared.heard.all()
    }

    /// The oldest ring that was not taken yet. `None`: there was none within `wait`.
    pub(crate) async fn next_ring(&self, wait: Duration) -> Option<Ring> {
        self.ring_where(wait, |_| true).await
    }

    /// The ring of one caller, by the number the phone shows or by the user part Asterisk dialled;
    /// others stay to be taken.
    pub(crate) async fn ring_of(&self, user: &str, wait: Duration) -> Option<Ring> {
        self.ring_where(wait, |ring| ring.number() == user || ring.dialled == user).await
    }

    /// The oldest ring that `wanted` accepts; others stay to be taken.
    pub(crate) async fn ring_where(&self, wait: Duration, wanted: impl Fn(&Ring) -> bool) -> Option<Ring> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let arrived = self.shared.arrived.notified();
            tokio::pin!(arrived);
            // Before looking: else a ring between the look and the wait would go unnoticed.
            arrived.as_mut().enable();
            if let Some(ring) = self.shared.state().take(&wanted) {
                return Some(ring);
            }
            tokio::time::timeout_at(deadline, arrived).await.ok()?;
        }
    }

    /// How many INVITEs came in all, repetitions aside.
    pub(crate) fn rings(&self) -> usize {
        self.shared.state().rings
    }

    /// How many INVITEs were repetitions of one that had come: more than a few spoil a timing.
    pub(crate) fn repeated(&self) -> usize {
        self.shared.state().repeated
    }

    /// Datagrams that could not be read as a request with a Call-ID: a name that broke out of its
    /// header shows here.
    pub(crate) fn stray(&self) -> Vec<Vec<u8>> {
        self.shared.state().stray.clone()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.trace.print_on_panic("phone");
    }
}

impl Shared {
    pub(super) fn ring(&self, call_id: &str) {
        self.with(call_id, |leg, _| leg.ring());
    }

    pub(super) fn progress(&self, call_id: &str) {
        let media = self.media_port();
        self.with(call_id, |leg, _| leg.progress(media));
    }

    pub(super) fn heard(&self, call_id: &str) -> Vec<Message> {
        self.heard.of(call_id)
    }

    pub(super) fn decline(&self, call_id: &str) {
        self.with(call_id, |leg, now| leg.refuse(486, RingState::Declined, now));
    }

    pub(super) fn answer(&self, call_id: &str) {
        let media = self.media_port();
        self.with(call_id, |leg, now| leg.answer(media, now));
    }

    pub(super) fn hang_up(&self, call_id: &str) {
        self.with(call_id, Leg::hang_up);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn media_port(&self) -> u16 {
        self.media.local_addr().map_or(9, |address| address.port())
    }

    /// A datagram that the kernel does not take is a lost one: it will be repeated.
    fn send(&self, datagram: &[u8], peer: SocketAddr) {
        let _ = self.out.send_to(datagram, peer);
        self.trace.sent(datagram);
    }

    fn on_datagram(self: &Arc<Self>, datagram: &[u8], peer: SocketAddr, now: Instant) {
        // PJSIP keeps connections alive with datagrams that are nothing but line breaks.
        if datagram.trim_ascii().is_empty() {
            return;
        }
        self.trace.received(datagram);
        let message = Message::parse(datagram).filter(|found| found.header("Call-ID").is_some());
        let Some(message) = message else {
            self.state().stray.push(datagram.to_vec());
            return;
        };
        self.heard.keep(&message);
        let call_id = message.text("Call-ID");
        let method = match &message.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { status } => {
                self.with(&call_id, |leg, now| leg.on_response(*status, now));
                return;
            }
        };
        match method.as_str() {
            "INVITE" => self.on_invite(datagram, &message, peer, now),
            "ACK" => self.with(&call_id, Leg::on_ack),
            "CANCEL" | "BYE" if self.state().legs.get(&call_id).is_some() => {
                self.with(&call_id, |leg, now| leg.on_end(&message, &method, now));
            }
            "CANCEL" | "BYE" => self.reply(&message, peer, 481, "Call Does Not Exist"),
            _ => self.reply(&message, peer, 200, "OK"),
        }
    }

    fn on_invite(self: &Arc<Self>, datagram: &[u8], message: &Message, peer: SocketAddr, now: Instant) {
        let call_id = message.text("Call-ID");
        let media = self.media_port();
        let mut state = self.state();
        if let Some(leg) = state.legs.get(&call_id) {
            let is_known = leg.has_seen(message);
            state.repeated += usize::from(is_known);
            drop(state);
            self.with(&call_id, |leg, now| leg.on_further_invite(message, media, now));
            return;
        }
        let leg = Leg::new(message.clone(), peer, self.local, state.asserted);
        let ring = Ring::new((datagram, peer, now), message.clone(), self.clone(), leg.watch());
        let behaviour = state.behaviour;
        state.legs.add(&call_id, leg);
        drop(state);
        // The caller's clock is running: answer first, tell the test afterwards.
        self.with(&call_id, |leg, now| match behaviour {
            Behaviour::Decline486 => leg.refuse(486, RingState::Declined, now),
            Behaviour::Ring180 => leg.ring(),
            Behaviour::Answer200 => {
                let mut datagrams = leg.ring();
                datagrams.extend(leg.answer(media, now));
                datagrams
            }
            Behaviour::Manual => leg.trying(),
        });
        let mut state = self.state();
        state.rings += 1;
        state.waiting.push_back(ring);
        drop(state);
        self.arrived.notify_waiters();
    }

    fn reply(&self, request: &Message, peer: SocketAddr, status: u16, reason: &str) {
        self.send(&Writer::response(request, status, reason, Some("phone")).finish(), peer);
    }

    fn on_tick(&self, now: Instant) {
        while self.state().legs.wake_next(now, |leg, datagram| self.send(datagram, leg.peer())) {}
    }

    fn with(&self, call_id: &str, act: impl FnOnce(&mut Leg, Instant) -> Vec<Vec<u8>>) {
        self.state().legs.with(call_id, act, |leg, datagram| self.send(datagram, leg.peer()));
    }
}

impl State {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            asserted: None,
            legs: Calls::default(),
            waiting: VecDeque::new(),
            rings: 0,
            repeated: 0,
            stray: Vec::new(),
        }
    }

    fn take(&mut self, wanted: impl Fn(&Ring) -> bool) -> Option<Ring> {
        let at = self.waiting.iter().position(wanted)?;
        self.waiting.remove(at)
    }
}
