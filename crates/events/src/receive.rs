//! The way of an event from another server: raw, well-formed, signed, and only then a [`Pdu`].
//!
//! Each step consumes the one before it, so none can be left out. These are the first three of the checks
//! on receipt of a PDU; those against the room come later.
//! <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>

use std::collections::BTreeSet;

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedServerName, RoomId, ServerName, UserId,
    canonical_json::redact_in_place,
    serde::Base64,
    signatures::{PublicKeyMap, Verified, required_server_signatures_to_verify_event, verify_event},
};
use serde_json::value::RawValue;

use crate::{
    FormatError, MAX_AUTH_EVENTS, MAX_DEPTH, MAX_FIELD_BYTES, MAX_PREV_EVENTS, Pdu, RoomVersion,
    canonical::{self, CanonicalJsonObject, CanonicalJsonValue},
    draft::room_id_of_create,
    format::{check_count, check_event_bytes, check_field_bytes},
};

/// An event of which nothing is known but that it is a JSON object with integers.
#[derive(Clone)]
pub struct RawPdu {
    version: RoomVersion,
    object: CanonicalJsonObject,
}

impl RawPdu {
    /// Reads the bytes of an event of a room of this version.
    ///
    /// `unsigned` is not kept: no signature covers it.
    ///
    /// # Errors
    ///
    /// [`FormatError::NotCanonical`] where it is no JSON object or holds numbers that canonical JSON does
    /// not have. Such an event is dropped.
    pub fn parse(json: &[u8], version: RoomVersion) -> Result<Self, FormatError> {
        Ok(Self::from_object(canonical::parse_object(json)?, version))
    }

    /// Like [`RawPdu::parse`], from a part of a larger JSON text.
    ///
    /// # Errors
    ///
    /// As [`RawPdu::parse`].
    pub fn parse_raw(json: &RawValue, version: RoomVersion) -> Result<Self, FormatError> {
        Ok(Self::from_object(canonical::parse_raw_object(json)?, version))
    }

    fn from_object(mut object: CanonicalJsonObject, version: RoomVersion) -> Self {
        object.remove("unsigned");
        Self { version, object }
    }

    /// Checks shape and sizes (the first check), and works out the event id.
    ///
    /// # Errors
    ///
    /// [`FormatError`] names the field; the event is dropped.
    pub fn check_format(self) -> Result<WellFormedPdu, FormatError> {
        let Self { version, object } = self;
        check_event_bytes(canonical::to_text(&object).len())?;
        let reader = Reader { object: &object, version };
        let kind = reader.required_text("type")?;
        reader.text("state_key")?;
        let sender = reader.required_text("sender")?;
        if <&UserId>::try_from(sender).is_err() {
            return Err(FormatError::field("sender", "is not a user id"));
        }
        reader.integer("origin_server_ts", i64::MIN..=i64::MAX)?;
        reader.integer("depth", 0..=MAX_DEPTH)?;
        reader.object("content")?;
        reader.object("signatures")?;
        reader.object("hashes")?;
        reader.event_ids("prev_events", MAX_PREV_EVENTS)?;
        let auth_events = reader.event_ids("auth_events", MAX_AUTH_EVENTS)?;
        let room_id = reader.room_id(kind, &auth_events)?;

        let event_id = reference_event_id(&object, version)?;
        let room_id = room_id.unwrap_or_else(|| room_id_of_create(&event_id));
        Ok(WellFormedPdu { version, object, event_id, room_id })
    }
}

/// The event id: `$` and the reference hash.
fn reference_event_id(
    object: &CanonicalJsonObject,
    version: RoomVersion,
) -> Result<OwnedEventId, FormatError> {
    let hash = ruma::signatures::reference_hash(object, version.rules())
        .map_err(|error| FormatError::NotCanonical(error.to_string()))?;
    OwnedEventId::try_from(format!("${hash}")).map_err(|_| FormatError::field("event_id", "cannot be formed"))
}

/// Reads the fields of an event that nobody has checked.
struct Reader<'a> {
    object: &'a CanonicalJsonObject,
    version: RoomVersion,
}

