//! Answers whose JSON is written directly, because they carry events: each event's text is copied as it is kept.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header::CONTENT_TYPE};
use parvis_events::Pdu;
use serde_json::Value;

/// A JSON object that is written field by field.
pub(crate) struct Reply {
    body: Vec<u8>,
}

impl Reply {
    /// An object without fields.
    pub(crate) fn new() -> Self {
        Self { body: vec![b'{'] }
    }

    /// A list of events.
    pub(crate) fn pdus<'a>(mut self, name: &str, pdus: impl IntoIterator<Item = &'a Pdu>) -> Self {
        self.key(name);
        self.body.push(b'[');
        for (index, pdu) in pdus.into_iter().enumerate() {
            if index > 0 {
                self.body.push(b',');
            }
            self.body.extend_from_slice(pdu.json().as_bytes());
        }
        self.body.push(b']');
        self
    }

    /// An event.
    pub(crate) fn pdu(mut self, name: &str, pdu: &Pdu) -> Self {
        self.key(name);
        self.body.extend_from_slice(pdu.json().as_bytes());
        self
    }

    /// Any other value.
    pub(crate) fn value(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.key(name);
        self.body.extend_from_slice(value.into().to_string().as_bytes());
        self
    }

    /// The answer.
    pub(crate) fn done(mut self) -> Response {
        self.body.push(b'}');
        json(self.body)
    }

    /// The answer in the oldest form: a list of the status and the answer.
    pub(crate) fn done_after_status(self) -> Response {
        let mut body = Vec::with_capacity(self.body.len() + 8);
        body.extend_from_slice(b"[200,");
        body.extend_from_slice(&self.body);
        body.extend_from_slice(b"}]");
        json(body)
    }

    fn key(&mut self, name: &str) {
        if self.body.len() > 1 {
            self.body.push(b',');
        }
        self.body.extend_from_slice(Value::from(name).to_string().as_bytes());
        self.body.push(b':');
    }
}

/// An answer that is JSON already.
pub(crate) fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
