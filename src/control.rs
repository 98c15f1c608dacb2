//! The control socket of the running service, `state_dir/control.sock`, for its commands.
//!
//! One request per connection; one JSON object per line in both directions. The socket's mode is 0600: only the service's user and
//! root can connect.

use std::collections::VecDeque;
use std::fmt;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot::{self, Receiver};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::lists::events::{Event, ProgressWatch, RefreshResult, progress_ticks};
use crate::lists::forgetting::Forgetting;
use crate::lists::forgotten;
use crate::lists::service::Handle;
use crate::lists::suppression;
use crate::owner;
use crate::reload::{self, Order, Orders};
use crate::supervisor::Supervisor;

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 4096;
/// The most time for a request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The most time for a command to read a line of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most time for open answers when the service stops.
const DRAIN: Duration = Duration::from_secs(1);
/// Commands at once. Further ones wait in the socket's backlog until a connection ends.
const COMMANDS: usize = 32;
/// The time in which a connection without a request can't be ended for another. A command sends its request at once.
const ARRIVAL: Duration = Duration::from_millis(20);
/// The interval of checks whether the socket is still there.
const LOOK: Duration = Duration::from_secs(60);
/// The wait after a failed accept: without free file descriptors more attempts are useless.
const REST: Duration = Duration::from_secs(1);

/// The most time for the state of the lists. A service that is well answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval of empty lines during a refresh or a reload. They show that the service runs, however long that takes.
const ALIVE: Duration = Duration::from_secs(1);
/// The longest time without a line meanwhile.
const SILENCE: Duration = Duration::from_secs(10);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// Refresh lists now. The answer is [`Event`]s: a [`RefreshResult`] for each list, and [`Event::Done`].
    Refresh {
        /// A list's or a source's name; none for all.
        name: Option<String>,
        /// Accept the list that is held back, or the list that arrives.
        accept: bool,
        /// Send the progress, too.
        #[serde(default)]
        progress: bool,
    },
    /// Read the configuration again. The answer is one [`Report`](crate::reload::Report).
    Reload,
    /// Forget a number. The answer is one [`Report`](crate::lists::suppression::Report).
    Forget {
        /// The number, as in the file of forgotten numbers ([`crate::lists::forgotten`]).
        number: String,
        /// Let it be named again.
        undo: bool,
    },
    /// The state of the lists. The answer is a [`crate::lists::status::ListStatus`] for each list.
    Sources,
    /// The replicas. The answer is a [`crate::share::life::ReplicaStatus`] for each one.
    Replicas,
}

/// The path of the socket.
#[must_use]
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// What answers commands.
#[derive(Clone)]
pub struct Service {
    /// The lists.
    pub handle: Handle,
    /// Takes orders to reload the configuration.
    pub reloads: Orders,
    /// Forgets numbers.
    pub forgetting: Forgetting,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// Listens below `state_dir`. A failure is reported, and the service runs without the socket.
pub fn start(service: Service, state_dir: &Path, supervisor: &mut Supervisor) {
    let listener = match listen(state_dir) {
        Ok(listener) => listener,
        Err(error) => {
            return warn!(
                "`nameplate refresh`, `reload`, `forget` and `sources` can't reach this service: {}: {error}",
                path(state_dir).display()
            );
        }
    };
    let state_dir = state_dir.to_owned();
    supervisor.spawn_with("the control socket", |shutdown| async move {
        serve(listener, service, &state_dir, shutdown).await;
    });
}

/// Answers commands until `shutdown`, which ends refreshes that commands wait for, too.
async fn serve(mut listener: UnixListener, service: Service, state_dir: &Path, shutdown: CancellationToken) {
    let mut commands = JoinSet::new();
    let mut idle = VecDeque::new();
    let mut looks = interval(LOOK);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = commands.join_next() => continue,
            accepted = listener.accept(), if commands.len() < COMMANDS => accepted,
            () = end_longest(&mut idle), if commands.len() >= COMMANDS => continue,
            _ = looks.tick() => {
                // A clean-up of files may have removed it.
                if !path(state_dir).exists()
                    && let Ok(again) = listen(state_dir)
                {
                    warn!("the control socket was removed, and is there again");
                    listener = again;
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) => {
                let service = service.clone();
                let token = CancellationToken::new();
                let (since, requested) = (Instant::now(), token.clone());
                let end = commands.spawn(async move {
                    if let Err(error) = answer(stream, &service, &token).await {
                        debug!("a command went away: {error}");
                    }
                });
                idle.push_back(IdleConnection { since, requested, end });
            }
            Err(error) => {
                warn!("the control socket does not accept: {error}");
                shutdown.run_until_cancelled(sleep(REST)).await;
            }
        }
    }
    drop(listener);
    let finished = async { while commands.join_next().await.is_some() {} };
    // Connections without a request end now.
    let _ = timeout(DRAIN, finished).await;
}

/// A connection that may not have sent its request yet.
struct IdleConnection {
    since: Instant,
    /// Cancelled when the request has arrived.
    requested: CancellationToken,
    end: AbortHandle,
}

/// Ends the oldest connection without a request, after [`ARRIVAL`]: a process that only holds connections can't keep commands
/// waiting.
async fn end_longest(idle: &mut VecDeque<IdleConnection>) {
    while let Some(first) = idle.front() {
        if !first.end.is_finished() {
            tokio::select! {
                biased;
                () = first.requested.cancelled() => {}
                () = sleep_until(first.since + ARRIVAL) => {
                    first.end.abort();
                    idle.pop_front();
                    return;
                }
            }
        }
        idle.pop_front();
    }
    std::future::pending::<()>().await;
}

