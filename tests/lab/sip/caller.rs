//! The outside world: whoever calls, through the trunk.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::calls::{Calls, listen};
use super::dialog::{Dialog, Parts, Progress};
use super::message::{Message, Start, Writer, quoted, sdp};
use super::trace::{Heard, Trace};

/// A call to place. Everything a trunk could send is free to choose; the rest has defaults:
/// `Invite { withheld: true, ..Invite::from("+4722334455") }`.
#[derive(Clone, Debug)]
pub(crate) struct Invite {
    /// The user part of From, byte for byte.
    pub number: Vec<u8>,
    /// The name in From, quoted when it is written; otherwise byte for byte, line breaks included.
    pub display_name: Option<Vec<u8>>,
    /// The extension that is called.
    pub to: String,
    /// RFC 3323 and 3325: From is anonymous, `Privacy: id` is set, and P-Asserted-Identity still
    /// tells the trunk's other end the name and the number.
    pub withheld: bool,
    /// Replaces From's value (all but the tag).
    pub raw_from: Option<Vec<u8>>,
    /// Sent as P-Asserted-Identity as it is, withheld or not.
    pub raw_asserted_identity: Option<Vec<u8>>,
    /// More headers, byte for byte.
    pub extra_headers: Vec<(String, Vec<u8>)>,
    /// The endpoint that Asterisk takes the caller for: `trunk`, or `desk`, an operator's phone.
    pub endpoint: &'static str,
    /// The methods that the caller takes.
    pub allow: &'static str,
}

/// A phone without UPDATE.
const PLAIN: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";

impl Invite {
    /// A caller who presents `number` and no name, to extension 100.
    pub(crate) fn from(number: impl AsRef<[u8]>) -> Self {
        Self {
            number: number.as_ref().to_vec(),
            display_name: None,
            to: "100".to_owned(),
            withheld: false,
            raw_from: None,
            raw_asserted_identity: None,
            extra_headers: Vec::new(),
            endpoint: "trunk",
            allow: PLAIN,
        }
    }

    /// The operator, who dials `number` at the desk.
    pub(crate) fn dialling(number: &str) -> Self {
        Self { endpoint: "desk", ..Self::from("101").named("Operator").to(number) }
    }

    /// The same phone, which takes UPDATE.
    pub(crate) fn with_update(self) -> Self {
        Self { allow: "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE", ..self }
    }

    /// The same caller, presenting a name as well.
    pub(crate) fn named(self, name: impl AsRef<[u8]>) -> Self {
        Self { display_name: Some(name.as_ref().to_vec()), ..self }
    }

    /// The same caller, calling another extension.
    pub(crate) fn to(self, extension: &str) -> Self {
        Self { to: extension.to_owned(), ..self }
    }

    fn identity(&self, host: &str) -> Vec<u8> {
        let mut value = self.display_name.as_deref().map(quoted).unwrap_or_default();
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(b"<sip:");
        value.extend_from_slice(&self.number);
        value.extend_from_slice(format!("@{host}>").as_bytes());
        value
    }

    fn presentation(&self, host: &str, tag: u64) -> Vec<u8> {
        let anonymous = br#""Anonymous" <sip:anonymous@anonymous.invalid>"#;
        let mut value = match &self.raw_from {
            Some(raw) => raw.clone(),
            None if self.withheld => anonymous.to_vec(),
            None => self.identity(host),
        };
        value.extend_from_slice(format!(";tag={tag:016x}").as_bytes());
        value
    }

    fn further_headers(&self, host: &str) -> Vec<(String, Vec<u8>)> {
        let mut headers = Vec::new();
        if self.withheld {
            headers.push(("Privacy".to_owned(), b"id".to_vec()));
        }
        let asserted = match &self.raw_asserted_identity {
            None if self.withheld => Some(self.identity(host)),
            raw => raw.clone(),
        };
        headers.extend(asserted.map(|value| ("P-Asserted-Identity".to_owned(), value)));
        headers.extend(self.extra_headers.iter().cloned());
        headers
    }
}

