//! Rooms in which the user is.

use std::collections::BTreeMap;

use parvis_storage::{Member, Position, RoomSn, StorageError};
use ruma::{OwnedEventId, OwnedRoomId};

use super::{
    Classic, Telling,
    moves::{Moves, RoomMoves},
    state::Span,
};
use crate::{
    answer::{JoinedRoom, UnreadCounts},
    timeline::{Slice, Source},
};

impl Classic<'_> {
    /// What is new in a room in which the user is; nothing, if the filter lets nothing of it through.
    pub(super) async fn joined(
        &self,
        room: RoomSn,
        room_id: OwnedRoomId,
        member: Member,
        moves: &Moves,
        moved: &RoomMoves,
    ) -> Result<Option<JoinedRoom>, StorageError> {
        let telling = self.telling(room, member).await?;
        let after = match (telling, self.since) {
            (Telling::News(since), _) | (Telling::WholeState, Some(since)) => since,
            (Telling::Whole, _) | (Telling::WholeState, None) => Position::START,
        };
        let known = moved.events.clone().filter(|_| telling != Telling::Whole);
        let source = Source::new(room, after, self.until, known);
        let mut slice = self.slicer().slice(&room_id, source, self.until).await?;
        if telling == Telling::Whole && self.since.is_some() {
            slice.timeline.limited = true;
        }
        let span = self.span(room, &room_id, telling, &slice).await?;
        let summary = self.summary(&span, telling, moved).await?;
        let heroes = summary.as_ref().and_then(|summary| summary.heroes.as_deref()).unwrap_or_default();
        let state = self.state(&span, telling, heroes).await?;
        let (unread, unread_threads) = self.unread(room).await?;
        let joined = JoinedRoom {
            typing: self.typing(room, &room_id, telling, moved).await?,
            receipts: self.receipts(room, &room_id, telling, moved).await?,
            state,
            summary,
            unread,
            unread_threads,
            account_data: self.room_account_data(room, &room_id, moves),
            timeline: slice.timeline,
            room_id,
        };
        Ok((telling != self.news() || moved.read || !joined.is_empty()).then_some(joined))
    }

    /// What the user has not read: all of it, or the main timeline and the threads apart.
    async fn unread(
        &self,
        room: RoomSn,
    ) -> Result<(UnreadCounts, Option<BTreeMap<OwnedEventId, UnreadCounts>>), StorageError> {
        let user = self.reader.user;
        let counts = self.parts.unread.counts(user, &self.user_id, room, self.until).await?;
        Ok(match self.request.filter.thread_counts {
            true => (counts.main, Some(counts.threads)),
            false => (counts.total(), None),
        })
    }

    /// The most ordinary way of telling: what is new, to a reader who knows the rest.
    fn news(&self) -> Telling {
        self.since.map_or(Telling::Whole, Telling::News)
    }

    /// How much of the room is told.
    async fn telling(&self, room: RoomSn, member: Member) -> Result<Telling, StorageError> {
        let Some(since) = self.since else { return Ok(Telling::Whole) };
        if member.position > since && !self.parts.was_joined(room, since, &self.user_id).await? {
            return Ok(Telling::Whole);
        }
        Ok(if self.request.full_state { Telling::WholeState } else { Telling::News(since) })
    }

    /// The states at both ends of a slice of the timeline.
    pub(super) async fn span<'b>(
        &self,
        room: RoomSn,
        room_id: &'b ruma::RoomId,
        telling: Telling,
        slice: &'b Slice,
    ) -> Result<Span<'b>, StorageError> {
        let timeline = &slice.timeline;
        let end = match slice.newest_root {
            Some(root) => root,
            None => self.parts.root_at(room, self.until).await?,
        };
        let start = if let Some(root) = slice.seam {
            root
        } else if slice.state_changed && timeline.start < self.until {
            self.parts.root_at(room, timeline.start).await?
        } else {
            end
        };
        let limited = timeline.limited && matches!(telling, Telling::News(_));
        Ok(Span { room, room_id, start, end, events: &timeline.events, limited })
    }
}

impl JoinedRoom {
    /// Whether there is nothing to tell.
    fn is_empty(&self) -> bool {
        self.timeline.events.is_empty()
            && !self.timeline.limited
            && self.state.is_empty()
            && self.summary.is_none()
            && self.typing.is_none()
            && self.receipts.is_empty()
            && self.account_data.is_empty()
    }
}
