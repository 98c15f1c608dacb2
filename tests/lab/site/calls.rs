//! A PBX of a site, with calls all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::super::asterisk::{Asterisk, Setup};
use super::super::call::PATIENCE;
use super::super::fate::{Fate, Tally};
use super::super::people::one_of_crowd;
use super::super::sip::{Behaviour, Caller, Invite, Phone};
use super::super::uptime::Spans;
use super::PEOPLE;

/// From one call to the next.
const EVERY: Duration = Duration::from_millis(150);
/// The name that the provider sends.
const PROVIDER: &str = "OSLO";

/// A PBX with its telephone and its callers.
pub(crate) struct Pbx {
    pub asterisk: Asterisk,
    calling: Option<JoinHandle<Vec<Fate>>>,
    begun: Arc<Notify>,
    is_over: Arc<AtomicBool>,
}

impl Pbx {
    pub(super) async fn start() -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        // The number called goes on to the phone, where it tells calls apart.
        let dialplan = format!(
            "[from-trunk]\n\
             exten => _X.,1,Gosub(nameplate,lookup,1)\n\
             \x20same => n,Dial(PJSIP/operator/sip:${{EXTEN}}@{},30)\n",
            phone.local_addr()
        );
        let setup = Setup { dialplan: &dialplan, verbose: false, ..Setup::default() };
        let asterisk = tokio::task::block_in_place(|| Asterisk::start_with(&setup));
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let (begun, is_over) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let calling = tokio::spawn(call_on(phone, caller, Arc::clone(&begun), Arc::clone(&is_over)));
        Self { asterisk, calling: Some(calling), begun, is_over }
    }

    /// Calls come from now on.
    pub(super) fn begin(&self) {
        self.begun.notify_one();
    }

    /// No further call comes. Counts all in `all`, for a service that was up at these times.
    pub(super) async fn end(&mut self, spans: &Spans, all: &mut Tally) {
        self.is_over.store(true, Ordering::Relaxed);
        let Some(calling) = self.calling.take() else { return };
        let fates = calling.await.expect("calls");
        let tally = Tally::of(&fates, spans, PATIENCE);
        all.placed += tally.placed;
        all.rung += tally.rung;
        all.lost += tally.lost;
        all.named += tally.named;
        all.down += tally.down;
        all.inside += tally.inside;
        all.unnamed += tally.unnamed;
        all.wrong += tally.wrong;
        all.times.extend(tally.times);
    }
}

/// One call after the other.
async fn call_on(phone: Phone, caller: Caller, begun: Arc<Notify>, is_over: Arc<AtomicBool>) -> Vec<Fate> {
    begun.notified().await;
    let mut fates = Vec::new();
    for at in 0_u32.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        // The last one's name changes.
        let (number, name) = one_of_crowd(at % (PEOPLE - 1));
        let called = (1_000_000 + at).to_string();
        let call = caller.invite(Invite::from(number).named(PROVIDER).to(&called));
        let ring = phone.ring_of(&called, PATIENCE).await;
        let answer = call.final_response(PATIENCE).await;
        fates.push(Fate {
            placed: call.sent(),
            rung: ring.map(|ring| (ring.received, ring.name().to_owned())),
            answer,
            known_as: Some(name),
            unnamed: PROVIDER,
            given_up: false,
        });
        tokio::time::sleep_until((call.sent() + EVERY).max(Instant::now()).into()).await;
    }
    fates
}
