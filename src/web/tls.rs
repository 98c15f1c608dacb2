//! The certificate of the server. It is read again when its files have changed; one that can't be used leaves the one in use.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::{Live, TlsFiles};
use crate::observe::panics;

/// The interval of looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate in use, if the server speaks TLS.
#[derive(Debug)]
pub(super) struct Certificate {
    live: watch::Receiver<Arc<Live>>,
    /// None: the server does not speak TLS.
    used: ArcSwapOption<Loaded>,
}

/// A certificate with its key, and which files it is from.
struct Loaded {
    acceptor: TlsAcceptor,
    stamp: Stamp,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loaded(…)")
    }
}

/// Which files, and what tells whether they have changed: modification time, size, inode.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    files: TlsFiles,
    states: [Option<(i64, i64, u64, u64)>; 2],
}

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        let state = |path: &Path| {
            let data = fs::metadata(path).ok()?;
            Some((data.mtime(), data.mtime_nsec(), data.size(), data.ino()))
        };
        Self { files: files.clone(), states: [state(&files.certificate), state(&files.key)] }
    }
}

impl Certificate {
    /// The certificate of the settings. An error if there is one that can't be used.
    pub(super) fn read(live: watch::Receiver<Arc<Live>>) -> anyhow::Result<Self> {
        let files = live.borrow().settings.tls.clone();
        let used = files.map(|files| load(&files)).transpose()?;
        Ok(Self { live, used: ArcSwapOption::from_pointee(used) })
    }

    /// What answers a new connection; none if the server does not speak TLS.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.used.load().as_ref().map(|used| used.acceptor.clone())
    }

    /// Looks at the files for ever, and takes what is new in them.
    pub(super) async fn keep_fresh(&self) {
        let mut live = self.live.clone();
        // What could not be used at the last look, and whether that was said.
        let mut failed: Option<(Stamp, bool)> = None;
        loop {
            let files = live.borrow_and_update().settings.tls.clone();
            match files {
                None => {
                    self.used.store(None);
                    if live.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                Some(files) => {
                    self.look(files, &mut failed).await;
                    // Closed only when the service ends.
                    let _ = timeout(LOOK, live.changed()).await;
                }
            }
        }
    }

    /// Reads the files if they are not those in use.
    async fn look(&self, files: TlsFiles, failed: &mut Option<(Stamp, bool)>) {
        let used = self.used.load().as_ref().map(|used| used.stamp.clone());
        let known = failed.as_ref().filter(|(_, said)| *said).map(|(stamp, _)| stamp.clone());
        let read = panics::blocking(move || {
            let stamp = Stamp::of(&files);
            let is_known = Some(&stamp) == used.as_ref() || Some(&stamp) == known.as_ref();
            (!is_known).then(|| (load(&files), stamp))
        });
        match read.await {
            Ok(Some((Ok(loaded), _))) => {
                info!(certificate = %loaded.stamp.files.certificate.display(), "[web] a new certificate is in use");
                self.used.store(Some(Arc::new(loaded)));
                *failed = None;
            }
            // The two files are not written in one moment: it is said at the second look.
            Ok(Some((Err(error), stamp))) => {
                let is_second = failed.as_ref().is_some_and(|(before, _)| *before == stamp);
                if is_second {
                    error!("[web] the new certificate can't be used, so the old one stays: {error:#}");
                }
                *failed = Some((stamp, is_second));
            }
            Ok(None) | Err(_) => {}
        }
    }
}

fn load(files: &TlsFiles) -> anyhow::Result<Loaded> {
    // Before the files are read: what changes meanwhile is read again.
    let stamp = Stamp::of(files);
    Ok(Loaded { acceptor: TlsAcceptor::from(read(files)?), stamp })
}

/// Reads a certificate and its key.
pub(super) fn read(files: &TlsFiles) -> anyhow::Result<Arc<ServerConfig>> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let text = fs::read(&files.certificate);
    let text = text.with_context(|| format!("[web] `certificate`: can't read {certificate}"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain =
        chain.with_context(|| format!("[web] `certificate`: {certificate} holds no PEM certificates"))?;
    let text = fs::read(&files.key).with_context(|| format!("[web] `key`: can't read {key}"))?;
    let private = PrivateKeyDer::from_pem_slice(&text);
    // The error of the crate may show what is in the file.
    let private = private.ok().with_context(|| format!("[web] `key`: {key} holds no private key in PEM"))?;
    crate::tls::install();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private);
    let mut config = config.with_context(|| {
        format!("[web] the key in {key} is not that of the certificate in {certificate}, or can't be used")
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
