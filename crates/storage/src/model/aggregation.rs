//! What is known of an event's children.

use ruma::OwnedEventId;

use crate::numbers::{EventSn, Place, UserSn};

/// What is known of an event's children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregation {
    /// Replacements by the same sender and of the same type, oldest first by their senders' clocks. Whether
    /// their content is a replacement is not checked.
    pub edits: Vec<EventSn>,
    /// Events that refer to this one, oldest first, with their senders.
    pub references: Vec<(OwnedEventId, UserSn)>,
    /// The replies in the thread that begins here, by sender.
    pub thread: Vec<ThreadPart>,
}

/// One user's part in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPart {
    /// Who.
    pub sender: UserSn,
    /// How many replies.
    pub count: u64,
    /// Where their newest reply stands in the room's history.
    pub latest: Place,
    /// Their newest reply.
    pub latest_event: EventSn,
}

impl Aggregation {
    /// Whether there are no such children.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.references.is_empty() && self.thread.is_empty()
    }

    pub(crate) fn weight(&self) -> u32 {
        let bytes = 120 + self.edits.len() * 8 + self.references.len() * 80 + self.thread.len() * 32;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}
