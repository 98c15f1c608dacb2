//! The lock of a `state_dir`. One process at a time may write there: the service, or a command without a service. The file
//! `state_dir/lock` is locked until that process ends, and has its command and its process id.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{info, warn};

use crate::owner;

/// The interval of attempts to get the lock.
const LOOK: Duration = Duration::from_millis(100);
/// The time in which the file may still name a service that was killed: the new holder writes its name after it has the lock.
const SUCCESSION: Duration = Duration::from_secs(1);

/// The right to write below a `state_dir`, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The command that holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The service, until it ends.
    Serve,
    /// `nameplate refresh` without a service, until it is done.
    Refresh,
    /// `nameplate forget` without a service, until it is done.
    Forget,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Serve, Self::Refresh, Self::Forget];

    fn command(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Refresh => "refresh",
            Self::Forget => "forget",
        }
    }
}

/// The process that holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its command; none if the file does not name it yet.
    purpose: Option<Purpose>,
    /// Its process id.
    process: Option<u32>,
}

impl Holder {
    /// Whether it is the service.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.purpose == Some(Purpose::Serve)
    }

    /// Its process id, if the file names it.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.process
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut words = text.split_ascii_whitespace();
        let command = words.next();
        let purpose = Purpose::ALL.into_iter().find(|purpose| command == Some(purpose.command()));
        Self { purpose, process: words.next().and_then(|id| id.parse().ok()) }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.purpose {
            Some(purpose) => write!(f, "`nameplate {}`", purpose.command())?,
            None => f.write_str("another nameplate")?,
        }
        self.process.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("lock")
}

impl Lock {
    /// Takes the lock, or returns its holder.
    ///
    /// # Errors
    /// If `state_dir` can't be written.
    pub fn take(state_dir: &Path, purpose: Purpose) -> io::Result<Result<Self, Holder>> {
        if !state_dir.exists() {
            owner::create_folder(state_dir)?;
        }
        let path = path(state_dir);
        let mut file = owner::open(&path)?;
        match file.try_lock() {
            Ok(()) => {
                // On a full disk the file does not name the holder.
                let said = format!("{} {}\n", purpose.command(), std::process::id());
                let _ = file.set_len(0).and_then(|()| file.write_all(said.as_bytes()));
                Ok(Ok(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(Holder::read(&path))),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The holder of the lock; none if it is free, or if the file can't be read.
    #[must_use]
    pub fn holder(state_dir: &Path) -> Option<Holder> {
        let path = path(state_dir);
        let file = File::open(&path).ok()?;
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| Holder::read(&path))
    }

    /// Takes the lock for the service. If a command holds it, does `meanwhile` and waits for the command's end. None if
    /// `state_dir` can't be written: that is reported, and the service runs without files.
    ///
    /// # Errors
    /// If another service holds it, or if `meanwhile` fails.
    pub async fn take_to_serve(
        state_dir: &Path,
        meanwhile: impl AsyncFnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Self>> {
        let mut meanwhile = Some(meanwhile);
        let mut waited = Duration::ZERO;
        loop {
            let holder = match Self::take(state_dir, Purpose::Serve) {
                Ok(Ok(lock)) => return Ok(Some(lock)),
                Ok(Err(holder)) => holder,
                Err(error) => {
                    warn!(
                        "state_dir {} can't be written, so names are not there at once after a restart: {error}",
                        state_dir.display()
                    );
                    return Ok(None);
                }
            };
            let is_service = holder.is_service();
            anyhow::ensure!(
                !is_service || waited < SUCCESSION,
                "another nameplate runs with the same state_dir, {}: {holder}",
                state_dir.display()
            );
            if !is_service && let Some(meanwhile) = meanwhile.take() {
                info!("no list is asked for before {holder} has written its lists");
                meanwhile().await?;
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_waits_for_a_command_and_not_for_another_service() {
        let folder = tempfile::tempdir().unwrap();
        let command = Lock::take(folder.path(), Purpose::Refresh).unwrap().unwrap();
        let meanwhile = async || {
            // It may take its time.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(90)).await;
                drop(command);
            });
            Ok(())
        };
        let begun = tokio::time::Instant::now();
        let service = Lock::take_to_serve(folder.path(), meanwhile).await.unwrap().unwrap();
        assert!((90..92).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

        let never = async || anyhow::bail!("nothing is done while another service has it");
        let refused = Lock::take_to_serve(folder.path(), never).await.unwrap_err().to_string();
        let holder = format!("`nameplate serve` (process {})", std::process::id());
        let seen = Lock::holder(folder.path()).unwrap();
        assert!(seen.is_service() && seen.to_string() == holder, "{seen}");
        assert!(refused.contains(&holder) && refused.contains("same state_dir"), "{refused}");
        drop(service);
        assert_eq!(Lock::holder(folder.path()), None);
        assert!(Lock::take_to_serve(folder.path(), never).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_it_since_a_moment_may_not_have_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let command = Lock::take(folder.path(), Purpose::Refresh).unwrap().unwrap();
        // What a killed service has left.
        fs::write(folder.path().join("lock"), "serve 1\n").unwrap();
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            tokio::time::sleep(SUCCESSION / 2).await;
            fs::write(path.join("lock"), "refresh 2\n").unwrap();
            tokio::time::sleep(SUCCESSION * 2).await;
            drop(command);
        });
        assert!(Lock::take_to_serve(folder.path(), async || Ok(())).await.unwrap().is_some());
    }

    #[test]
    fn a_link_is_no_lock_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, outside) = (folder.path().join("state"), folder.path().join("outside"));
        fs::create_dir(&ours).unwrap();
        fs::write(&outside, "as it was").unwrap();
        std::os::unix::fs::symlink(&outside, path(&ours)).unwrap();
        assert!(Lock::take(&ours, Purpose::Refresh).is_err());
        assert_eq!(fs::read_to_string(&outside).unwrap(), "as it was");
    }
}
