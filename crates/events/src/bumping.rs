//! By which events a room rises in the lists that clients show
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4186>).
//!
//! Knows nothing of where events stand.

/// Their types, with the names that some had before they were in the specification.
const BUMPING: [&str; 9] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "m.beacon_info",
    "org.matrix.msc3381.poll.start",
    "org.matrix.msc3672.beacon_info",
];

/// Whether a room rises by an event of this type.
pub fn is_bumping(kind: &str) -> bool {
    BUMPING.contains(&kind)
}
