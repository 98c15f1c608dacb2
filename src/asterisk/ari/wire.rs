//! The JSON of events, requests and answers, as far as it is used.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The events that are asked for. The answers to requests on the socket are events to Asterisk's filter:
/// without `RESTResponse` they would be dropped.
pub(super) const EVENTS: [&str; 3] = ["StasisStart", "RESTResponse", "ApplicationReplaced"];

/// Any message on the socket: an event, or the answer to a request. `kind` says which fields are there.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    /// `StasisStart`: the arguments of `Stasis()` behind the application.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// `StasisStart`: the call.
    #[serde(borrow)]
    pub(super) channel: Option<Channel<'a>>,
    /// `RESTResponse`: the request that is answered.
    #[serde(borrow)]
    pub(super) request_id: Option<Cow<'a, str>>,
    /// `RESTResponse`: the status, as of HTTP.
    pub(super) status_code: Option<u16>,
    /// `RESTResponse`: the body, JSON in a string.
    #[serde(borrow)]
    pub(super) message_body: Option<Cow<'a, str>>,
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
#[derive(Debug, Deserialize)]
pub(super) struct Caller<'a> {
    /// The number as the trunk sent it, "" when it is unset.
    #[serde(borrow)]
    pub(super) number: Cow<'a, str>,
}

/// Where a channel is in the dialplan.
#[derive(Debug, Deserialize)]
pub(super) struct Dialplan<'a> {
    /// The arguments of the application that runs: `nameplate,handoff,1,NO` (since Asterisk 16.13).
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

/// The part of it that is used.
#[derive(Debug, Deserialize)]
pub(super) struct System {
    pub(super) version: String,
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

/// A request on the socket.
#[derive(Debug, Serialize)]
pub(super) struct RestRequest<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) transaction_id: &'a str,
    pub(super) request_id: &'a str,
    pub(super) method: &'static str,
    /// Relative, without a slash in front.
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
        let channel = event.channel.unwrap();
        assert!(matches!(&channel.caller.number, Cow::Borrowed("+4722334455")));
        assert_eq!(channel.dialplan.unwrap().app_data, "nameplate,handoff,1,NO");
    }

    #[test]
    fn an_answer_is_read() {
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
