//! The way of an event from another server: raw, well-formed, signed, and only then a [`Pdu`].
//!
//! Each step consumes the one before it, so none can be left out. These are the first three of the checks
//! on receipt of a PDU; those against the room come later.
//! <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>

use std::collections::BTreeSet;

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId, ServerName,
    SigningKeyAlgorithm, UserId,
    serde::Base64,
    signatures::{PublicKeyMap, PublicKeySet, verify_canonical_json_bytes},
};
use serde_json::value::RawValue;

use crate::{
    FormatError, MAX_AUTH_EVENTS, MAX_DEPTH, MAX_FIELD_BYTES, MAX_PREV_EVENTS, Pdu, RoomVersion,
    canonical::{self, CanonicalJsonObject, CanonicalJsonValue},
    format::{check_count, check_event_bytes, check_field_bytes},
    hash::{content_hash, event_id, room_id_of_create, signed_text},
    redaction::redacted_event,
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
        let sender = <&UserId>::try_from(reader.required_text("sender")?)
            .map_err(|_| FormatError::field("sender", "is not a user id"))?;
        reader.integer("origin_server_ts", i64::MIN..=i64::MAX)?;
        reader.integer("depth", 0..=MAX_DEPTH)?;
        reader.object("content")?;
        reader.object("signatures")?;
        reader.content_hash()?;
        reader.event_ids("prev_events", MAX_PREV_EVENTS)?;
        let auth_events = reader.event_ids("auth_events", MAX_AUTH_EVENTS)?;
        let room_id = reader.room_id(kind, &auth_events)?;

        let sender = sender.to_owned();
        let signed_text = signed_text(&object, version);
        let event_id = event_id(version, signed_text.as_bytes());
        let room_id = room_id.unwrap_or_else(|| room_id_of_create(&event_id));
        Ok(WellFormedPdu { version, object, signed_text, event_id, room_id, sender })
    }
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

    fn object(&self, field: &'static str) -> Result<&'a CanonicalJsonObject, FormatError> {
        match self.object.get(field) {
            Some(CanonicalJsonValue::Object(object)) => Ok(object),
            Some(_) => Err(FormatError::field(field, "must be an object")),
            None => Err(FormatError::field(field, "is missing")),
        }
    }

    fn content_hash(&self) -> Result<(), FormatError> {
        let sha256 = text(self.object("hashes")?, "sha256");
        sha256.map(drop).ok_or(FormatError::field("hashes", "has no sha256"))
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
    /// What signatures and event id are taken over.
    signed_text: String,
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
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
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The version of its room.
    pub fn version(&self) -> RoomVersion {
        self.version
    }

    /// When its sender's server claims to have made it, in milliseconds since the Unix epoch.
    pub fn origin_server_ts(&self) -> i64 {
        match self.object.get("origin_server_ts") {
            Some(CanonicalJsonValue::Integer(ts)) => i64::from(*ts),
            // The format was checked.
            _ => 0,
        }
    }

    /// The servers whose signatures the event needs: the sender's; also that of the user by whose right a
    /// restricted room was joined. An invitation that answers one by a third party is not signed by the
    /// sender's server.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] where the event names, as the user by whose right it joins, what is no user.
    pub fn required_signers(&self) -> Result<BTreeSet<OwnedServerName>, SignatureError> {
        let mut servers = BTreeSet::new();
        let content = self.member_content();
        let is_third_party = content.is_some_and(|content| {
            text(content, "membership") == Some("invite")
                && matches!(content.get("third_party_invite"), Some(CanonicalJsonValue::Object(_)))
        });
        if !is_third_party {
            servers.insert(self.sender.server_name().to_owned());
        }
        if self.version.restricted()
            && let Some(authoriser) =
                content.and_then(|content| content.get("join_authorised_via_users_server"))
        {
            let authoriser = match authoriser {
                CanonicalJsonValue::String(user) => <&UserId>::try_from(user.as_str()).ok(),
                _ => None,
            };
            let authoriser = authoriser.ok_or(SignatureError::NoSuchAuthoriser)?;
            servers.insert(authoriser.server_name().to_owned());
        }
        Ok(servers)
    }

    /// The content of a membership event.
    fn member_content(&self) -> Option<&CanonicalJsonObject> {
        match self.object.get("content") {
            Some(CanonicalJsonValue::Object(content))
                if text(&self.object, "type") == Some("m.room.member") =>
            {
                Some(content)
            }
            _ => None,
        }
    }

    /// The key ids under which a server has signed the event, so that the right keys can be fetched.
    pub fn key_ids_of(&self, server: &ServerName) -> Vec<&str> {
        self.signatures_of(server).into_iter().flatten().map(|(key_id, _)| key_id.as_str()).collect()
    }

    fn signatures_of(&self, server: &ServerName) -> Option<&CanonicalJsonObject> {
        let CanonicalJsonValue::Object(signatures) = self.object.get("signatures")? else { return None };
        let CanonicalJsonValue::Object(signatures) = signatures.get(server.as_str())? else { return None };
        Some(signatures)
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
        for server in self.required_signers()? {
            self.verify_server(&server, keys)?;
        }
        let Self { version, object, event_id, room_id, .. } = self;
        let hash_matches = match object.get("hashes") {
            Some(CanonicalJsonValue::Object(hashes)) => {
                text(hashes, "sha256").is_some_and(|claimed| claimed == content_hash(&object))
            }
            _ => false,
        };
        let kept = if hash_matches { object } else { redacted_event(&object, version) };
        let pdu = Pdu::from_stored(event_id, room_id, version, canonical::to_text(&kept))
            .map_err(|error| SignatureError::Unreadable(error.problem))?;
        Ok(SignedPdu { pdu, hash_matches })
    }

    fn verify_server(&self, server: &ServerName, keys: &PublicKeys) -> Result<(), SignatureError> {
        let missing = || SignatureError::Missing(server.to_owned());
        let known = keys.of(server).ok_or_else(missing)?;
        let mut verified = false;
        for (key_id, signature) in self.signatures_of(server).ok_or_else(missing)? {
            let Some(key) = known.get(key_id) else { continue };
            let holds = match signature {
                CanonicalJsonValue::String(signature) => self.holds(key, signature),
                _ => false,
            };
            if !holds {
                return Err(SignatureError::False { server: server.to_owned(), key_id: key_id.clone() });
            }
            verified = true;
        }
        verified.then_some(()).ok_or_else(missing)
    }

    fn holds(&self, key: &Base64, signature: &str) -> bool {
        let text = self.signed_text.as_bytes();
        let Ok(signature) = Base64::<ruma::serde::base64::Standard>::parse(signature) else { return false };
        verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, key.as_bytes(), signature.as_bytes(), text)
            .is_ok()
    }
}

