//! A real browser: Debian's Chromium without a screen, driven over WebDriver (W3C). It is gone when it is dropped.
//!
//! The client is ours. Of the crates for it, fantoccini stands on one of another licence, and thirtyfour adds to `String`, which
//! makes `String + &String` ambiguous in all tests.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::fmt::Debug;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::machine::{free_tcp_port, installed, is_root};
use super::nameplate::project;

/// How long a page may take for what a test waits for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The script that finds barriers.
static AXE: LazyLock<String> = LazyLock::new(|| fs::read_to_string(installed("axe")).expect("axe-core"));

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Its name.
    pub name: &'static str,
    /// The width and the height of the window, in pixels of the screen.
    pub window: (u32, u32),
    /// How many pixels of the screen a pixel of the page has: 2 at 200 %.
    pub zoom: u32,
    /// Whether the person likes dark pages.
    pub dark: bool,
}

impl Look {
    /// A desk.
    const WIDE: Self = Self { name: "wide-light", window: (1280, 900), zoom: 1, dark: false };
    /// A phone.
    const NARROW: Self = Self { name: "narrow-light", window: (390, 844), ..Self::WIDE };
    /// A desk at 200 %.
    const ZOOMED: Self = Self { name: "zoomed-light", zoom: 2, ..Self::WIDE };

    /// Each of them, light and dark.
    pub(crate) const ALL: [Self; 6] = [
        Self::WIDE,
        Self { name: "wide-dark", dark: true, ..Self::WIDE },
        Self::NARROW,
        Self { name: "narrow-dark", dark: true, ..Self::NARROW },
        Self::ZOOMED,
        Self { name: "zoomed-dark", dark: true, ..Self::ZOOMED },
    ];

    /// A desk and a phone, for pages in Norwegian.
    pub(crate) const IN_NORWEGIAN: [Self; 2] =
        [Self { name: "wide-norwegian", ..Self::WIDE }, Self { name: "narrow-norwegian", ..Self::NARROW }];
}

/// The browser, with one window.
pub(crate) struct Browser {
    /// Where its driver listens.
    driver: SocketAddr,
    /// The path of its session.
    session: String,
    process: process::Child,
    /// What the browser keeps. Its path tells the browser's processes from others.
    profile: TempDir,
}