impl<'a> Reader<'a> {
    /// A string field within the size limit of the room version.
    fn text(&self, field: &'static str) -> Result<Option<&'a str>, FormatError> {
        let text = match self.object.get(field) {
            None => return Ok(None),
            Some(CanonicalJsonValue::String(text)) => text,
            Some(_) => return Err(FormatError::field(field, "must be a string")),
        };
        if self.version.strict_field_bytes() || text.chars().count() > MAX_FIELD_BYTES {
            check_field_bytes(field, text)?;
        }
        Ok(Some(text))
    }

    fn required_text(&self, field: &'static str) -> Result<&'a str, FormatError> {
        self.text(field)?.ok_or(FormatError::field(field, "is missing"))
    }

    fn integer(&self, field: &'static str, range: std::ops::RangeInclusive<i64>) -> Result<(), FormatError> {
        match self.object.get(field) {
            Some(CanonicalJsonValue::Integer(value)) if range.contains(&i64::from(*value)) => Ok(()),
            Some(CanonicalJsonValue::Integer(_)) => Err(FormatError::field(field, "is out of range")),
            Some(_) => Err(FormatError::field(field, "must be an integer")),
            None => Err(FormatError::field(field, "is missing")),
        }
    }

    fn object(&self, field: &'static str) -> Result<(), FormatError> {
        match self.object.get(field) {
            Some(CanonicalJsonValue::Object(_)) => Ok(()),
            Some(_) => Err(FormatError::field(field, "must be an object")),
            None => Err(FormatError::field(field, "is missing")),
        }
    }

    fn event_ids(&self, field: &'static str, limit: usize) -> Result<Vec<&'a EventId>, FormatError> {
        let Some(CanonicalJsonValue::Array(entries)) = self.object.get(field) else {
            return Err(FormatError::field(field, "must be an array"));
        };
        check_count(field, entries.len(), limit)?;
        entries
            .iter()
            .map(|entry| match entry {
                CanonicalJsonValue::String(id) => <&EventId>::try_from(id.as_str())
                    .map_err(|_| FormatError::field(field, "holds something that is not an event id")),
                _ => Err(FormatError::field(field, "holds something that is not a string")),
            })
            .collect()
    }

    /// The room id, except of a create event that itself makes the room id.
    fn room_id(&self, kind: &str, auth_events: &[&EventId]) -> Result<Option<OwnedRoomId>, FormatError> {
        let by_hash = self.version.room_id_is_create_hash();
        let room_id = match self.text("room_id")? {
            Some(_) if by_hash && kind == "m.room.create" => {
                return Err(FormatError::field("room_id", "a create event of this room version has none"));
            }
            None if by_hash && kind == "m.room.create" => return Ok(None),
            None => return Err(FormatError::field("room_id", "is missing")),
            Some(room_id) => OwnedRoomId::try_from(room_id.to_owned())
                .map_err(|_| FormatError::field("room_id", "is not a room id"))?,
        };
        let create = room_id.as_str().trim_start_matches('!');
        if by_hash && auth_events.iter().any(|id| id.as_str().trim_start_matches('$') == create) {
            return Err(FormatError::field("auth_events", "must not name the create event"));
        }
        Ok(Some(room_id))
    }
}

/// An event whose shape and sizes are right. Nobody has vouched for it yet.
#[derive(Clone)]
pub struct WellFormedPdu {
    version: RoomVersion,
    object: CanonicalJsonObject,
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
}

impl WellFormedPdu {
    /// The event id, which follows from the event itself.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// The room that the event claims to be of.
    pub fn room_id(&self) -> &RoomId {
        &self.room_id
    }

    /// The user whom the event claims as its sender.
    pub fn sender(&self) -> Option<&UserId> {
        match self.object.get("sender") {
            Some(CanonicalJsonValue::String(sender)) => sender.as_str().try_into().ok(),
            _ => None,
        }
    }

    /// The servers whose signatures the event needs: the sender's; also the resident server's for a
    /// restricted join; none of the sender for an invitation by a third party.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] where the event names users that are none.
    pub fn required_signers(&self) -> Result<BTreeSet<OwnedServerName>, SignatureError> {
        required_server_signatures_to_verify_event(&self.object, &self.version.rules().signatures)
            .map_err(|error| SignatureError(error.to_string()))
    }

    /// The key ids under which a server has signed the event, so that the right keys can be fetched.
    pub fn key_ids_of(&self, server: &ServerName) -> Vec<&str> {
        match self.object.get("signatures") {
            Some(CanonicalJsonValue::Object(signatures)) => match signatures.get(server.as_str()) {
                Some(CanonicalJsonValue::Object(of_server)) => of_server.keys().map(String::as_str).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Checks signatures and content hash (the second and third check).
    ///
    /// Signatures by keys that are not given are passed over; each required server needs one that holds,
    /// and none that is false. Where the content hash does not match, the event goes on as its redacted
    /// copy.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]: a required signature is missing or false. The event is dropped.
    pub fn verify(self, keys: &PublicKeys) -> Result<SignedPdu, SignatureError> {
        let Self { version, mut object, event_id, room_id } = self;
        let verified = verify_event(&keys.0, &object, version.rules())
            .map_err(|error| SignatureError(error.to_string()))?;
        let hash_matches = verified == Verified::All;
        if !hash_matches {
            redact_in_place(&mut object, &version.rules().redaction, None)
                .map_err(|error| SignatureError(error.to_string()))?;
        }
        let json = canonical::to_text(&object);
        let pdu = Pdu::from_stored(event_id, room_id, version, json)
            .map_err(|error| SignatureError(error.to_string()))?;
        Ok(SignedPdu { pdu, hash_matches })
    }
}

/// An event that its sender's server, and whoever else must, has signed.
#[derive(Debug, Clone)]
pub struct SignedPdu {
    pdu: Pdu,
    hash_matches: bool,
}

impl SignedPdu {
    /// Whether the content is the one that was signed for; otherwise only the redacted copy is left.
    pub fn hash_matches(&self) -> bool {
        self.hash_matches
    }

    /// The event, for the checks against the room.
    pub fn into_pdu(self) -> Pdu {
        self.pdu
    }
}

/// Public keys of servers, by server name and key id.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(PublicKeyMap);

impl PublicKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key. One that is not base64 is left out, and `false` returned.
    pub fn insert(&mut self, server: &ServerName, key_id: &str, public_key_base64: &str) -> bool {
        let Ok(key) = Base64::parse(public_key_base64) else { return false };
        self.0.entry(server.to_string()).or_default().insert(key_id.to_owned(), key);
        true
    }

    /// The keys as ruma's libraries take them.
    pub fn as_map(&self) -> &PublicKeyMap {
        &self.0
    }
}

/// A signature that an event needs is missing or false.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signatures of the event: {0}")]
pub struct SignatureError(String);