/// A trunk's far end on a UDP socket of its own; hundreds of calls at a time. Dropped, it hangs up
/// what is left, once, and is gone.
pub(crate) struct Caller {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    /// Sends from anywhere, also from `drop`, without waiting.
    out: UdpSocket,
    local: SocketAddr,
    remote: SocketAddr,
    /// Takes the media that is sent to us, and is never read.
    media: UdpSocket,
    calls: Mutex<Calls<Dialog>>,
    trace: Trace,
    heard: Heard,
}

impl Caller {
    /// A caller whose calls go to `asterisk` (or to a phone directly).
    pub(crate) async fn new(asterisk: SocketAddr) -> io::Result<Self> {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?.into_std()?;
        let shared = Arc::new(Shared {
            out: socket.try_clone()?,
            local: socket.local_addr()?,
            remote: asterisk,
            media: UdpSocket::bind("127.0.0.1:0")?,
            calls: Mutex::default(),
            trace: Trace::default(),
            heard: Heard::default(),
        });
        let (hearing, ticking) = (shared.clone(), shared.clone());
        let task = tokio::spawn(listen(
            tokio::net::UdpSocket::from_std(socket)?,
            move |datagram, _, now| hearing.on_datagram(datagram, now),
            move |now| ticking.on_tick(now),
        ));
        Ok(Self { shared, task })
    }

    /// The address the calls come from.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// Places a call.
    pub(crate) fn invite(&self, invite: Invite) -> Call {
        let shared = &self.shared;
        let (host, call_id) = (shared.local.to_string(), format!("{:032x}", fastrand::u128(..)));
        let uri = format!("sip:{}@{}", invite.to, shared.remote);
        let parts = Parts {
            from: invite.presentation(&host, fastrand::u64(..)),
            to: format!("<{uri}>").into_bytes(),
            uri: uri.into_bytes(),
            via: host.clone(),
            call_id: call_id.clone(),
            endpoint: invite.endpoint,
            allow: invite.allow,
        };
        let media = shared.media.local_addr().map_or(9, |address| address.port());
        let more = invite.further_headers(&host);
        let mut calls = shared.calls();
        let dialog = Dialog::new(parts, &more, &sdp(media), Instant::now());
        let progress = dialog.watch();
        // Building the message is not the call's time.
        let sent = Instant::now();
        shared.send(dialog.invite());
        calls.add(&call_id, dialog);
        drop(calls);
        Call { shared: shared.clone(), call_id, sent, progress, invite }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.trace.print_on_panic("caller");
        let mut calls = self.shared.calls();
        for dialog in calls.all() {
            for datagram in dialog.leave(Instant::now()) {
                self.shared.send(&datagram);
            }
        }
    }
}

/// A call that was placed. Dropped, it hangs up; the [`Caller`] sees to the rest.
pub(crate) struct Call {
    shared: Arc<Shared>,
    call_id: String,
    sent: Instant,
    progress: watch::Receiver<Progress>,
    invite: Invite,
}

impl Call {
    /// When the INVITE left.
    pub(crate) fn sent(&self) -> Instant {
        self.sent
    }

