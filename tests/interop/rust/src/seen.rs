//! What sync has brought to one client.

use std::collections::HashMap;

use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::ruma::events::room::message::MessageType;
use matrix_sdk::ruma::events::{AnySyncMessageLikeEvent, AnySyncTimelineEvent, SyncMessageLikeEvent};
use matrix_sdk::ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use matrix_sdk::sync::RoomUpdates;

/// The events of all rooms' timelines, and who asked to be verified.
#[derive(Default)]
pub(crate) struct Seen {
    /// As they came: what could not be read then may be readable now.
    pub(crate) events: HashMap<OwnedEventId, (OwnedRoomId, TimelineEvent)>,
    /// The last person who asked, and the flow's id.
    pub(crate) asked: Option<(OwnedUserId, OwnedEventId)>,
    /// Whether the last sync was answered.
    pub(crate) is_syncing: bool,
}

impl Seen {
    /// Takes what one answer brought to the person `me`.
    pub(crate) fn take(&mut self, rooms: RoomUpdates, me: &OwnedUserId) {
        self.is_syncing = true;
        for (room, update) in rooms.joined {
            for event in update.timeline.events {
                if let Some(asked) = verification_request(&event, me) {
                    self.asked = Some(asked);
                }
                if let Some(id) = event.event_id() {
                    self.events.insert(id, (room.clone(), event));
                }
            }
        }
    }

    /// Adds events of a room that no sync has brought.
    pub(crate) fn add(&mut self, room: &RoomId, events: Vec<TimelineEvent>) {
        for event in events {
            if let Some(id) = event.event_id() {
                self.events.entry(id).or_insert_with(|| (room.to_owned(), event));
            }
        }
    }
}

/// Who asks `me` in this event to be verified, and the event's id.
fn verification_request(event: &TimelineEvent, me: &OwnedUserId) -> Option<(OwnedUserId, OwnedEventId)> {
    let Ok(AnySyncTimelineEvent::MessageLike(AnySyncMessageLikeEvent::RoomMessage(
        SyncMessageLikeEvent::Original(message),
    ))) = event.raw().deserialize()
    else {
        return None;
    };
    let MessageType::VerificationRequest(request) = message.content.msgtype else { return None };
    (request.to == *me).then_some((message.sender, message.event_id))
}
