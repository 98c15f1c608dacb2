//! A real softphone: the proof that a name is not only in the right header, but on the display.
//!
//! baresip (Debian's `baresip-core`, 1.0.0 and 1.1.0 tried) runs headless, without sound and without
//! registering. Its `ctrl_tcp` module tells as JSON what the user interface prints as
//! "Incoming call from: …"; both take it from the same place in the program.
//!
//! baresip does not undo the backslash escapes inside a quoted display name, and so shows `\"` for
//! `"`. One more reason for names without quotes and backslashes.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::machine::{free_tcp_port, is_root, remove_abandoned};

/// Starting takes about 0.2 s. A machine that is busy with other tests needs more.
const START: Duration = Duration::from_secs(10);

/// The name of each directory begins so; the test's process id comes next.
const PREFIX: &str = "nameplate-baresip-";

/// Runs the phone, and kills it when standard input closes: at the latest when the test's process
/// is gone, however that ended. The phone takes the shell's place, so its death is seen at once.
const WATCHED: &str = r#"exec 3<&0
(cat <&3 >/dev/null; kill -KILL $$) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-"#;

/// A running baresip, killed and cleaned up when dropped.
pub(crate) struct Baresip {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
    control: Mutex<OwnedWriteHalf>,
    incoming: Mutex<mpsc::UnboundedReceiver<Incoming>>,
    reader: JoinHandle<()>,
}

/// A call as baresip shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// The name on the display; "" where the caller has none.
    pub name: String,
    /// The address on the display, e.g. `sip:+4722334455@127.0.0.1`.
    pub uri: String,
    /// The SIP Call-ID.
    pub call_id: String,
}

impl Baresip {
    /// Starts the baresip of the Debian root at `root` (see [`softphone_root`](super::machine::softphone_root)), or the machine's own
    /// without one. Ready for calls when this returns.
    pub(crate) async fn start(root: Option<&Path>) -> io::Result<Self> {
        let mut error = None;
        // The ports were free when they were chosen; another program may have been quicker.
        for _ in 0..3 {
            match Self::try_start(root).await {
                Ok(phone) => return Ok(phone),
                Err(failed) => error = Some(failed),
            }
        }
        Err(error.unwrap_or_else(|| io::Error::other("not tried")))
    }

    /// What `Dial()` wants behind `PJSIP/operator/`.
    pub(crate) fn uri(&self) -> String {
        format!("sip:operator@{}", self.address)
    }

    /// Where it takes SIP over UDP.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next call that was not taken from here yet. `None`: there was none within `wait`.
    pub(crate) async fn next_incoming(&self, wait: Duration) -> Option<Incoming> {
        let mut incoming = self.incoming.lock().await;
        timeout(wait, incoming.recv()).await.ok()?
    }

    /// Rejects or ends the current call.
    pub(crate) async fn hangup(&self) -> io::Result<()> {
        self.command("hangup").await
    }

    /// Picks up the call that rings.
    pub(crate) async fn accept(&self) -> io::Result<()> {
        self.command("accept").await
    }

    /// All that baresip has printed, for the message of a failed test. Its output is buffered: the
    /// last lines may be missing while it runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    async fn try_start(root: Option<&Path>) -> io::Result<Self> {
        let address = free_sip_address()?;
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, free_tcp_port()));
        let directory = write_config(root, address, control)?;
        let mut child = spawn(root, directory.path())?;
        let stream = match connect(control, &mut child).await {
            Ok(stream) => stream,
            Err(error) => {
                end(&mut child);
                let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
                return Err(io::Error::new(error.kind(), format!("baresip: {error}\n{log}")));
            }
        };
        let (from_phone, to_phone) = stream.into_split();
        let (found, incoming) = mpsc::unbounded_channel();
        Ok(Self {
            child,
            directory,
            address,
            control: Mutex::new(to_phone),
            incoming: Mutex::new(incoming),
            reader: tokio::spawn(async move { while_connected(from_phone, found).await }),
        })
    }

    async fn command(&self, name: &str) -> io::Result<()> {
        let text = json!({ "command": name, "token": "lab" }).to_string();
        let netstring = format!("{}:{text},", text.len());
        self.control.lock().await.write_all(netstring.as_bytes()).await
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        self.reader.abort();
        end(&mut self.child);
    }
}

/// The port above must be free as well: baresip takes it for TLS.
fn free_sip_address() -> io::Result<SocketAddr> {
    for _ in 0..100 {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let above = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port().saturating_add(1)));
        if TcpListener::bind(address).and(TcpListener::bind(above)).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no two free ports in a row"))
}

