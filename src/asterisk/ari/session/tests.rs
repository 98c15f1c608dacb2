//! Tests of each state and each transition, without sockets and without waiting.

mod calls;
mod end;
mod set_up;
mod time;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::call::StasisMode;
use super::super::error::ConnectionError;
use super::super::response::ContinueResult;
use super::super::warnings::Warnings;
use super::{Input, Job, Output, Report, Session, Task, TaskKind};
use crate::asterisk::pbx_status::PbxStatus;
use crate::call::Handoff;
use crate::observe::metrics;

const NO_CHANNEL: &str = "Channel not found";
const HANDOFF: &[&str] = &["handoff", "1"];

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A session, with its own clock.
struct Pbx {
    session: Session,
    now: Instant,
    /// Frames that were written, and that no test has looked at yet.
    frames: Vec<Value>,
}

impl Pbx {
    /// The websocket is open; the probe has no response yet.
    fn new() -> Self {
        let pbx_status = Arc::new(PbxStatus::new("pbx1", metrics::Pbx::default()));
        let now = Instant::now();
        let (session, outputs) = Session::begin(Arc::new(Warnings::new(pbx_status)), now);
        let mut pbx = Self { session, now, frames: Vec::new() };
        assert_eq!(pbx.keep_frames(outputs), "");
        assert_eq!(pbx.frame()["uri"], "asterisk/info");
        pbx
    }

    /// Asterisk answers requests on the websocket; no call was waiting.
    fn on_websocket() -> Self {
        let mut pbx = Self::new();
        pbx.answer("1", 200, "");
        assert_eq!(pbx.give(Input::WaitingCalls(Ok(Vec::new()))), "learn version");
        assert_eq!(pbx.give(Input::Version("22.10.1".into())), "connected by the websocket to 22.10.1");
        pbx
    }

    /// Requests go over HTTP; no call was waiting.
    fn over_http() -> Self {
        let mut pbx = Self::new();
        assert_eq!(pbx.pass(ms(1_000)), "");
        assert_eq!(pbx.give(Input::WaitingCalls(Ok(Vec::new()))), "learn version");
        assert_eq!(pbx.give(Input::Version("16.28.0".into())), "connected by HTTP to 16.28.0");
        pbx
    }

    /// Gives an input, and returns the outputs in words. Frames are kept in `frames`.
    fn give(&mut self, input: Input<'_>) -> String {
        let outputs = self.session.handle(input, self.now);
        self.keep_frames(outputs)
    }

    fn keep_frames(&mut self, outputs: Vec<Output>) -> String {
        let mut words = Vec::new();
        for output in outputs {
            words.push(match output {
                Output::Send(Message::Text(text)) => {
                    self.frames.push(serde_json::from_str(&text).unwrap());
                    continue;
                }
                Output::Send(Message::Ping(word)) => {
                    format!("ping {}", String::from_utf8_lossy(&word))
                }
                Output::Send(Message::Close(_)) => "close".into(),
                Output::Send(other) => panic!("{other:?}"),
                Output::LookUp { channel, caller, .. } => format!("look up {channel} {}", caller.number),
                Output::Task(Task::Call { channel, job }) => match job {
                    Job::Serve { mode, .. } => {
                        format!(
                            "serve {channel} {}",
                            if mode == StasisMode::Direct { "direct" } else { "handoff" }
                        )
                    }
                    Job::HandOff(_) => format!("hand off {channel}"),
                    Job::Recover => format!("recover {channel}"),
                    Job::LabelMissing => format!("label missing {channel}"),
                    Job::Release { look_first } => {
                        format!("release {channel}{}", if look_first { "?" } else { "" })
                    }
                },
                Output::Task(Task::Check) => "check".into(),
                Output::Task(Task::Sweep) => "sweep".into(),
                Output::LearnVersion => "learn version".into(),
                Output::Connected { version, transport } => format!("connected by {transport} to {version}"),
                Output::End { how, keep_socket } => {
                    let how = how.map_or_else(|error| error.to_string(), |()| "well".into());
                    let socket = if keep_socket { ", the socket is kept" } else { "" };
                    format!("end: {how}{socket}")
                }
            });
        }
        words.join("; ")
    }

    /// Lets time pass, with each wake-up in between, and returns the outputs in words.
    fn pass(&mut self, time: Duration) -> String {
        let end = self.now + time;
        let mut words = Vec::new();
        while let Some(at) = self.session.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            words.push(self.give(Input::Time));
        }
        self.now = end;
        words.retain(|words| !words.is_empty());
        words.join("; ")
    }

    /// Lets time pass without a wake-up: the process is paused.
    fn pause(&mut self, time: Duration) {
        self.now += time;
    }

    fn message(&mut self, event: &Value) -> String {
        self.give(Input::Message(&Message::text(event.to_string())))
    }

    /// A call comes in.
    fn call(&mut self, channel: &str, arguments: &[&str]) -> String {
        self.message(&call(channel, arguments, ""))
    }

    /// The name of a caller is looked up.
    fn name(&mut self, channel: &str) -> String {
        self.give(Input::LookedUp {
            channel: channel.into(),
            handoff: Handoff { extension: "notfound".into(), label: "notfound" },
        })
    }

    /// A call comes in, and its name is looked up. Returns the id of the handoff's request.
    fn hand_off(&mut self, channel: &str) -> String {
        assert_eq!(self.call(channel, HANDOFF), format!("look up {channel} 22334455"));
        assert_eq!(self.name(channel), "");
        self.request(channel)
    }

    /// Asterisk answers a request on the websocket.
    fn answer(&mut self, request: &str, status: u16, message: &str) -> String {
        let body = if message.is_empty() { String::new() } else { json!({ "message": message }).to_string() };
        self.message(&json!({
            "type": "RESTResponse", "request_id": request, "status_code": status, "message_body": body,
        }))
    }

    /// Takes the next frame.
    fn frame(&mut self) -> Value {
        assert!(!self.frames.is_empty(), "no frame was written");
        self.frames.remove(0)
    }

    /// Takes the next frame, which must send this channel on, and returns its request id.
    fn request(&mut self, channel: &str) -> String {
        let frame = self.frame();
        assert_eq!(frame["uri"], format!("channels/{channel}/continue"));
        frame["request_id"].as_str().unwrap().to_owned()
    }

    fn ended(&mut self, task: TaskKind) -> String {
        self.give(Input::TaskEnded { task, release: Vec::new() })
    }

    /// Loses the websocket. No frame must be left before, and the output must be `end`.
    fn lose(mut self, end: &str) {
        assert_eq!(self.frames, Vec::<Value>::new());
        assert_eq!(self.give(Input::Lost(ConnectionError::Lost("gone".into()))), end);
        assert_eq!(self.session.wake_at(), None);
    }
}

fn call(channel: &str, arguments: &[&str], timestamp: &str) -> Value {
    json!({
        "type": "StasisStart", "timestamp": timestamp, "args": arguments,
        "channel": { "id": channel, "caller": { "name": "", "number": "22334455" } },
    })
}

fn failed(status: u16) -> ContinueResult {
    ContinueResult::of(status, "")
}
