//! Our events as ruma's state resolution takes them.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UInt, UserId, events::TimelineEventType, state_res,
};
use serde_json::value::RawValue;

use crate::Known;

/// An event with its verdict, seen through ruma's trait.
#[derive(Clone, Debug)]
pub(crate) struct Bridge(pub(crate) Known);

impl state_res::Event for Bridge {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        self.0.pdu.owned_event_id()
    }

    /// The `room_id` that the event itself carries, which a create event may not.
    fn room_id(&self) -> Option<&RoomId> {
        let pdu = &self.0.pdu;
        (!(pdu.version().room_id_is_create_hash() && pdu.is_create())).then(|| pdu.room_id())
    }

    fn sender(&self) -> &UserId {
        self.0.pdu.sender()
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        // A time before 1970 is no event's time; such events come first, as from 1970.
        let millis = u64::try_from(self.0.pdu.origin_server_ts()).unwrap_or_default();
        MilliSecondsSinceUnixEpoch(UInt::try_from(millis).unwrap_or(UInt::MAX))
    }

    fn event_type(&self) -> &TimelineEventType {
        self.0.pdu.event_type()
    }

    fn content(&self) -> &RawValue {
        self.0.pdu.content()
    }

    fn state_key(&self) -> Option<&str> {
        self.0.pdu.state_key()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.0.pdu.prev_events().iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.0.pdu.auth_events().iter())
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.0.pdu.owned_redacts()
    }

    fn rejected(&self) -> bool {
        self.0.rejected
    }
}
