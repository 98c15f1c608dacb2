//! The control socket of the running service, `state_dir/control.sock`, for its commands.
//!
//! One request per connection; one JSON object per line in both directions. The socket's mode is 0600: only the service's user and
//! root can connect.

use std::collections::VecDeque;
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
use crate::lists::service::Handle;
use crate::owner;
use crate::reload::{Order, Orders};
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
    /// The state of the lists. The answer is a [`crate::lists::status::ListStatus`] for each list.
    Sources,
}

/// The path of the socket.
#[must_use]
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// What answers commands.
#[derive(Clone)]
struct Service {
    handle: Handle,
    reloads: Orders,
}

/// Listens below `state_dir`. A failure is reported, and the service runs without the socket.
pub fn start(handle: &Handle, reloads: Orders, state_dir: &Path, supervisor: &mut Supervisor) {
    let listener = match listen(state_dir) {
        Ok(listener) => listener,
        Err(error) => {
            return warn!(
                "`nameplate refresh`, `reload` and `sources` can't reach this service: {}: {error}",
                path(state_dir).display()
            );
        }
    };
    let (service, state_dir) = (Service { handle: handle.clone(), reloads }, state_dir.to_owned());
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
    owner::give(&beside, 0);
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
        Request::Refresh { name, accept, progress } => {
            write_events(service.handle.refresh(name.as_deref(), accept), progress, &mut write).await?;
        }
        Request::Reload => write_report(&service.reloads, &mut write).await?,
    }
    write.0.shutdown().await
}

/// Orders a reload, and writes the report on it.
async fn write_report(reloads: &Orders, write: &mut AnswerWriter) -> io::Result<()> {
    let (reply, report) = oneshot::channel();
    let mut alive = interval(ALIVE);
    let mut reloaded = pin!(async {
        // Without a receiver, or without a reply, the service is stopping.
        reloads.send(Order { reply: Some(reply) }).await.ok()?;
        report.await.ok()
    });
    loop {
        tokio::select! {
            biased;
            report = &mut reloaded => match report {
                Some(report) => return write.line(&json_line(&report)?).await,
                None => return Ok(()),
            },
            _ = alive.tick() => write.line(b"\n").await?,
        }
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
        Request::Refresh { .. } | Request::Reload => asked.await,
        Request::Sources => timeout(ANSWER_TIMEOUT, asked)
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
mod tests {
    use super::*;
    use crate::lists::events::Event;
    use crate::lists::status::ListStatus;
    use crate::source::Progress;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hangs_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(path(folder.path())).unwrap();
        let asked = ask(folder.path(), &Request::Sources, |_: ListStatus| ());
        let error = asked.await.unwrap_err().to_string();
        assert_eq!(error, "it has not answered within 5 s: it is stopped, or hangs");

        let refresh = Request::Refresh { name: None, accept: false, progress: false };
        let error = ask(folder.path(), &refresh, |_: Event| ()).await.unwrap_err().to_string();
        assert_eq!(error, "it has said nothing for 10 s: it is stopped, or hangs");
        drop(listener);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_slow_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(path(folder.path())).unwrap();
        let service = async {
            let (read, write) = listener.accept().await.unwrap().0.into_split();
            let mut write = AnswerWriter(write);
            BufReader::new(read).read_line(&mut String::new()).await.unwrap();
            let (answer, refreshed) = tokio::sync::oneshot::channel();
            let slow = async {
                tokio::time::sleep(Duration::from_mins(10)).await;
                answer.send(RefreshResult::failed("crm".to_owned(), "too slow")).unwrap();
            };
            let ordered = vec![(ProgressWatch::new("crm".to_owned(), Progress::default()), refreshed)];
            tokio::join!(slow, write_events(ordered, false, &mut write)).1.unwrap();
        };
        let mut heard = Vec::new();
        let refresh = Request::Refresh { name: None, accept: false, progress: false };
        let (asked, ()) = tokio::join!(ask(folder.path(), &refresh, |news| heard.push(news)), service);
        assert_eq!(asked.unwrap(), Some(()));
        assert!(
            matches!(&heard[..], [Event::Refreshed(of), Event::Done {}] if of.list == "crm"),
            "{heard:?}"
        );
    }

    #[tokio::test]
    async fn who_does_not_take_an_answer_is_not_written_to_for_ever() {
        let (near, far) = UnixStream::pair().unwrap();
        let (_read, write) = near.into_split();
        let mut write = AnswerWriter(write);
        let line = vec![b'x'; 1 << 16];
        let written = timeout(WRITE_TIMEOUT * 6, async {
            loop {
                if let Err(error) = write.line(&line).await {
                    return error.kind();
                }
            }
        });
        assert_eq!(written.await.unwrap(), io::ErrorKind::TimedOut);
        drop(far);
    }
}
