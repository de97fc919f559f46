//! Where a room stands.

use parvis_events::RoomVersion;
use ruma::OwnedRoomId;

use crate::{
    numbers::{EventSn, Position, RoomSn},
    state_tree::StateRoot,
};

/// Where a room stands: what the next event follows, and the state that it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomHead {
    /// The room's number.
    pub room: RoomSn,
    /// The room's id.
    pub room_id: OwnedRoomId,
    /// The room's version.
    pub version: RoomVersion,
    /// The organisation's class of the room, as its policy named it when the room was made (`direct`, `private`,
    /// `public`), or empty for a room that came from elsewhere.
    pub class: String,
    /// Rises with every write; a write names the version that it follows.
    pub head_version: i64,
    /// The forward extremities.
    pub heads: Vec<EventSn>,
    /// The current state.
    pub state_root: StateRoot,
    /// The greatest depth of the forward extremities.
    pub depth: i64,
    /// The slot that the next new (type, state key) pair gets.
    pub next_slot: u32,
    /// The dense number that the next state event gets.
    pub next_state_index: i64,
    /// The position of the newest event, as of the last commit that was read.
    pub last_position: Position,
}
