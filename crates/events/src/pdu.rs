//! The event that everybody works with: well-formed, signed, immutable, shared.
//!
//! Does not know whether the event was accepted, where it stands in a room, or what replaced it.

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId, events::TimelineEventType,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    canonical,
    client_form::{ClientFields, ClientForm},
    format::FormatError,
    hash::signed_text,
    redaction::redacted_event,
    room_version::RoomVersion,
    server_key::{ServerKey, insert_signature},
};

/// An event of a room, as federated and stored.
///
/// Cloning copies a pointer. Two `Pdu`s are equal when their event ids are.
#[derive(Clone)]
pub struct Pdu(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) event_id: OwnedEventId,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) version: RoomVersion,
    pub(crate) json: Arc<str>,
    /// Where `content` stands in `json`.
    pub(crate) content: Range<usize>,
    pub(crate) sender: OwnedUserId,
    pub(crate) kind: Box<str>,
    pub(crate) state_key: Option<Box<str>>,
    pub(crate) redacts: Option<OwnedEventId>,
    pub(crate) origin_server_ts: i64,
    pub(crate) depth: i64,
    pub(crate) prev_events: Box<[OwnedEventId]>,
    pub(crate) auth_events: Box<[OwnedEventId]>,
    pub(crate) event_type: OnceLock<TimelineEventType>,
    pub(crate) client_form: OnceLock<ClientForm>,
    pub(crate) memo: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// The fields that are read out of an event's JSON.
#[derive(Deserialize)]
struct Fields<'a> {
    auth_events: Vec<OwnedEventId>,
    #[serde(borrow)]
    content: &'a RawValue,
    depth: i64,
    origin_server_ts: i64,
    prev_events: Vec<OwnedEventId>,
    #[serde(borrow)]
    redacts: Option<&'a RawValue>,
    sender: OwnedUserId,
    #[serde(borrow)]
    state_key: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// The field of a redaction's content that names its target.
#[derive(Deserialize)]
struct RedactionContent {
    redacts: Option<OwnedEventId>,
}

impl Pdu {
    /// Brings an event back from storage.
    ///
    /// The JSON is trusted: it is what [`Pdu::json`] gave when the event was stored. Neither hash nor
    /// signature nor event id is checked again.
    ///
    /// # Errors
    ///
    /// [`StoredPduError`] where the JSON is not an event: the storage is damaged.
    pub fn from_stored(
        event_id: OwnedEventId,
        room_id: OwnedRoomId,
        version: RoomVersion,
        json: impl Into<Arc<str>>,
    ) -> Result<Self, StoredPduError> {
        let json = json.into();
        let fields: Fields<'_> =
            serde_json::from_str(&json).map_err(|error| StoredPduError::new(&event_id, error.to_string()))?;
        let start = (fields.content.get().as_ptr() as usize).saturating_sub(json.as_ptr() as usize);
        let content = start..start + fields.content.get().len();
        let redacts = redacts_of(version, &fields);
        let Fields { auth_events, depth, origin_server_ts, prev_events, sender, state_key, kind, .. } =
            fields;
        let (kind, state_key) = (kind.into(), state_key.map(Into::into));
        Ok(Self::assemble(Inner {
            event_id,
            room_id,
            version,
            content,
            sender,
            kind,
            state_key,
            redacts,
            origin_server_ts,
            depth,
            prev_events: prev_events.into(),
            auth_events: auth_events.into(),
            event_type: OnceLock::new(),
            client_form: OnceLock::new(),
            memo: OnceLock::new(),
            json,
        }))
    }

