//! The service in a drill: how it is started, watched, taken away and brought back.

use std::net::SocketAddr;
use std::time::Duration;

use crate::lab::disk::Mounted;
use crate::lab::machine::{free_tcp_port, is_root};
use crate::lab::nameplate::Nameplate;
use crate::lab::proxy::Proxy;
use crate::lab::uptime::Uptime;
use crate::lab::web;
use crate::stage::Stage;
use crate::trouble::Trouble;

/// It, and what stands around it.
pub(crate) struct Service {
    /// None while it is started anew.
    nameplate: Option<Nameplate>,
    pub uptime: Uptime,
    web: SocketAddr,
    /// Between it and Asterisk, where that is to be cut.
    pub line: Option<Proxy>,
    /// What its lists are on, where that is to be full. After it, so that nobody uses it any more.
    pub disk: Option<Mounted>,
}

impl Service {
    /// Starts it and waits until it is up. None where we may not do what that takes.
    pub(crate) async fn start(stage: &Stage, trouble: Trouble) -> Option<Self> {
        let (way, asterisk) = (stage.way, &stage.asterisk);
        // Fixed, because it is the same one that comes back.
        let web = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()));
        let mut config = way.config(&stage.crm, asterisk);
        let mut line = None;
        if trouble == Trouble::Cut {
            let (port, there) = if way.is_agi() {
                (asterisk.agi().port(), SocketAddr::from(([127, 0, 0, 1], free_tcp_port())))
            } else {
                (0, asterisk.http_url().trim_start_matches("http://").parse().expect("an address"))
            };
            let proxy = Proxy::start(port, there).await;
            config = if way.is_agi() {
                config.replace(&asterisk.agi().to_string(), &there.to_string())
            } else {
                config.replace(&there.to_string(), &proxy.address().to_string())
            };
            line = Some(proxy);
        }
        let folder = way.folder(&stage.crm, asterisk);
        folder.configure(&format!("{config}\n[web]\nlisten = \"{web}\"\n"));
        let disk = match trouble {
            Trouble::Disk if !is_root() => return None,
            Trouble::Disk => Some(Mounted::new(&folder, "size=16m")),
            _ => None,
        };
        let nameplate = folder.serve();
        way.until_ready(&nameplate).await;
        let uptime = Uptime::watch(web);
        uptime.until_up().await;
        Some(Self { nameplate: Some(nameplate), uptime, web, line, disk })
    }

    fn nameplate(&self) -> &Nameplate {
        self.nameplate.as_ref().expect("it is started")
    }

    pub(crate) fn log(&self) -> String {
        self.nameplate().log()
    }

    /// How often it has logged this.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// SIGKILL, and a new start after `dead`.
    pub(crate) async fn kill(&mut self, dead: Duration) {
        self.uptime.away();
        let mut nameplate = self.nameplate.take().expect("it is started");
        nameplate.signal("KILL");
        nameplate.ended().await;
        tokio::time::sleep(dead).await;
        self.nameplate = Some(nameplate.again());
        self.uptime.back();
    }

    /// SIGSTOP, and SIGCONT after `stopped`.
    pub(crate) async fn stop(&mut self, stopped: Duration) {
        self.uptime.away();
        self.nameplate().signal("STOP");
        tokio::time::sleep(stopped).await;
        self.nameplate().signal("CONT");
        self.uptime.back();
    }

    /// Has it ask for its lists now, and waits until they are in place.
    pub(crate) fn refresh(&self) {
        tokio::task::block_in_place(|| self.nameplate().folder().run(&["refresh"]));
    }

    /// Ends its connection with Asterisk, the websocket. It is taken for up no sooner than it has said that it is connected
    /// again: `/readyz` may know of the cut a moment later.
    pub(crate) async fn cut(&mut self) {
        const CONNECTED: &str = "connected; answers go over";
        let before = self.logged(CONNECTED);
        self.uptime.away();
        self.line.as_ref().expect("a line").cut();
        self.nameplate().until_logged(CONNECTED, before + 1).await;
        self.uptime.back();
    }

    /// How many calls it has answered since it was started.
    pub(crate) fn looked_up(&self) -> usize {
        let metrics = web::get(self.web, "/metrics", "").body;
        let counts = metrics.lines().filter(|line| line.starts_with("nameplate_calls_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    }
}
