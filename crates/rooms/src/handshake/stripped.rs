//! What those outside are shown of a room, across servers: state events in full, so that they can be checked.
//! <https://spec.matrix.org/v1.19/client-server-api/#stripped-state>

use parvis_events::{Pdu, RawPdu, RoomVersion, SHOWN_OUTSIDE};
use parvis_storage::{RoomSn, StateRoot};
use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::outside::strip;
use crate::{RoomError, Rooms};

/// How many events from outside are looked at.
const MOST_SHOWN: usize = 100;
/// How large the stripped state of a room may be, in bytes.
const MOST_BYTES: usize = 256 << 10;

impl Rooms {
    /// The state events that somebody outside is shown, with the membership of who invites them.
    pub(super) async fn shown_outside(
        &self,
        room: RoomSn,
        root: StateRoot,
        inviter: Option<&UserId>,
    ) -> Result<Vec<Pdu>, RoomError> {
        let mut shown = Vec::with_capacity(SHOWN_OUTSIDE.len());
        let member = inviter.map(|inviter| ("m.room.member", inviter.as_str()));
        for (kind, state_key) in SHOWN_OUTSIDE.iter().map(|kind| (*kind, "")).chain(member) {
            let event = self.store.state_event(room, root, kind, state_key).await?;
            shown.extend(event.map(|event| event.pdu.clone()));
        }
        Ok(shown)
    }

    /// What clients may be shown of the state that another server tells of a room. Room versions in which the
    /// room's id vouches for its create event demand that all of it be sound; in others, what is not is left out
    /// or, if it was stripped before it came, taken as it is.
    ///
    /// # Errors
    /// [`RoomError::MissingParam`].
    pub(super) async fn read_shown(
        &self,
        events: &[Box<RawValue>],
        version: RoomVersion,
        room_id: &RoomId,
    ) -> Result<Vec<String>, RoomError> {
        let strict = version.room_id_is_create_hash();
        let mut sound = Vec::new();
        let mut loose = Vec::new();
        let mut well_formed = Vec::new();
        for event in events.iter().take(MOST_SHOWN) {
            match RawPdu::parse_raw(event, version).and_then(RawPdu::check_format) {
                Ok(event) if event.room_id() == room_id => well_formed.push(event),
                _ if strict => return Err(unsound("is not an event of the room")),
                _ => loose.extend(stripped_again(event)),
            }
        }
        for verified in parvis_peers::verify_events(well_formed, &*self.others.keys).await {
            match verified {
                Ok(event) => sound.push(event.into_pdu()),
                Err(error) if strict => return Err(unsound(&error.to_string())),
                Err(_) => {}
            }
        }
        if strict && !sound.iter().any(Pdu::is_create) {
            return Err(RoomError::MissingParam("the room's create event is missing".to_owned()));
        }
        sound.retain(Pdu::is_state);
        let mut shown = strip(&sound);
        shown.extend(loose);
        let mut bytes = 0;
        shown.retain(|event| {
            bytes += event.len();
            bytes <= MOST_BYTES
        });
        Ok(shown)
    }
}

fn unsound(problem: &str) -> RoomError {
    RoomError::MissingParam(format!("the state of the room: an event {problem}"))
}

/// An event that was stripped before it came, with nothing in it that does not belong there.
fn stripped_again(event: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Stripped {
        #[serde(rename = "type")]
        kind: String,
        state_key: String,
        sender: String,
        content: Map<String, Value>,
    }
    let Stripped { kind, state_key, sender, content } = serde_json::from_str(event.get()).ok()?;
    <&UserId>::try_from(sender.as_str()).ok()?;
    Some(json!({ "type": kind, "state_key": state_key, "sender": sender, "content": content }).to_string())
}
