//! A server over real sockets, and its client.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::directory::list::List;
use crate::directory::merge::{MergeInput, merge};
use crate::entry::Entry;
use crate::name::Style;
use crate::number::{self, Number};
use crate::web::*;

/// A server that knows Kari.
pub(in crate::web) struct Running {
    pub(in crate::web) address: SocketAddr,
    pub(in crate::web) backend: Backend,
    pub(in crate::web) live: watch::Sender<Arc<Live>>,
    pub(in crate::web) shutdown: CancellationToken,
    pub(in crate::web) server: JoinHandle<()>,
}

impl Running {
    /// A server that knows Kari, on a port of its own. With `token`, if there is one.
    pub(in crate::web) async fn start(token: Option<&str>) -> Self {
        Self::start_with(token, |_| {}).await
    }

    /// The same, with some part of it changed.
    pub(in crate::web) async fn start_with(token: Option<&str>, change: impl FnOnce(&mut Backend)) -> Self {
        let resolver = Arc::new(Resolver::new(Style::default()));
        let entry = Entry {
            number: Number::new(47, 22_334_455).unwrap(),
            person_id: 654,
            person: "Kari Nordmann".into(),
            mrmrs: String::new(),
            company_id: 243,
            company: "Fjord Sjømat AS".into(),
            likely: true,
        };
        let list: List = [entry].into_iter().collect();
        let listed = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
        resolver.swap(merge(&["crm".into()], vec![listed]).unwrap());
        let metrics = Arc::new(Metrics::new());
        let numbers = number::Settings::new("NO".parse().unwrap());
        let pbx_statuses = vec![
            Arc::new(PbxStatus::new("pbx1", metrics.pbx("pbx1"))),
            Arc::new(PbxStatus::new("pbx2", metrics.pbx("pbx2"))),
        ];
        let calls = Calls::new(crate::calls::DEFAULT);
        let mut backend = Backend {
            replica: None,
            resolver,
            pbx: Pbx { id: 0, numbers },
            pbx_statuses,
            metrics,
            calls,
            find: Find::default(),
            crms: Arc::default(),
            service: None,
            config: PathBuf::new(),
        };
        change(&mut backend);
        let settings = Self::settings(token);
        let listener = TcpListener::bind(settings.listen()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let live = watch::Sender::new(Arc::new(Live { settings, backend: backend.clone() }));
        let server = Server::new(live.subscribe()).unwrap();
        let server = tokio::spawn(server.run(listener, CONNECTIONS, shutdown.clone()));
        Self { address, backend, live, shutdown, server }
    }

    /// Settings on loopback.
    pub(in crate::web) fn settings(token: Option<&str>) -> Settings {
        let token = token.map(|token| Secret::Given(token.into()));
        Settings::try_new("127.0.0.1:0".parse().unwrap(), token).unwrap()
    }

    /// As a reload of the configuration does.
    pub(in crate::web) fn reload(&self, settings: Settings) {
        self.live.send_replace(Arc::new(Live { settings, backend: self.backend.clone() }));
    }

    /// The answer to a form.
    pub(in crate::web) async fn post(&self, path: &str, headers: &str, form: &str) -> Answer {
        let (kind, length) = ("Content-Type: application/x-www-form-urlencoded", form.len());
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\nContent-Length: {length}\r\n");
        self.send(&format!("{head}{headers}\r\n{form}")).await
    }

    /// The answer to `GET {path}` with these further headers.
    pub(in crate::web) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await
    }

    pub(in crate::web) async fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        stream.write_all(request.as_bytes()).await.unwrap();
        answer(stream).await
    }

    pub(in crate::web) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// What was answered.
#[derive(Debug)]
pub(in crate::web) struct Answer {
    pub(in crate::web) status: u16,
    /// In small letters.
    pub(in crate::web) head: String,
    headers: String,
    pub(in crate::web) body: String,
}

impl Answer {
    /// The line `name: value` of the head.
    pub(in crate::web) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value)
    }
}

/// All that is sent, as an answer.
pub(in crate::web) async fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer does not matter.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let headers = head.to_owned();
    Answer { status, head: head.to_lowercase(), headers, body: body.to_owned() }
}