    /// Between the caller and Asterisk; Asterisk's leg to the phone has another.
    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
    }

    /// What was asked for.
    pub(crate) fn invite(&self) -> &Invite {
        &self.invite
    }

    /// What is known of the call now.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Hangs up before it is answered: CANCEL, as soon as Asterisk has taken the INVITE.
    pub(crate) fn cancel(&self) {
        self.shared.leave(&self.call_id);
    }

    /// Hangs up after it was answered.
    pub(crate) fn bye(&self) {
        self.shared.leave(&self.call_id);
    }

    /// All messages of this call that came from Asterisk.
    pub(crate) fn heard(&self) -> Vec<Message> {
        self.shared.heard.of(&self.call_id)
    }

    /// Asks Asterisk to transfer this answered call to `number`.
    pub(crate) fn transfer(&self, number: &str) {
        self.refer(&format!("sip:{number}@{}", self.shared.remote));
    }

    /// Asks Asterisk to join the other ends of this call and of `other`.
    pub(crate) fn join(&self, other: &Self, number: &str) {
        let replaced = self.shared.calls().get(&other.call_id).map(Dialog::as_replaced).unwrap_or_default();
        self.refer(&format!("sip:{number}@{}?Replaces={replaced}", self.shared.remote));
    }

    fn refer(&self, to: &str) {
        let refer = self.shared.calls().get(&self.call_id).map(|dialog| dialog.refer(to));
        self.shared.send(&refer.unwrap_or_default());
    }

    /// The final answer's status. `None`: not within `wait`.
    pub(crate) async fn final_response(&self, wait: Duration) -> Option<u16> {
        let progress = self.until(wait, |progress| progress.answer.is_some()).await?;
        progress.answer.map(|(status, _)| status)
    }

    /// The latest 1xx beyond 100, e.g. 180 when the phone rings. `None`: not within `wait`.
    pub(crate) async fn ringing(&self, wait: Duration) -> Option<u16> {
        let rings = |progress: &Progress| progress.provisional.is_some_and(|status| status > 100);
        self.until(wait, rings).await?.provisional
    }

    /// When the call was over: refused, hung up by either side. `None`: not within `wait`.
    pub(crate) async fn ended(&self, wait: Duration) -> Option<Instant> {
        self.until(wait, |progress| progress.ended.is_some()).await?.ended
    }

    async fn until(&self, wait: Duration, is_reached: impl Fn(&Progress) -> bool) -> Option<Progress> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| is_reached(progress));
        Some(*tokio::time::timeout(wait, reached).await.ok()?.ok()?)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.shared.leave(&self.call_id);
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, Calls<Dialog>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A datagram that the kernel does not take is a lost one: it will be repeated.
    fn send(&self, datagram: &[u8]) {
        let _ = self.out.send_to(datagram, self.remote);
        self.trace.sent(datagram);
    }

    fn leave(&self, call_id: &str) {
        self.with(call_id, Dialog::leave);
    }

    fn on_datagram(&self, datagram: &[u8], now: Instant) {
        self.trace.received(datagram);
        let Some(message) = Message::parse(datagram) else { return };
        self.heard.keep(&message);
        let call_id = message.text("Call-ID");
        match &message.start {
            Start::Response { status } => {
                self.with(&call_id, |dialog, _| dialog.on_response(&message, *status, now));
            }
            Start::Request { method, .. } if method == "BYE" => {
                self.with(&call_id, |dialog, _| dialog.on_bye(&message, now));
            }
            Start::Request { method, .. } if method == "ACK" => {}
            // The media, or the connected line, anew.
            Start::Request { method, .. } if method == "INVITE" => {
                let media = self.media.local_addr().map_or(9, |address| address.port());
                let contact = format!("<sip:caller@{}>", self.local);
                let ok = Writer::response(&message, 200, "OK", Some("caller")).header("Contact", contact);
                self.send(&ok.finish_with_sdp(&sdp(media)));
            }
            // OPTIONS, an UPDATE of the connected line: nothing that a caller must act on.
            Start::Request { .. } => {
                self.send(&Writer::response(&message, 200, "OK", Some("caller")).finish());
            }
        }
    }

    fn on_tick(&self, now: Instant) {
        while self.calls().wake_next(now, |_, datagram| self.send(datagram)) {}
    }

    fn with(&self, call_id: &str, act: impl FnOnce(&mut Dialog, Instant) -> Vec<Vec<u8>>) {
        self.calls().with(call_id, act, |_, datagram| self.send(datagram));
    }
}