    /// Puts together an event whose parts are known to fit its JSON.
    pub(crate) fn assemble(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The event's id.
    pub fn event_id(&self) -> &EventId {
        &self.0.event_id
    }

    /// The event's id, as a cheap clone.
    pub fn owned_event_id(&self) -> &OwnedEventId {
        &self.0.event_id
    }

    /// The room of the event, also for create events whose JSON does not name it.
    pub fn room_id(&self) -> &RoomId {
        &self.0.room_id
    }

    /// The room of the event, to be cloned cheaply.
    pub fn owned_room_id(&self) -> &OwnedRoomId {
        &self.0.room_id
    }

    /// The version of the event's room.
    pub fn version(&self) -> RoomVersion {
        self.0.version
    }

    /// The user who sent the event.
    pub fn sender(&self) -> &UserId {
        &self.0.sender
    }

    /// The sender, to be cloned cheaply.
    pub fn owned_sender(&self) -> &OwnedUserId {
        &self.0.sender
    }

    /// The event's `type`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The event's `type` as ruma's enumeration.
    pub fn event_type(&self) -> &TimelineEventType {
        self.0.event_type.get_or_init(|| TimelineEventType::from(self.kind()))
    }

    /// The state key, of state events.
    pub fn state_key(&self) -> Option<&str> {
        self.0.state_key.as_deref()
    }

    /// Whether this is a state event.
    pub fn is_state(&self) -> bool {
        self.0.state_key.is_some()
    }

    /// Whether this is the state event of a type and state key.
    pub fn is_state_of(&self, kind: &str, state_key: &str) -> bool {
        self.kind() == kind && self.state_key() == Some(state_key)
    }

    /// Whether this is the room's `m.room.create` event.
    pub fn is_create(&self) -> bool {
        self.is_state_of("m.room.create", "")
    }

    /// The text of `content`: canonical JSON, always an object.
    pub fn content_json(&self) -> &str {
        self.0.json.get(self.0.content.clone()).unwrap_or("{}")
    }

    /// `content` as raw JSON. Costs a scan of the text; prefer [`Pdu::content_json`].
    pub fn content(&self) -> &RawValue {
        serde_json::from_str(self.content_json()).unwrap_or(RawValue::NULL)
    }

    /// `content` read as a type, which may borrow from the event.
    ///
    /// # Errors
    ///
    /// Those of serde: senders may put anything into `content`.
    pub fn content_as<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.content_json())
    }

    /// When the sender's server says it made the event, in milliseconds since 1970.
    pub fn origin_server_ts(&self) -> i64 {
        self.0.origin_server_ts
    }

    /// The depth that the sender's server claims. Never to be trusted for order or rights.
    pub fn depth(&self) -> i64 {
        self.0.depth
    }

    /// The events that this one follows.
    pub fn prev_events(&self) -> &[OwnedEventId] {
        &self.0.prev_events
    }

    /// The events by which this one is authorised.
    pub fn auth_events(&self) -> &[OwnedEventId] {
        &self.0.auth_events
    }

    /// The event that this redaction names, wherever the room version has it name it.
    pub fn redacts(&self) -> Option<&EventId> {
        self.0.redacts.as_deref()
    }

    /// The target of a redaction, to be cloned cheaply.
    pub fn owned_redacts(&self) -> Option<&OwnedEventId> {
        self.0.redacts.as_ref()
    }

    /// The event in federation format: canonical JSON with hashes and signatures, without the event id.
    pub fn json(&self) -> &str {
        &self.0.json
    }

    /// The text of [`Pdu::json`], shared.
    pub fn shared_json(&self) -> &Arc<str> {
        &self.0.json
    }

    /// The same event with one more signature: of the server of an invited user, or of the server that
    /// vouches for a restricted join. The event id stays.
    ///
    /// # Errors
    ///
    /// [`StoredPduError`] where the event's JSON, trusted when it was stored, is damaged.
    pub fn cosign(&self, server: &ServerName, key: &ServerKey) -> Result<Self, StoredPduError> {
        let damaged = |error: FormatError| StoredPduError::new(self.event_id(), error.to_string());
        let mut object = canonical::parse_object(self.json().as_bytes()).map_err(damaged)?;
        let signature = key.sign_bytes(signed_text(&object, self.version()).as_bytes());
        key.insert_signature(&mut object, server, signature).map_err(damaged)?;
        let (event_id, room_id) = (self.0.event_id.clone(), self.0.room_id.clone());
        Self::from_stored(event_id, room_id, self.version(), canonical::to_text(&object))
    }

    /// The event with a signature that somebody else has made.
    ///
    /// # Errors
    ///
    /// [`StoredPduError`] where the event's JSON, trusted when it was stored, is damaged.
    pub fn with_signature(
        &self,
        server: &ServerName,
        key_id: &str,
        signature: &str,
    ) -> Result<Self, StoredPduError> {
        let damaged = |error: FormatError| StoredPduError::new(self.event_id(), error.to_string());
        let mut object = canonical::parse_object(self.json().as_bytes()).map_err(damaged)?;
        insert_signature(&mut object, server, key_id, signature.to_owned()).map_err(damaged)?;
        let (event_id, room_id) = (self.0.event_id.clone(), self.0.room_id.clone());
        Self::from_stored(event_id, room_id, self.version(), canonical::to_text(&object))
    }

    /// About how many bytes of memory the event takes, for caches that are bounded by bytes. What was worked
    /// out of it is counted as much as the event itself.
    pub fn memory_bytes(&self) -> usize {
        let ids = (self.0.prev_events.len() + self.0.auth_events.len()) * 64;
        size_of::<Inner>() + 2 * self.0.json.len() + ids
    }

    /// What a reader works out of the event, remembered with it and shared by all clones: power levels, for
    /// instance, are read for every event of a room.
    ///
    /// One thing is remembered for each event, the first that is asked for. Anything else is worked out anew
    /// each time, so only one reader of a kind of event should remember.
    pub fn remembered<T: Any + Send + Sync>(&self, work_out: impl FnOnce(&Self) -> T) -> Arc<T> {
        if let Some(memo) = self.0.memo.get()
            && let Ok(known) = Arc::downcast::<T>(memo.clone())
        {
            return known;
        }
        let result = Arc::new(work_out(self));
        // Where another thread or another type was first, this result is used without being remembered.
        let _ = self.0.memo.set(result.clone());
        result
    }

    /// The form of the event that clients see, made once and shared by every clone of this event.
    pub fn client_form(&self) -> &ClientForm {
        self.0.client_form.get_or_init(|| ClientForm::new(&self.client_fields()))
    }

    fn client_fields(&self) -> ClientFields<'_> {
        ClientFields {
            content: self.content_json(),
            event_id: self.event_id(),
            origin_server_ts: self.origin_server_ts(),
            redacts: self.redacts(),
            redacts_in_content: self.version().redacts_in_content(),
            sender: self.sender(),
            state_key: self.state_key(),
            kind: self.kind(),
        }
    }
}

