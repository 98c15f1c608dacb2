//! The control socket of the running service, `state_dir/control.sock`: how commands ask it.
//!
//! One request a connection, one JSON object a line, either way. Only the service's own user and root may
//! connect: the socket's mode is 0600.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::refresh::Handle;
use crate::refresh::keeper::Outcome;

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 4096;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// Ask for lists now. Answered by a [`Refreshed`] a list, as it comes.
    Refresh {
        /// A list's or a source's name; none for all.
        name: Option<String>,
        /// Take whatever list comes.
        accept: bool,
    },
    /// What is known of each list. Answered by a [`crate::refresh::status::ListStatus`] a list.
    Sources,
}

/// What came of asking for one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// The list's name.
    pub list: String,
    /// What came.
    pub outcome: Option<Outcome>,
    /// What failed.
    pub error: Option<String>,
}

/// Where the socket is.
#[must_use]
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// Listens below `state_dir`, until `shutdown`. Where it can't, that is reported, and commands work without.
pub fn start(handle: &Handle, state_dir: &Path, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let listener = match listen(state_dir) {
        Ok(listener) => listener,
        Err(error) => {
            return warn!(
                "`nameplate refresh` and `sources` can't reach this service: {}: {error}",
                path(state_dir).display()
            );
        }
    };
    let (handle, shutdown) = (handle.clone(), shutdown.clone());
    tasks.spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let handle = handle.clone();
                    // Whoever connects is the administrator: there are few.
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, &handle).await {
                            debug!("a command went away: {error}");
                        }
                    });
                }
                Err(error) => {
                    warn!("the control socket does not accept: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }));
}

/// Binds beside and renames, so that the socket is never there with another mode.
fn listen(state_dir: &Path) -> io::Result<UnixListener> {
    let beside = state_dir.join("control.sock.new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, path(state_dir))?;
    Ok(listener)
}

async fn answer(stream: UnixStream, handle: &Handle) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST));
    timeout(REQUEST_TIMEOUT, read.read_line(&mut line)).await??;
    match serde_json::from_str(&line)? {
        Request::Sources => {
            for status in handle.status() {
                write.write_all(&json_line(&status)?).await?;
            }
        }
        Request::Refresh { name, accept } => {
            for (list, outcome) in handle.refresh(name.as_deref(), accept) {
                let outcome = outcome.await.unwrap_or_else(|_| Err("the service is stopping".into()));
                let (outcome, error) = match outcome {
                    Ok(outcome) => (Some(outcome), None),
                    Err(error) => (None, Some(error)),
                };
                write.write_all(&json_line(&Refreshed { list, outcome, error })?).await?;
            }
        }
    }
    write.shutdown().await
}

fn json_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Asks the running service; `each` hears every answer. None where no service listens.
pub async fn ask<T: DeserializeOwned>(
    state_dir: &Path,
    request: &Request,
    mut each: impl FnMut(T),
) -> io::Result<Option<()>> {
    let mut stream = match UnixStream::connect(path(state_dir)).await {
        Ok(stream) => stream,
        // A socket that nobody listens on is left over from a service that was killed.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(&json_line(request)?).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        each(serde_json::from_str(&line)?);
    }
    Ok(Some(()))
}