/// Binds beside the path and renames, so that the socket never has another mode.
fn listen(state_dir: &Path) -> io::Result<UnixListener> {
    let beside = state_dir.join("control.sock.new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    owner::give_socket(&beside);
    std::fs::rename(&beside, path(state_dir))?;
    Ok(listener)
}

/// Answers a command. Cancels `requested` when the request has arrived.
async fn answer(stream: UnixStream, service: &Service, requested: &CancellationToken) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut write = AnswerWriter(write);
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    timeout(REQUEST_TIMEOUT, read.read_line(&mut line)).await??;
    requested.cancel();
    match serde_json::from_str(&line)? {
        Request::Sources => {
            for status in service.handle.status() {
                write.line(&json_line(&status)?).await?;
            }
        }
        Request::Replicas => {
            for replica in service.forgetting.replica.iter().flat_map(|replica| replica.replicas()) {
                write.line(&json_line(&replica)?).await?;
            }
        }
        Request::Refresh { name, accept, progress } => {
            write_events(service.handle.refresh(name.as_deref(), accept), progress, &mut write).await?;
        }
        Request::Reload => {
            let report = while_alive(reload(&service.reloads), &mut write).await?;
            write_object(report, &mut write).await?;
        }
        Request::Forget { number, undo } => {
            let report = while_alive(forget(&service.forgetting, &number, undo), &mut write).await?;
            write_object(Some(report), &mut write).await?;
        }
    }
    write.0.shutdown().await
}

/// Orders a reload. Without a report the service is stopping.
async fn reload(reloads: &Orders) -> Option<reload::Report> {
    let (reply, report) = oneshot::channel();
    reloads.send(Order { reply: Some(reply) }).await.ok()?;
    report.await.ok()
}

/// Forgets a number, and waits until no list has it.
async fn forget(forgetting: &Forgetting, number: &str, undo: bool) -> suppression::Report {
    match forgotten::parse(number) {
        Some(number) => forgetting.forget(number, undo).await,
        None => {
            let error = Some(format!("`{number}` is no number"));
            suppression::Report { error, ..suppression::Report::default() }
        }
    }
}

/// Does `work`, and writes an empty line each second meanwhile.
async fn while_alive<T>(work: impl Future<Output = T>, write: &mut AnswerWriter) -> io::Result<T> {
    let (mut work, mut alive) = (pin!(work), interval(ALIVE));
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            _ = alive.tick() => write.line(b"\n").await?,
        }
    }
}

async fn write_object(object: Option<impl Serialize>, write: &mut AnswerWriter) -> io::Result<()> {
    match object {
        Some(object) => write.line(&json_line(&object)?).await,
        None => Ok(()),
    }
}

/// Writes answers. A command that does not read a line in time counts as gone.
struct AnswerWriter(OwnedWriteHalf);

impl AnswerWriter {
    async fn line(&mut self, line: &[u8]) -> io::Result<()> {
        timeout(WRITE_TIMEOUT, self.0.write_all(line)).await?
    }
}

/// Writes the result for each list, and with `progress` the progress of the others.
async fn write_events(
    ordered: Vec<(ProgressWatch, Receiver<RefreshResult>)>,
    progress: bool,
    write: &mut AnswerWriter,
) -> io::Result<()> {
    let (mut lists, mut looks, mut alive) = (Vec::new(), progress_ticks(), interval(ALIVE));
    let mut coming = FuturesUnordered::new();
    for (watch, refreshed) in ordered {
        let list = watch.list().to_owned();
        lists.push(watch);
        coming.push(async move {
            refreshed.await.unwrap_or_else(|_| RefreshResult::failed(list, "the service is stopping"))
        });
    }
    loop {
        tokio::select! {
            biased;
            next = coming.next() => {
                let Some(refreshed) = next else { return write.line(&json_line(&Event::Done {})?).await };
                lists.retain(|watch| watch.list() != refreshed.list);
                write.line(&json_line(&Event::Refreshed(refreshed))?).await?;
            }
            _ = looks.tick(), if progress => {
                for news in lists.iter_mut().filter_map(ProgressWatch::event) {
                    write.line(&json_line(&news)?).await?;
                }
            }
            _ = alive.tick() => write.line(b"\n").await?,
        }
    }
}

fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Sends a request to the running service; `each` gets every object of the answer. None if no service listens. The state of the
/// lists has to arrive within 5 s. A refresh and a reload have no such limit, but fail after 10 s without a line.
pub async fn ask<T: DeserializeOwned>(
    state_dir: &Path,
    request: &Request,
    each: impl FnMut(T),
) -> io::Result<Option<()>> {
    let asked = ask_and_wait(state_dir, request, each);
    match request {
        Request::Refresh { .. } | Request::Reload | Request::Forget { .. } => asked.await,
        Request::Sources | Request::Replicas => timeout(ANSWER_TIMEOUT, asked)
            .await
            .unwrap_or_else(|_| Err(hangs("it has not answered within", ANSWER_TIMEOUT))),
    }
}

fn hangs(what: &str, limit: Duration) -> io::Error {
    let what = format!("{what} {} s: it is stopped, or hangs", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, what)
}

async fn ask_and_wait<T: DeserializeOwned>(
    state_dir: &Path,
    request: &Request,
    mut each: impl FnMut(T),
) -> io::Result<Option<()>> {
    let mut stream = match UnixStream::connect(path(state_dir)).await {
        Ok(stream) => stream,
        // A socket without a listener is the rest of a service that was killed.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(&json_line(request)?).await?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = timeout(SILENCE, lines.next_line()).await;
        match line.map_err(|_| hangs("it has said nothing for", SILENCE))?? {
            Some(line) if line.is_empty() => {}
            Some(line) => each(serde_json::from_str(&line)?),
            None => return Ok(Some(())),
        }
    }
}

#[cfg(test)]
mod tests;
