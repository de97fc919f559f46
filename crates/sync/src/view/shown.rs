//! An event as one reader sees it.

use std::sync::Arc;

use parvis_events::{Membership, Unsigned, write_client_event};
use parvis_storage::{DeviceSn, StoredEvent};
use ruma::OwnedEventId;

/// An event as one reader sees it: the event itself, shared by all who see it, and what is said about it.
#[derive(Clone, Debug)]
pub struct ShownEvent {
    /// The event.
    pub event: Arc<StoredEvent>,
    /// Milliseconds since it was sent.
    pub age: i64,
    /// Whether the reader's device sent it, and is told its own transaction id.
    pub own_transaction: bool,
    /// The reader's membership right after the event.
    pub membership: Option<Membership>,
    /// The state event that it replaced.
    pub replaced: Option<Arc<StoredEvent>>,
    /// The redaction that took its content.
    pub redaction: Option<Arc<StoredEvent>>,
    /// What its children say.
    pub relations: Option<Box<Relations>>,
}

/// What an event's children say, summed up
/// (<https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events>).
#[derive(Clone, Debug, Default)]
pub struct Relations {
    /// The newest replacement.
    pub edit: Option<ShownEvent>,
    /// The events that refer to it, oldest first.
    pub references: Vec<OwnedEventId>,
    /// The thread that begins with it.
    pub thread: Option<ThreadSummary>,
}

/// How a thread stands.
#[derive(Clone, Debug)]
pub struct ThreadSummary {
    /// The newest reply.
    pub latest: ShownEvent,
    /// How many replies there are.
    pub count: u64,
    /// Whether the reader wrote one of them, or the root.
    pub participated: bool,
}

impl ShownEvent {
    /// An event of which nothing but its age is said.
    pub(crate) fn plain(event: &Arc<StoredEvent>, device: DeviceSn, now_millis: i64) -> Self {
        Self {
            age: now_millis.saturating_sub(event.pdu.origin_server_ts()).max(0),
            own_transaction: event.transaction.as_ref().is_some_and(|sent| sent.0 == device),
            membership: None,
            replaced: None,
            redaction: None,
            relations: None,
            event: Arc::clone(event),
        }
    }

    /// Appends the event as clients read it. `/sync` leaves `room_id` out; other endpoints want it.
    pub fn write(&self, out: &mut Vec<u8>, with_room_id: bool) {
        let pdu = &self.event.pdu;
        let redaction = self.redaction.as_ref().map(|redaction| self.redaction_json(redaction));
        let relations = self.relations.as_ref().map(|relations| relations.json());
        let transaction = self.event.transaction.as_ref().filter(|_| self.own_transaction);
        let replaced = self.replaced.as_ref().map(|replaced| &replaced.pdu);
        let unsigned = Unsigned {
            age: Some(self.age),
            transaction_id: transaction.map(|sent| sent.1.as_str()),
            prev_content: replaced.map(parvis_events::Pdu::content),
            prev_sender: replaced.map(parvis_events::Pdu::sender),
            replaces_state: replaced.map(parvis_events::Pdu::event_id),
            membership: self.membership.map(Membership::as_str),
            redacted_because: redaction.as_deref(),
            relations: relations.as_deref(),
            invite_room_state: None,
            knock_room_state: None,
        };
        write_client_event(out, pdu.client_form(), with_room_id.then(|| pdu.room_id()), &unsigned);
    }

    fn redaction_json(&self, redaction: &Arc<StoredEvent>) -> String {
        let age = self.age + self.event.pdu.origin_server_ts() - redaction.pdu.origin_server_ts();
        let unsigned = Unsigned { age: Some(age.max(0)), ..Unsigned::default() };
        let mut out = Vec::with_capacity(512);
        write_client_event(&mut out, redaction.pdu.client_form(), Some(redaction.pdu.room_id()), &unsigned);
        text(out)
    }
}

impl Relations {
    /// Whether the children say nothing.
    pub fn is_empty(&self) -> bool {
        self.edit.is_none() && self.references.is_empty() && self.thread.is_none()
    }

    /// The value of `m.relations`.
    fn json(&self) -> String {
        let mut out = Vec::with_capacity(1_024);
        let mut separator = b'{';
        let mut field = |out: &mut Vec<u8>, name: &str| {
            out.push(separator);
            separator = b',';
            out.extend_from_slice(name.as_bytes());
        };
        if !self.references.is_empty() {
            field(&mut out, "\"m.reference\":{\"chunk\":[");
            for (number, event_id) in self.references.iter().enumerate() {
                out.extend_from_slice(if number == 0 { b"{\"event_id\":" } else { b",{\"event_id\":" });
                write_string(&mut out, event_id.as_str());
                out.push(b'}');
            }
            out.extend_from_slice(b"]}");
        }
        if let Some(edit) = &self.edit {
            field(&mut out, "\"m.replace\":");
            edit.write(&mut out, true);
        }
        if let Some(thread) = &self.thread {
            field(&mut out, "\"m.thread\":{\"count\":");
            out.extend_from_slice(thread.count.to_string().as_bytes());
            out.extend_from_slice(b",\"current_user_participated\":");
            out.extend_from_slice(if thread.participated { b"true" } else { b"false" });
            out.extend_from_slice(b",\"latest_event\":");
            thread.latest.write(&mut out, true);
            out.push(b'}');
        }
        out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
        text(out)
    }
}

fn write_string(out: &mut Vec<u8>, value: &str) {
    // Writing into memory, and of a string, cannot fail.
    let _ = serde_json::to_writer(out, value);
}

/// What was written here is JSON, and so text.
fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_default()
}