/// The redacted form of an event, with the same event id and signatures.
///
/// # Errors
///
/// [`StoredPduError`] where the event's JSON, trusted when it was stored, is damaged.
pub fn redact(pdu: &Pdu) -> Result<Pdu, StoredPduError> {
    let object = canonical::parse_object(pdu.json().as_bytes())
        .map_err(|error| StoredPduError::new(pdu.event_id(), error.to_string()))?;
    let text = canonical::to_text(&redacted_event(&object, pdu.version()));
    let (event_id, room_id) = (pdu.0.event_id.clone(), pdu.0.room_id.clone());
    Pdu::from_stored(event_id, room_id, pdu.version(), text)
}

/// The types of the state that somebody outside a room is shown of it, in this order: all with an empty state key.
/// <https://spec.matrix.org/v1.19/client-server-api/#stripped-state>
pub const SHOWN_OUTSIDE: [&str; 8] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
];

/// The stripped form of a state event, shown to those who are not in the room.
/// <https://spec.matrix.org/v1.19/client-server-api/#stripped-state>
pub fn stripped_state(pdu: &Pdu) -> String {
    pdu.client_fields().stripped()
}

/// The target of a redaction. Whatever is not an event id is no target.
fn redacts_of(version: RoomVersion, fields: &Fields<'_>) -> Option<OwnedEventId> {
    if fields.kind != "m.room.redaction" {
        return None;
    }
    if version.redacts_in_content() {
        serde_json::from_str::<RedactionContent>(fields.content.get()).ok()?.redacts
    } else {
        serde_json::from_str(fields.redacts?.get()).ok()
    }
}

impl PartialEq for Pdu {
    fn eq(&self, other: &Self) -> bool {
        self.0.event_id == other.0.event_id
    }
}

impl Eq for Pdu {}

/// Shows what identifies the event, never what it says.
impl fmt::Debug for Pdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pdu")
            .field("event_id", &self.0.event_id)
            .field("room_id", &self.0.room_id)
            .field("kind", &self.0.kind)
            .field("state_key", &self.0.state_key)
            .field("sender", &self.0.sender)
            .finish_non_exhaustive()
    }
}

/// What was stored is not an event.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stored event {event_id} cannot be read: {problem}")]
pub struct StoredPduError {
    /// The event's id.
    pub event_id: OwnedEventId,
    /// What serde said.
    pub problem: String,
}

impl StoredPduError {
    pub(crate) fn new(event_id: &EventId, problem: String) -> Self {
        Self { event_id: event_id.to_owned(), problem }
    }
}
