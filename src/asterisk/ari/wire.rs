//! The JSON of events, requests and responses: only the fields that are used.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::fmt::strtime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::call::{self, Party};
use crate::calls::Leg;
use crate::number::Country;

/// The events that Asterisk has to send. For its event filter a response on the websocket is an event, too: without
/// `RESTResponse` it would be dropped.
pub(super) const EVENTS: [&str; 3] = ["StasisStart", "RESTResponse", "ApplicationReplaced"];

/// The channel of a check whether calls could be sent on. No channel has this id.
pub(super) const CHECK_CHANNEL: &str = "nameplate-asks-whether-it-could-send-a-call-on";

/// The characters that are not encoded in a path: those of Asterisk's own channel ids.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A channel's id, or a variable's name, as one segment of a path.
pub(super) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, PLAIN)
}

/// `channels/{id}/continue`
pub(super) fn continue_path(channel: &str) -> String {
    format!("channels/{}/continue", segment(channel))
}

/// A message on the websocket: an event, or the response to a request. `kind` says which fields are present.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    /// The time of the event, by Asterisk's clock; "" for none.
    #[serde(default, borrow)]
    pub(super) timestamp: Cow<'a, str>,
    /// `StasisStart`: the arguments of `Stasis()` behind the application.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// `StasisStart`: the call's channel.
    #[serde(borrow)]
    pub(super) channel: Option<Channel<'a>>,
    /// `RESTResponse`: the request's id.
    #[serde(borrow)]
    pub(super) request_id: Option<Cow<'a, str>>,
    /// `RESTResponse`: the HTTP status.
    pub(super) status_code: Option<u16>,
    /// `RESTResponse`: the body: JSON in a string.
    #[serde(borrow)]
    pub(super) message_body: Option<Cow<'a, str>>,
}

impl Message<'_> {
    /// The time of the event, by Asterisk's clock.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let time = strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", self.timestamp.as_ref());
        time.and_then(|time| time.to_timestamp()).ok()
    }
}

/// A channel's snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct Channel<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) caller: Caller<'a>,
    #[serde(borrow)]
    pub(super) dialplan: Option<Dialplan<'a>>,
}

/// The caller of a channel.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Caller<'a> {
    /// The provider's name for the caller; "" for none, and for a name that is not UTF-8.
    #[serde(default, borrow)]
    pub(super) name: Cow<'a, str>,
    /// The number as the trunk sent it; "" for none.
    #[serde(borrow)]
    pub(super) number: Cow<'a, str>,
    /// The number called, which an argument of `Stasis()` says; "" for none.
    #[serde(skip)]
    pub(super) dialled: Cow<'a, str>,
}

impl Caller<'_> {
    /// The call, with the end whose name is wanted and the trunk's country.
    pub(super) fn wanting(&self, wanted: Party, country: Option<Country>) -> call::Caller<'_> {
        call::Caller { number: &self.number, name: &self.name, dialled: &self.dialled, wanted, country }
    }

    /// The call of this channel, for the history of calls.
    pub(super) fn leg<'a>(&'a self, channel: &'a str, wanted: Party) -> Leg<'a> {
        Leg { channel, number: &self.number, called: &self.dialled, wanted }
    }

    /// A copy of the texts, with the number called.
    pub(super) fn dialling(self, dialled: &str) -> Caller<'static> {
        Caller {
            name: self.name.into_owned().into(),
            number: self.number.into_owned().into(),
            dialled: dialled.to_owned().into(),
        }
    }
}

impl Channel<'_> {
    /// Where the channel is, by its snapshot.
    pub(super) fn location(&self, app: &str) -> SnapshotLocation<'_> {
        let Some(dialplan) = &self.dialplan else { return SnapshotLocation::NotSaid };
        match (dialplan.app_name.as_ref(), dialplan.app_data.as_ref()) {
            ("" | "Stasis", "") => SnapshotLocation::NotSaid,
            ("Stasis", data) if data.split(',').next().map(str::trim) == Some(app) => {
                SnapshotLocation::Ours(data)
            }
            _ => SnapshotLocation::Elsewhere,
        }
    }
}

