//! Rooms in which the user is no more: told as they were at the leaving.

use std::sync::Arc;

use parvis_storage::{Member, Position, RoomSn, StorageError, StoredEvent};
use ruma::{OwnedRoomId, RoomId};

use super::{Classic, Telling, moves::Moves, state::Span};
use crate::{
    answer::LeftRoom,
    timeline::{Slice, Source},
};

impl Classic<'_> {
    /// The end of the user's time in a room.
    pub(super) async fn left(
        &self,
        room: RoomSn,
        room_id: OwnedRoomId,
        member: Member,
        moves: &Moves,
    ) -> Result<LeftRoom, StorageError> {
        let store = &self.parts.store;
        let stay = self.parts.view.stay_end(self.reader.user, room).await?;
        // Who was out already, and is banned or unbanned since, has been told of the stay.
        let stay = stay.filter(|end| self.request.full_state || self.since.is_none_or(|since| since < *end));
        let leaving = stay.unwrap_or(member.position);
        let known = match self.since.filter(|since| *since < leaving) {
            Some(since) if self.parts.was_joined(room, since, &self.user_id).await? => Some(since),
            _ => None,
        };
        let telling = match known {
            Some(since) if !self.request.full_state => Telling::News(since),
            _ => Telling::Whole,
        };
        // Who was never in knows neither timeline nor state, only that they are out.
        let after = if stay.is_some() { known.unwrap_or(Position::START) } else { leaving };
        let source = Source::new(room, after, leaving, None);
        let mut slice = self.slicer().slice(&room_id, source, leaving).await?;
        let own = store.event(member.event).await?;
        self.show_leaving(&mut slice, &room_id, &own);
        let seam = slice.seam;
        let mut left = LeftRoom {
            state: Vec::new(),
            account_data: self.room_account_data(room, &room_id, moves),
            timeline: slice.timeline,
            room_id,
        };
        if stay.is_some() {
            let end = self.parts.root_at(room, leaving).await?;
            let start = match seam {
                Some(root) => root,
                None => self.parts.root_at(room, left.timeline.start.min(leaving)).await?,
            };
            let limited = left.timeline.limited && telling != Telling::Whole;
            let events = &left.timeline.events;
            let span = Span { room, room_id: &left.room_id, start, end, events, limited };
            left.state = self.state(&span, telling, &[]).await?;
        } else if self.request.state_after && self.request.filter.state.has_event(&own.pdu) {
            // A client that is told the state after the timeline takes none from the timeline.
            left.state = self.parts.view.show_state(self.reader, &[own]);
        }
        Ok(left)
    }

    /// Puts the leaving itself on the timeline, also where the room's history is hidden from the user: that
    /// they are out is theirs to know.
    fn show_leaving(&self, slice: &mut Slice, room_id: &RoomId, own: &Arc<StoredEvent>) {
        let filter = &self.request.filter.timeline;
        let limit = self.request.timeline_limit();
        let timeline = &mut slice.timeline;
        let on_it = timeline.events.iter().any(|shown| shown.event.sn == own.sn);
        let wanted = limit > 0 && filter.has_room(room_id) && filter.has_event(&own.pdu);
        if on_it || !wanted {
            return;
        }
        timeline.events.extend(self.parts.view.show_state(self.reader, std::slice::from_ref(own)));
        if timeline.events.len() > limit {
            timeline.events.remove(0);
            timeline.limited = true;
            let oldest = timeline.events.first().map(|oldest| Position(oldest.event.position.0 - 1));
            timeline.start = oldest.unwrap_or(timeline.start);
        }
    }
}
