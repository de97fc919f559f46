//! Which events reply to which by `m.relationship`, in the way of an old proposal
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>).
//!
//! Unlike other relations these are kept of outliers too: events that were fetched only because somebody looked at the
//! tree of replies that they stand in. A redaction leaves them as they are.

use parvis_events::Pdu;
use ruma::EventId;

use crate::{
    EventFlags, EventSn, RoomSn, error::StorageError, statement::statements, store::Store,
    write_set::WriteSet,
};

statements! {
    ADD_RELATIONSHIP(rows of 4, key 1) =
        "INSERT INTO relationships (event_sn, target_id, room_sn, relation_type) VALUES {rows}
         ON CONFLICT DO NOTHING";
    RELATIONSHIPS_TO = "SELECT event_sn, relation_type FROM relationships
        WHERE target_id = $1 AND room_sn = $2 ORDER BY event_sn LIMIT $3";
}

/// A reply to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventChild {
    /// The reply.
    pub event: EventSn,
    /// How it replies, such as `m.reference`.
    pub relation_type: String,
}

impl WriteSet {
    /// Remembers what an event replies to, unless it was rejected or soft-failed.
    pub(crate) fn add_relationship(&mut self, event: EventSn, room: RoomSn, flags: EventFlags, pdu: &Pdu) {
        if flags.contains(EventFlags::REJECTED) || flags.contains(EventFlags::SOFT_FAILED) {
            return;
        }
        let Some(relation) = pdu.relationship() else { return };
        let (Some(kind), Some(target)) = (relation.rel_type, relation.event_id) else { return };
        if EventId::parse(target.as_ref()).is_ok() {
            let row = vec![event.into(), target.as_ref().into(), room.into(), kind.as_ref().into()];
            self.write(&ADD_RELATIONSHIP, row);
        }
    }
}

impl Store {
    /// The replies to an event that are here, at most `limit`.
    pub async fn children_of(
        &self,
        room: RoomSn,
        target: &EventId,
        limit: usize,
    ) -> Result<Vec<EventChild>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![target.as_str().into(), room.into(), limit.into()];
        let rows = self.engine.fetch(&RELATIONSHIPS_TO, values).await?;
        let child = |row: &crate::value::Row| {
            Ok(EventChild { event: EventSn(row.int(0)?), relation_type: row.text(1)? })
        };
        rows.iter().map(child).collect()
    }
}