/// Where a channel is, by its snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SnapshotLocation<'a> {
    /// In our application; with the arguments of `Stasis()`, the application's name first.
    Ours(&'a str),
    /// In another application, or elsewhere in the dialplan.
    Elsewhere,
    /// The snapshot does not say: Asterisk before 16.13.
    NotSaid,
}

/// The position of a channel in the dialplan.
#[derive(Debug, Deserialize)]
pub(super) struct Dialplan<'a> {
    /// The running dialplan application: `Stasis` (since Asterisk 16.13).
    #[serde(default, borrow)]
    pub(super) app_name: Cow<'a, str>,
    /// The arguments of the running dialplan application: `nameplate,handoff,1,NO` (since Asterisk 16.13).
    #[serde(default, borrow)]
    pub(super) app_data: Cow<'a, str>,
}

/// `GET applications/{app}`.
#[derive(Debug, Deserialize)]
pub(super) struct ApplicationInfo {
    pub(super) channel_ids: Vec<String>,
}

/// `GET asterisk/info`.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) system: System,
}

/// The system part of [`Info`].
#[derive(Debug, Deserialize)]
pub(super) struct System {
    pub(super) version: String,
}

/// One of the modules of `GET asterisk/modules`.
#[derive(Debug, Deserialize)]
pub(super) struct Module {
    /// `res_ari.so`
    pub(super) name: String,
    /// `Running`, or `Not Running` for a module that is loaded and lacks its configuration.
    pub(super) status: String,
}

/// One of the settings of `GET asterisk/config/dynamic/…`.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigTuple {
    pub(super) attribute: String,
    pub(super) value: String,
}

/// `GET channels/{id}/variable`.
#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    pub(super) value: String,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody<'a> {
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
}

/// The body of an error, only for people. The message is in `error` if Asterisk has run out of memory.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorWords<'a> {
    #[serde(borrow, alias = "error")]
    pub(super) message: Cow<'a, str>,
}

/// A call of a `StasisStart` event, with its own texts: for fuzzing.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The channel's id.
    pub channel: String,
    /// The caller's number as the trunk sent it.
    pub number: String,
    /// The provider's name for the caller.
    pub name: String,
    /// The arguments of `Stasis()` behind the application.
    pub arguments: Vec<String>,
    /// The path below `/ari/` that sends the call on.
    pub sent_on_by: String,
}

/// Reads a `StasisStart` event as a session does: for fuzzing.
#[doc(hidden)]
#[must_use]
pub fn started(text: &str) -> Option<Started> {
    let event: Message<'_> = serde_json::from_str(text).ok()?;
    let channel = event.channel.filter(|_| event.kind == "StasisStart")?;
    let Caller { name, number, .. } = channel.caller;
    Some(Started {
        sent_on_by: continue_path(&channel.id),
        channel: channel.id.into_owned(),
        number: number.into_owned(),
        name: name.into_owned(),
        arguments: event.args,
    })
}

/// What is wrong with a JSON text, without quoting it. serde_json's own message quotes the text, which may have a caller's
/// number in it.
pub(super) fn complaint(error: &serde_json::Error) -> String {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}

/// A request on the websocket.
#[derive(Debug, Serialize)]
pub(super) struct RestRequest<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) transaction_id: &'a str,
    pub(super) request_id: &'a str,
    pub(super) method: &'static str,
    /// Relative to `/ari/`, without a slash in front.
    pub(super) uri: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) query_strings: &'a [Parameter<'a>],
}