/// A string in an object.
fn text<'a>(object: &'a CanonicalJsonObject, key: &str) -> Option<&'a str> {
    match object.get(key) {
        Some(CanonicalJsonValue::String(text)) => Some(text),
        _ => None,
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

/// Ed25519 public keys of servers, by server name and key id.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys(PublicKeyMap);

impl PublicKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key. One of another algorithm, or that is not base64, is left out, and `false` returned.
    pub fn insert(&mut self, server: &ServerName, key_id: &str, public_key_base64: &str) -> bool {
        let Ok(key) = Base64::parse(public_key_base64) else { return false };
        if !key_id.starts_with("ed25519:") {
            return false;
        }
        self.0.entry(server.to_string()).or_default().insert(key_id.to_owned(), key);
        true
    }

    /// The keys as ruma's libraries take them.
    pub fn as_map(&self) -> &PublicKeyMap {
        &self.0
    }

    fn of(&self, server: &ServerName) -> Option<&PublicKeySet> {
        self.0.get(server.as_str())
    }
}

/// Why an event's signatures do not vouch for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature of a server that must have signed, or none by a key that is known.
    #[error("no signature of {0} by a known key")]
    Missing(OwnedServerName),
    /// A signature of a server that must have signed does not fit.
    #[error("the signature of {server} by {key_id} is false")]
    False {
        /// The server.
        server: OwnedServerName,
        /// The key id.
        key_id: String,
    },
    /// `join_authorised_via_users_server` names no user whose server could have signed.
    #[error("join_authorised_via_users_server is not a user id")]
    NoSuchAuthoriser,
    /// The event cannot be read after all.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
}
