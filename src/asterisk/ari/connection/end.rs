//! The end of a connection, with the calls in hand.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::error::ConnectionError;
use super::super::requests::Purpose;
use super::super::tasks::Job;
use super::{Connection, Left, Way};

/// How long answers in hand, and the close frame's, may take when the service stops.
pub(super) const CLOSE: Duration = Duration::from_millis(1_500);

/// How long calls in hand may take when the service is refused. Asterisk answers at once, also that it does not.
const LET_GO: Duration = Duration::from_millis(200);

impl Connection {
    /// Closes the connection. First the answers in hand, for so long, then the close frame: it takes the application
    /// away, so no further call waits for us. Calls that came meanwhile are served over HTTP.
    pub(super) async fn close(&mut self, patience: Duration) {
        let begun = Instant::now();
        let deadline = begun + CLOSE;
        while self.way != Way::Closing || Instant::now() < deadline {
            if self.way != Way::Closing && (!self.requests.any_call() || begun.elapsed() >= patience) {
                self.go(Way::Closing);
                if self.send(Message::Close(None)).await.is_err() {
                    return;
                }
            }
            let next = tokio::select! {
                message = timeout_at(deadline, self.socket.next()) => match message {
                    Ok(message) => self.take(message).await,
                    Err(_) => continue,
                },
                Some(channel) = self.to_release.recv() => self.release(channel).await,
            };
            // Also the answer to our close frame.
            if next.is_err() {
                return;
            }
        }
    }

    /// Closes the connection because it can't answer calls. A websocket may still do what HTTP does not: it sends on what is
    /// in hand. A call whose event was not read would be in the application, and nobody knew of it.
    pub(super) async fn let_go(&mut self) {
        self.send_on_what_is_in_hand().await;
        self.close(Duration::ZERO).await;
    }

    async fn send_on_what_is_in_hand(&mut self) {
        let deadline = Instant::now() + LET_GO;
        while self.way == Way::Websocket && self.is_busy() {
            let next = tokio::select! {
                message = self.socket.next() => self.take(message).await,
                Some(channel) = self.to_release.recv() => self.release(channel).await,
                () = self.tasks.next_ended() => Ok(()),
                () = sleep_until(deadline) => return,
            };
            if next.is_err() {
                return;
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.requests.any_call() || self.tasks.any() || !self.to_release.is_empty()
    }

    /// Finishes what is in hand, beside the next connection or, when this was the last, before the end.
    pub(super) fn end(self, how: &Result<(), ConnectionError>, left: &mut Left) {
        let Self { application, socket, mut requests, mut to_release, mut tasks, .. } = self;
        // Until it is closed, calls come to us and wait: for the next connection, where that is made at once.
        left.socket = matches!(how, Err(ConnectionError::Behind)).then_some(socket);
        application.use_websocket(false);
        to_release.close();
        while let Ok(channel) = to_release.try_recv() {
            tasks.spawn(channel, Job::Release { doubtful: false });
        }
        // The next connection asks which calls still wait, where it is made at once.
        if how.as_ref().map_or_else(|error| error.refusal().is_some(), |()| true) {
            for channel in requests.take_all().into_iter().filter_map(Purpose::channel) {
                tasks.spawn(channel, Job::Release { doubtful: true });
            }
        }
        // Asterisk may have let one in while it closed, and had nobody any more to tell. The next connection is far.
        if matches!(how, Err(ConnectionError::Handoffs(_))) {
            tasks.search();
        }
        left.calls.spawn(tasks.finish());
    }
}
