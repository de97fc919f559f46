//! `POST /_matrix/federation/unstable/event_relationships`: the tree of replies around an event
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>). Clients ask the same of their server.

use ruma::{
    OwnedEventId, OwnedRoomId,
    api::{
        BytesBody, IncomingRequest, IncomingResponse, Metadata as _, OutgoingRequest, OutgoingResponse,
        error::{DeserializationError, Error, IntoHttpError},
        federation::authentication::ServerSignatures,
        metadata,
        path_builder::PathBuilder as _,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Which way a tree of replies is walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To what was replied to.
    Up,
    /// To the replies.
    #[default]
    Down,
}

/// A question for the tree of replies around an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The event.
    pub event_id: OwnedEventId,
    /// Its room, by which a server that does not have the event knows whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<OwnedRoomId>,
    /// How far the walk goes from the event; negative for no bound.
    #[serde(default = "three")]
    pub max_depth: i64,
    /// How many replies to one event it takes; negative for no bound.
    #[serde(default = "ten")]
    pub max_breadth: i64,
    /// How many events are given at most.
    #[serde(default = "hundred")]
    pub limit: u64,
    /// Whether the walk follows a branch to its end before the next one.
    #[serde(default)]
    pub depth_first: bool,
    /// Whether of the replies to one event the newest come first.
    #[serde(default = "yes")]
    pub recent_first: bool,
    /// Whether what the event replies to is given too.
    #[serde(default)]
    pub include_parent: bool,
    /// Whether the replies to the event are given too.
    #[serde(default)]
    pub include_children: bool,
    /// Which way the walk goes.
    #[serde(default)]
    pub direction: Way,
}

fn three() -> i64 {
    3
}

fn ten() -> i64 {
    10
}

fn hundred() -> u64 {
    100
}

fn yes() -> bool {
    true
}

impl Request {
    /// The usual question for an event and what stands around it.
    pub fn around(event_id: OwnedEventId, room_id: OwnedRoomId) -> Self {
        Self {
            event_id,
            room_id: Some(room_id),
            max_depth: three(),
            max_breadth: ten(),
            limit: hundred(),
            depth_first: false,
            recent_first: true,
            include_parent: true,
            include_children: true,
            direction: Way::Down,
        }
    }
}

/// The answer of another server.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Response {
    /// The events, the nearest first.
    #[serde(default)]
    pub events: Vec<Box<RawValue>>,
    /// What authorises them.
    #[serde(default)]
    pub auth_chain: Vec<Box<RawValue>>,
    /// Whether there are more than were asked for.
    #[serde(default)]
    pub limited: bool,
}

metadata! {
    method: POST,
    rate_limited: false,
    authentication: ServerSignatures,
    path: "/_matrix/federation/unstable/event_relationships",
}

impl OutgoingRequest for Request {
    type Body = BytesBody;
    type EndpointError = Error;
    type IncomingResponse = Response;

    fn try_into_http_request_inner(
        self,
        base_url: &str,
        (): (),
    ) -> Result<http::Request<Self::Body>, IntoHttpError> {
        let url = Self::PATH_BUILDER.make_endpoint_url((), base_url, &[], "")?;
        let request = http::Request::builder().method(Self::METHOD).uri(url);
        let request = request.header(http::header::CONTENT_TYPE, "application/json");
        Ok(request.body(BytesBody(serde_json::to_vec(&self)?))?)
    }
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        Ok(serde_json::from_slice(request.body())?)
    }
}

impl OutgoingResponse for Response {
    type Body = BytesBody;

    fn try_into_http_response_inner(self) -> Result<http::Response<Self::Body>, IntoHttpError> {
        let response = http::Response::builder().header(http::header::CONTENT_TYPE, "application/json");
        Ok(response.body(BytesBody(serde_json::to_vec(&self)?))?)
    }
}

impl IncomingResponse for Response {
    type EndpointError = Error;

    fn try_from_http_response_inner(response: http::Response<&[u8]>) -> Result<Self, DeserializationError> {
        Ok(serde_json::from_slice(response.body())?)
    }
}
