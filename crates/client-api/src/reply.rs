//! Answers whose JSON is written directly, because they carry events: each event's text is made once, and
//! copied from there into every answer.

mod event_shape;
mod notifications;
mod sliding;
mod sync;
mod threads;

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderValue, header::CONTENT_TYPE};
use parvis_events::{Unsigned, write_client_event};
use parvis_rooms::StoredEvent;
use parvis_sync::ShownEvent;
use serde_json::Value;

pub(crate) use self::notifications::notifications;
pub(crate) use self::sliding::{SlidingForm, sliding};
pub(crate) use self::sync::{StateField, sync, sync_text, sync_value};
pub(crate) use self::threads::thread_changes;

/// An answer that is JSON already.
pub(crate) fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that is one event.
pub(crate) fn event(event: &ShownEvent) -> Response {
    let mut body = Vec::new();
    event.write(&mut body, true);
    json(body)
}

/// Events as a value, for answers that are given another shape.
pub(crate) fn events_value(events: &[ShownEvent]) -> Value {
    let value = |event: &ShownEvent| {
        let mut body = Vec::new();
        event.write(&mut body, true);
        // What was just written is JSON.
        serde_json::from_slice::<Value>(&body).unwrap_or_default()
    };
    events.iter().map(value).collect()
}

/// A JSON object that is written field by field.
pub(crate) struct Reply {
    body: Vec<u8>,
}

impl Reply {
    /// An object without fields.
    pub(crate) fn new() -> Self {
        Self { body: vec![b'{'] }
    }

    fn key(&mut self, name: &str) {
        if self.body.len() > 1 {
            self.body.push(b',');
        }
        self.body.extend_from_slice(Value::from(name).to_string().as_bytes());
        self.body.push(b':');
    }

    /// A list of events.
    pub(crate) fn events(mut self, name: &str, events: &[ShownEvent]) -> Self {
        self.key(name);
        self.body.push(b'[');
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                self.body.push(b',');
            }
            event.write(&mut self.body, true);
        }
        self.body.push(b']');
        self
    }

    /// One event.
    pub(crate) fn event(mut self, name: &str, event: &ShownEvent) -> Self {
        self.key(name);
        event.write(&mut self.body, true);
        self
    }

    /// A text.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.key(name);
        self.body.extend_from_slice(Value::from(value).to_string().as_bytes());
        self
    }

    /// A number.
    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.key(name);
        self.body.extend_from_slice(value.to_string().as_bytes());
        self
    }

    /// The answer.
    pub(crate) fn done(mut self) -> Response {
        self.body.push(b'}');
        json(self.body)
    }
}

/// State events as they are, for those who may read all of a room's state.
pub(crate) struct StateEvents<'a>(&'a [Arc<StoredEvent>]);

/// State events, to be answered as a list or one by one.
pub(crate) fn state_events(events: &[Arc<StoredEvent>]) -> StateEvents<'_> {
    StateEvents(events)
}

impl StateEvents<'_> {
    fn write(event: &StoredEvent, out: &mut Vec<u8>) {
        let unsigned = Unsigned::default();
        write_client_event(out, event.pdu.client_form(), Some(event.pdu.room_id()), &unsigned);
    }

    /// Them as a value.
    pub(crate) fn value(&self) -> Value {
        let value = |event: &Arc<StoredEvent>| {
            let mut body = Vec::new();
            Self::write(event, &mut body);
            // What was just written is JSON.
            serde_json::from_slice::<Value>(&body).unwrap_or_default()
        };
        self.0.iter().map(value).collect()
    }

    /// The answer that is a list of them.
    pub(crate) fn list(&self) -> Response {
        let mut body = vec![b'['];
        for (index, event) in self.0.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            Self::write(event, &mut body);
        }
        body.push(b']');
        json(body)
    }

    /// The answer that is the first of them.
    pub(crate) fn one(&self) -> Response {
        let mut body = Vec::new();
        if let Some(event) = self.0.first() {
            Self::write(event, &mut body);
        }
        json(body)
    }
}