fn write_config(root: Option<&Path>, address: SocketAddr, control: SocketAddr) -> io::Result<TempDir> {
    let parent = root.unwrap_or(Path::new("/")).join("tmp");
    remove_abandoned(&parent, PREFIX);
    // A later test can tell by the process that nobody needs it any more.
    let prefix = format!("{PREFIX}{}-", process::id());
    let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent)?;
    // The sound "devices" are two ends of one wire inside the program.
    let config = format!(
        "sip_listen {address}\n\
         module_path /usr/lib/baresip/modules\n\
         audio_player aubridge,nil\n\
         audio_source aubridge,nil\n\
         audio_alert aubridge,nil\n\
         module g711.so\n\
         module aubridge.so\n\
         module_tmp account.so\n\
         module_app menu.so\n\
         module_app ctrl_tcp.so\n\
         ctrl_tcp_listen {control}\n"
    );
    let account = format!("<sip:operator@{address}>;regint=0;answermode=manual\n");
    fs::write(directory.path().join("config"), config)?;
    fs::write(directory.path().join("accounts"), account)?;
    Ok(directory)
}

fn spawn(root: Option<&Path>, directory: &Path) -> io::Result<Child> {
    let log = fs::File::create(directory.join("log"))?;
    let mut words: Vec<PathBuf> = Vec::new();
    if root.is_some() && !is_root() {
        // Only root may chroot: in a namespace of its own, everybody is.
        words.extend(["unshare", "--map-root-user"].map(PathBuf::from));
    }
    words.extend(["sh", "-c", WATCHED, "sh"].map(PathBuf::from));
    let inside = match root {
        Some(root) => {
            words.extend(["chroot".into(), root.to_owned()]);
            Path::new("/").join(directory.strip_prefix(root).unwrap_or(directory))
        }
        None => directory.to_owned(),
    };
    words.extend(["baresip".into(), "-4".into(), "-f".into(), inside]);
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// Closing standard input ends the phone; waiting reaps it.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}

async fn connect(control: SocketAddr, child: &mut Child) -> io::Result<TcpStream> {
    let deadline = tokio::time::Instant::now() + START;
    loop {
        match TcpStream::connect(control).await {
            Ok(stream) => return Ok(stream),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("ended with {status}")));
        }
    }
}

async fn while_connected(stream: OwnedReadHalf, found: mpsc::UnboundedSender<Incoming>) {
    let mut stream = BufReader::new(stream);
    while let Some(event) = read_event(&mut stream).await {
        if event["type"] != "CALL_INCOMING" {
            continue;
        }
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let call = Incoming { name: text("peerdisplayname"), uri: text("peeruri"), call_id: text("id") };
        if found.send(call).is_err() {
            return;
        }
    }
}

/// One netstring, `LENGTH:JSON,`. `None`: the phone is gone, or says what is no event.
async fn read_event(stream: &mut BufReader<OwnedReadHalf>) -> Option<Value> {
    let mut length = Vec::new();
    stream.read_until(b':', &mut length).await.ok()?;
    let length: usize = std::str::from_utf8(length.strip_suffix(b":")?).ok()?.parse().ok()?;
    let mut text = vec![0; length.min(1 << 20) + 1];
    stream.read_exact(&mut text).await.ok()?;
    serde_json::from_slice(text.strip_suffix(b",")?).ok()
}

mod checks {
    use super::super::machine::softphone_root;
    use super::super::sip::{Caller, Invite};
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_softphone_shows_the_name() {
        let root = softphone_root();
        let phone = Baresip::start(root.as_deref()).await.unwrap();
        let caller = Caller::new(phone.local_addr()).await.unwrap();
        let name = "Zoë O'Brien (Fjord Sjømat AS)";
        let call = caller.invite(Invite::from("+4722334455").named(name).to("operator"));
        let shown = phone.next_incoming(SOON).await.unwrap();
        assert_eq!(shown.name, name);
        assert!(shown.uri.starts_with("sip:+4722334455@"), "{shown:?}");
        assert_eq!(shown.call_id, call.call_id());
        phone.hangup().await.unwrap();
        assert_eq!(call.final_response(SOON).await, Some(486));

        let nameless = caller.invite(Invite::from("22334455").to("operator"));
        assert_eq!(phone.next_incoming(SOON).await.unwrap().name, "");
        phone.accept().await.unwrap();
        assert_eq!(nameless.final_response(SOON).await, Some(200));
        nameless.bye();

        let directory = phone.directory.path().to_owned();
        let owned = format!("nameplate-baresip-{}-", process::id());
        assert!(directory.file_name().unwrap().to_string_lossy().starts_with(&owned), "{directory:?}");
        let process = format!("/proc/{}", phone.child.id());
        drop(phone);
        assert!(!directory.exists() && !Path::new(&process).exists());
    }
}
