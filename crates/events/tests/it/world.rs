//! The small world that the tests share: a server, its key, and drafts of events in its rooms.

use parvis_events::{EventDraft, RoomVersion, ServerKey};
use ruma::{event_id, owned_room_id, owned_user_id};
use serde_json::{Value, value::to_raw_value};

/// The key of `example.org`, the same in every run.
pub(crate) fn key() -> ServerKey {
    ServerKey::generate([7; 32], "a1").unwrap()
}

/// An event of Alice's, in a room that exists.
pub(crate) fn draft(kind: &str, content: &Value) -> EventDraft {
    EventDraft {
        room_id: Some(owned_room_id!("!room:example.org")),
        sender: owned_user_id!("@alice:example.org"),
        kind: kind.to_owned(),
        state_key: None,
        content: to_raw_value(content).unwrap(),
        redacts: None,
        prev_events: vec![event_id!("$prev").to_owned()],
        auth_events: vec![event_id!("$auth-1").to_owned(), event_id!("$auth-2").to_owned()],
        depth: 7,
        origin_server_ts: 1_700_000_000_000,
    }
}

/// A state event of Alice's.
pub(crate) fn state_draft(kind: &str, state_key: &str, content: &Value) -> EventDraft {
    EventDraft { state_key: Some(state_key.to_owned()), ..draft(kind, content) }
}

/// The create event of a room of this version.
pub(crate) fn create_draft(version: RoomVersion) -> EventDraft {
    let content = serde_json::json!({ "room_version": version.as_str(), "creator": "@alice:example.org" });
    let mut draft = state_draft("m.room.create", "", &content);
    draft.prev_events.clear();
    draft.auth_events.clear();
    if version.room_id_is_create_hash() {
        draft.room_id = None;
    }
    draft
}