impl Browser {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], json!({})).await
    }

    /// The same, where pages have no JavaScript.
    pub(crate) async fn without_scripts() -> Self {
        Self::start_with(&[], json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    /// The same for a server whose certificate nobody knows.
    pub(crate) async fn trusting_anybody() -> Self {
        Self::start_with(&["--ignore-certificate-errors"], json!({})).await
    }

    async fn start_with(arguments: &[&str], preferences: Value) -> Self {
        let driver = tokio::task::block_in_place(|| installed("browser"));
        let profile = tempfile::tempdir().expect("a folder");
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, free_tcp_port()));
        let mut command = Command::new(driver);
        command.arg(format!("--port={}", at.port())).env("HOME", profile.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("chromedriver");
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            assert!(begun.elapsed() < PATIENCE, "chromedriver does not listen at {at}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let data = format!("--user-data-dir={}", profile.path().join("data").display());
        let mut all = vec![
            "--headless=new",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--no-first-run",
            &data,
        ];
        all.extend(is_root().then_some("--no-sandbox"));
        all.extend(arguments);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": all, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { driver: at, session: String::new(), process, profile };
        let session =
            browser.order("POST", "/session", &wanted).unwrap_or_else(|why| panic!("no browser: {why}"));
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        browser.look(Look::WIDE).await;
        browser
    }

    /// What the driver answers to a command; or its error.
    fn order(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let (at, session) = (self.driver, &self.session);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let request = format!(
            "{method} {session}{path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let (status, answer) =
            tokio::task::block_in_place(|| exchange(at, &request)).map_err(|error| error.to_string())?;
        let mut said: Value = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        let value = said["value"].take();
        if status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }

    /// The same for a command of the session that must go well.
    fn get(&self, path: &str) -> Value {
        self.order("GET", path, &Value::Null).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.order("POST", path, body).unwrap_or_else(|why| panic!("{path} {body}: {why}"))
    }

    /// Looks at pages so from now on.
    pub(crate) async fn look(&self, look: Look) {
        let (width, height) = (look.window.0 / look.zoom, look.window.1 / look.zoom);
        self.tool(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": look.zoom, "mobile": false }),
        )
        .await;
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme },
                              { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.tool("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn tool(&self, command: &str, parameters: Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// Lets the pages of this origin do what a person would be asked for, such as `notifications`.
    pub(crate) async fn grant(&self, origin: &str, permission: &str) {
        self.tool("Browser.grantPermissions", json!({ "origin": origin, "permissions": [permission] })).await;
    }

    /// Opens a page.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Where the browser is.
    pub(crate) async fn url(&self) -> String {
        self.get("/url").as_str().expect("an address").to_owned()
    }

    /// The page as it is.
    pub(crate) async fn source(&self) -> String {
        self.get("/source").as_str().expect("a page").to_owned()
    }

    /// The cookies of the page, as WebDriver writes them.
    pub(crate) async fn cookies(&self) -> Value {
        self.get("/cookie")
    }

    /// What a script on the page says: the value of an expression. One that is a promise is waited for.
    pub(crate) async fn says<T: DeserializeOwned + Debug>(&self, expression: &str) -> T {
        let said =
            self.post("/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }));
        serde_json::from_value(said.clone()).unwrap_or_else(|error| panic!("{expression}: {error}: {said}"))
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// With the page, when it is not after 30 s.
    pub(crate) async fn until(&self, expression: &str) {
        let begun = Instant::now();
        while !self.says::<bool>(&format!("Boolean({expression})")).await {
            if begun.elapsed() > PATIENCE {
                panic!("{expression}\n{}\n{}", self.url().await, self.source().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The path of the first element of a selector of CSS.
    ///
    /// # Panics
    /// With the page, when there is none.
    async fn element(&self, selector: &str) -> String {
        match self.order("POST", "/element", &json!({ "using": "css selector", "value": selector })) {
            // The name of the one field is a constant of WebDriver's.
            Ok(element) => {
                let id = element.as_object().and_then(|element| element.values().next()?.as_str());
                format!("/element/{}", id.expect("an element"))
            }
            Err(why) => panic!("{selector}: {why}\n{}", self.source().await),
        }
    }

    /// What is written in an element, as a person sees it.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let element = self.element(selector).await;
        self.get(&format!("{element}/text")).as_str().expect("text").to_owned()
    }

    /// Clicks on an element as a person does: one that is covered can't be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/click"), &json!({}));
    }

    /// Writes into a field.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let keys = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": keys.collect::<Vec<_>>() });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks on a link that opens a window of its own, gives its address, and closes it.
    pub(crate) async fn follow(&self, selector: &str) -> String {
        let own = self.get("/window");
        self.click(selector).await;
        let begun = Instant::now();
        let other = loop {
            let windows = self.get("/window/handles");
            if let Some(other) = windows.as_array().into_iter().flatten().find(|window| **window != own) {
                break other.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{selector} opens no window");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.post("/window", &json!({ "handle": other }));
        self.until("location.href !== 'about:blank'").await;
        let url = self.url().await;
        self.order("DELETE", "/window", &Value::Null).expect("an end of the other window");
        self.post("/window", &json!({ "handle": own }));
        url
    }

    /// What the console says since the last question, but for what contains one of `expected`.
    pub(crate) async fn console(&self, expected: &[&str]) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        let lines = entries
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| format!("{} {}", entry["level"], entry["message"]));
        lines.filter(|line| !expected.iter().any(|expected| line.contains(expected))).collect()
    }

    /// Every violation of WCAG 2.2 A and AA on the page that axe-core finds, a line each.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        self.post("/execute/sync", &json!({ "script": *AXE, "args": [] }));
        let run = "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) => \
                   ({ passes: found.passes.length, lines: found.violations.flatMap((one) => one.nodes.map((node) => \
                   `${one.id}: ${node.html}: ${node.failureSummary}`)) }))";
        let mut found: Value = self.says(run).await;
        assert!(found["passes"].as_u64() > Some(10), "axe-core has looked at nothing: {found}");
        serde_json::from_value(found["lines"].take()).expect("lines")
    }

    /// Takes a picture of the whole page, into `target/screenshots/`.
    pub(crate) async fn picture(&self, name: &str, look: Look) {
        let height: u32 =
            self.says("Math.ceil(document.documentElement.getBoundingClientRect().height)").await;
        let whole =
            Look { window: (look.window.0, (height * look.zoom).clamp(look.window.1, 6_000)), ..look };
        self.look(whole).await;
        let png = self.get("/screenshot");
        let png = BASE64_STANDARD.decode(png.as_str().expect("a picture")).expect("a picture");
        self.look(look).await;
        let folder = project().join("target/screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}-{}.png", look.name)), png).expect("a file");
    }

    /// Ends it in peace.
    pub(crate) async fn end(self) {
        self.order("DELETE", "", &Value::Null).expect("an end");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        end_all(self.profile.path());
    }
}

/// Asks the driver; the status and the body of its answer. It keeps the connection open.
fn exchange(at: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    // A page may take its time to load.
    stream.set_read_timeout(Some(2 * PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.get(..3).and_then(|status| status.parse().ok()).unwrap_or_default();
        }
        if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Ends all processes that have this folder in their command line.
fn end_all(folder: &Path) {
    let folder = folder.display().to_string();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        if String::from_utf8_lossy(&line).contains(&folder) {
            let _ = Command::new("kill").arg("-KILL").arg(entry.file_name()).stderr(Stdio::null()).status();
        }
    }
}