/// A parameter of a request: raw, not percent-encoded.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'static str,
    pub(super) value: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_without_copying_its_texts() {
        let event: Message<'_> = serde_json::from_str(
            r#"{"type":"StasisStart","timestamp":"2026-07-31T12:00:00.000+0000","args":["handoff","1","NO"],
                "channel":{"id":"1753963200.7","name":"PJSIP/trunk-00000003","state":"Ring",
                "caller":{"name":"Zo\u00eb","number":"+4722334455"},"connected":{"name":"","number":""},
                "dialplan":{"context":"nameplate","exten":"lookup","priority":5,"app_name":"Stasis",
                "app_data":"nameplate,handoff,1,NO"}},"asterisk_id":"x","application":"nameplate"}"#,
        )
        .unwrap();
        assert_eq!(event.args, ["handoff", "1", "NO"]);
        assert_eq!(event.time().unwrap().as_millisecond(), 1_785_499_200_000);
        let channel = event.channel.unwrap();
        assert!(matches!(&channel.caller.number, Cow::Borrowed("+4722334455")));
        assert_eq!(channel.caller.name, "Zoë");
        assert_eq!(channel.dialplan.unwrap().app_data, "nameplate,handoff,1,NO");
        let caller = channel.caller.dialling("22180000");
        let texts = (caller.name.as_ref(), caller.number.as_ref(), caller.dialled.as_ref());
        assert_eq!(texts, ("Zoë", "+4722334455", "22180000"));
    }

    #[test]
    fn a_snapshot_shows_whether_the_call_is_in_our_application() {
        use SnapshotLocation::{Elsewhere, NotSaid, Ours};
        for (dialplan, location) in [
            (r#","dialplan":{"app_name":"Stasis","app_data":"nameplate"}"#, Ours("nameplate")),
            (
                r#","dialplan":{"app_name":"Stasis","app_data":"nameplate,handoff,1,NO"}"#,
                Ours("nameplate,handoff,1,NO"),
            ),
            (r#","dialplan":{"app_name":"Stasis","app_data":"nameplate-2,handoff,1,NO"}"#, Elsewhere),
            (r#","dialplan":{"app_name":"Stasis","app_data":"ivr,nameplate"}"#, Elsewhere),
            (r#","dialplan":{"app_name":"Dial","app_data":"nameplate"}"#, Elsewhere),
            (r#","dialplan":{"app_name":"Wait","app_data":""}"#, Elsewhere),
            (r#","dialplan":{"context":"from-trunk","exten":"100","priority":2}"#, NotSaid),
            ("", NotSaid),
        ] {
            let snapshot = format!(r#"{{"id":"1","caller":{{"name":"","number":""}}{dialplan}}}"#);
            let channel: Channel<'_> = serde_json::from_str(&snapshot).unwrap();
            assert_eq!(channel.location("nameplate"), location, "{snapshot}");
        }
    }

    #[test]
    fn any_channel_id_stays_one_segment_of_the_path() {
        assert_eq!(continue_path("1753963200.7"), "channels/1753963200.7/continue");
        assert_eq!(continue_path("a/../b?c +"), "channels/a%2F..%2Fb%3Fc%20%2B/continue");
    }

    #[test]
    fn a_complaint_does_not_quote_the_text() {
        let text = r#"{"type":"StasisStart","args":"+4722334455"}"#;
        let error = serde_json::from_str::<Message<'_>>(text).unwrap_err();
        assert!(error.to_string().contains("4722334455"), "{error}");
        assert_eq!(complaint(&error), "Data error at line 1 column 42");
    }

    #[test]
    fn a_response_is_read() {
        let answer: Message<'_> = serde_json::from_str(
            r#"{"type":"RESTResponse","transaction_id":"n","request_id":"7","status_code":404,
                "reason_phrase":"Not Found","uri":"channels/1/continue","content_type":"application/json",
                "message_body":"{\"message\":\"Channel not found\"}"}"#,
        )
        .unwrap();
        assert_eq!((answer.request_id.as_deref(), answer.status_code), (Some("7"), Some(404)));
        let body = answer.message_body.unwrap();
        assert_eq!(serde_json::from_str::<ErrorBody<'_>>(&body).unwrap().message, "Channel not found");
    }
}
