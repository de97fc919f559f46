//! What is told beside rooms: messages to the device, what encryption needs, account data, receipts, typing.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use parvis_events::{Membership, default_push_rules};
use parvis_storage::{AccountData, DeviceState, Position, Receipt, RoomSn, StorageError};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{json, value::to_raw_value};

use super::{
    answer::{AccountDataNews, E2eeNews, SlidingAnswer, SlidingRoom, ThreadNews, ToDeviceNews},
    connections::{RoomMark, Status},
    look::{Look, Marks, Sight},
    request::{Scope, ToDeviceWanted},
};
use crate::classic::Classic;

/// How many messages to the device one answer holds.
const MOST_MESSAGES: usize = 100;
/// How many receipts are told of a room whose timeline is not told with them.
const MOST_RECEIPTS: usize = 100;

/// The rooms of a scope, with their ids.
type InScope = BTreeMap<RoomSn, OwnedRoomId>;

impl Look<'_> {
    /// Adds what was asked for beside rooms; gives what the device has left of its keys.
    pub(super) async fn extend(
        &self,
        sight: &Sight,
        marks: &mut Marks<'_>,
        answer: &mut SlidingAnswer,
    ) -> Result<Option<Arc<DeviceState>>, StorageError> {
        let wanted = &self.request.extensions;
        if let Some(wanted) = wanted.to_device {
            answer.to_device = Some(self.to_device(wanted, sight.until).await?);
        }
        let mut device = self.standing.told.device.clone();
        if wanted.e2ee {
            let news = self.e2ee(sight.until).await?;
            device = Some(Arc::clone(&news.device));
            answer.e2ee = Some(news);
        }
        if let Some(scope) = &wanted.account_data {
            answer.account_data = Some(self.account_data(sight, scope, marks).await?);
        }
        if let Some(scope) = &wanted.receipts {
            answer.receipts = Some(self.receipts(sight, scope, marks, &answer.rooms).await?);
        }
        if let Some(scope) = &wanted.typing {
            answer.typing = Some(self.typing(sight, scope, marks, &answer.rooms).await?);
        }
        if let Some(limit) = wanted.threads {
            answer.threads = self.threads(sight, limit).await?;
        }
        Ok(device)
    }

    /// Which threads the user follows, where that changed.
    async fn threads(&self, sight: &Sight, limit: usize) -> Result<Option<ThreadNews>, StorageError> {
        let since = self.standing.until.filter(|_| self.standing.told.threads);
        if since.is_some() && !sight.news.threads {
            return Ok(None);
        }
        let (after, until) = (since.unwrap_or(Position::START), sight.until);
        let user = self.reader.user;
        let mut changes = self.parts.followed_threads_between(user, after, until, limit + 1).await?;
        let more = changes.len() > limit;
        changes.truncate(limit);
        let rest = changes.last().filter(|_| more).map(|oldest| Position(oldest.position.0 - 1));
        Ok((!changes.is_empty()).then_some(ThreadNews { changes, rest }))
    }

    async fn to_device(&self, wanted: ToDeviceWanted, until: Position) -> Result<ToDeviceNews, StorageError> {
        let (store, device) = (&self.parts.store, self.reader.device);
        // What a client has from after a backup that was put back leads to nothing.
        let since = wanted.since.filter(|since| !store.is_void(*since));
        let since = since.map_or(Position::START, |since| since.min(until));
        let waiting = store.device_state(device).await?.waiting;
        if waiting.is_none_or(|oldest| oldest > until) {
            return Ok(ToDeviceNews { next: until, events: Vec::new() });
        }
        let limit = wanted.limit.clamp(1, MOST_MESSAGES);
        let mut messages = store.to_device(device, since, until, limit + 1).await?;
        let mut next = until;
        if messages.len() > limit {
            messages.truncate(limit);
            next = messages.last().map_or(until, |(position, _)| *position);
        }
        Ok(ToDeviceNews { next, events: messages.into_iter().map(|(_, message)| message).collect() })
    }

    async fn e2ee(&self, until: Position) -> Result<E2eeNews, StorageError> {
        let device_lists = match self.standing.until {
            Some(since) => Some(Classic::changed_devices(self.parts, self.reader, since, until).await?),
            None => None,
        };
        let device = self.parts.store.device_state(self.reader.device).await?;
        Ok(E2eeNews { device_lists, device })
    }

    /// The rooms of a scope that were told: all of them, or, where they are settled, those among the ones that
    /// something happened to.
    fn in_scope<'b>(
        &self,
        sight: &Sight,
        scope: &Scope,
        marks: &Marks<'_>,
        touched: impl IntoIterator<Item = &'b RoomSn>,
    ) -> BTreeSet<RoomSn> {
        let wanted = sight.windows.rooms.iter().filter(|(_, wanted)| wanted.is_in(scope));
        let mut rooms: BTreeSet<RoomSn> = wanted.map(|(room, _)| *room).collect();
        if sight.windows.settled {
            let others = touched.into_iter().filter(|room| !sight.windows.rooms.contains_key(room));
            rooms.extend(
                others.filter(|room| marks.get(**room).is_some_and(|mark| mark.events == Status::Live)),
            );
        }
        rooms
    }

    async fn ids(&self, rooms: impl IntoIterator<Item = RoomSn>) -> Result<InScope, StorageError> {
        let mut ids = InScope::new();
        for room in rooms {
            ids.insert(room, self.parts.store.room_id(room).await?);
        }
        Ok(ids)
    }

    /// The user's data: of the account, and about the rooms in scope.
    async fn account_data(
        &self,
        sight: &Sight,
        scope: &Scope,
        marks: &mut Marks<'_>,
    ) -> Result<AccountDataNews, StorageError> {
        let mut news = AccountDataNews { global: self.global_data(sight).await?, rooms: Vec::new() };
        let changed: BTreeSet<RoomSn> = sight.news.account_data.iter().filter_map(|data| data.room).collect();
        let rooms = self.in_scope(sight, scope, marks, &changed);
        let mut found = self.room_data(sight, marks, &rooms).await?;
        found.retain(|room, data| rooms.contains(room) && !data.is_empty());
        let ids = self.ids(found.keys().copied()).await?;
        for (room, data) in found {
            news.rooms.extend(ids.get(&room).map(|room_id| (room_id.clone(), data)));
        }
        self.note(&rooms, &changed, marks, |mark| &mut mark.account_data);
        Ok(news)
    }

    /// Notes for the rooms in scope that everything was told, and for others in which something has changed that it
    /// was not.
    fn note(
        &self,
        told: &BTreeSet<RoomSn>,
        changed: &BTreeSet<RoomSn>,
        marks: &mut Marks<'_>,
        status: fn(&mut RoomMark) -> &mut Status,
    ) {
        for room in told {
            let is_live = marks.get(*room).is_none_or(|mark| *status(&mut mark.clone()) == Status::Live);
            if !is_live {
                marks.change(*room, |mark| *status(mark) = Status::Live);
            }
        }
        let Some(since) = self.standing.until else { return };
        for room in changed.difference(told) {
            marks.change(*room, |mark| *status(mark) = status(mark).missed(since));
        }
    }

    async fn global_data(&self, sight: &Sight) -> Result<Vec<Arc<AccountData>>, StorageError> {
        if self.standing.told.account_data && self.standing.until.is_some() {
            return Ok(sight.news.account_data.iter().filter(|data| data.room.is_none()).cloned().collect());
        }
        let store = &self.parts.store;
        let all = store.account_data_between(self.reader.user, Position::START, sight.until).await?;
        let global = all.into_iter().filter(|data| data.room.is_none() && !data.is_deleted());
        let mut global: Vec<Arc<AccountData>> = global.map(Arc::new).collect();
        if !global.iter().any(|data| data.kind == "m.push_rules") {
            let rules = json!({ "global": default_push_rules(&self.user_id) });
            let content = to_raw_value(&rules)
                .map_err(|error| StorageError::Corrupt(format!("the default push rules: {error}")))?;
            global.push(Arc::new(AccountData { room: None, kind: "m.push_rules".to_owned(), content }));
        }
        Ok(global)
    }

    /// The user's data about rooms that was not told: one statement for all rooms of which none was.
    async fn room_data(
        &self,
        sight: &Sight,
        marks: &Marks<'_>,
        rooms: &BTreeSet<RoomSn>,
    ) -> Result<BTreeMap<RoomSn, Vec<Arc<AccountData>>>, StorageError> {
        let (store, user) = (&self.parts.store, self.reader.user);
        let mut found: BTreeMap<RoomSn, Vec<Arc<AccountData>>> = BTreeMap::new();
        let status = |room: &RoomSn| marks.get(*room).map_or(Status::Never, |mark| mark.account_data);
        for data in &sight.news.account_data {
            if let Some(room) = data.room.filter(|room| status(room) == Status::Live) {
                found.entry(room).or_default().push(Arc::clone(data));
            }
        }
        let mut never = Vec::new();
        let mut missed: Option<Position> = None;
        for room in rooms {
            match status(room) {
                Status::Never => never.push(*room),
                Status::Live => {}
                Status::Previously(position) => {
                    missed = Some(missed.map_or(position, |one| one.min(position)))
                }
            }
        }
        if !never.is_empty() {
            let data = store.account_data_of_rooms(user, &never).await?;
            for data in data.into_iter().filter(|data| !data.is_deleted()) {
                let Some(room) = data.room else { continue };
                found.entry(room).or_default().push(Arc::new(data));
            }
        }
        if let Some(missed) = missed {
            for data in store.account_data_between(user, missed, sight.until).await? {
                let Some(room) = data.room else { continue };
                if matches!(status(&room), Status::Previously(_)) {
                    found.entry(room).or_default().push(Arc::new(data));
                }
            }
        }
        Ok(found)
    }

    /// The receipts of rooms in scope that moved. Of a room that is told for the first time or from further back,
    /// those that stand at what is told, and the user's own.
    async fn receipts(
        &self,
        sight: &Sight,
        scope: &Scope,
        marks: &mut Marks<'_>,
        told: &[SlidingRoom],
    ) -> Result<Vec<(OwnedRoomId, Vec<Arc<Receipt>>)>, StorageError> {
        let rooms = self.in_scope(sight, scope, marks, &sight.news.receipts);
        let told: BTreeMap<&OwnedRoomId, &SlidingRoom> =
            told.iter().map(|room| (&room.room_id, room)).collect();
        let mut found = Vec::new();
        for (room, room_id) in self.ids(rooms.iter().copied()).await? {
            let status = marks.get(room).map_or(Status::Never, |mark| mark.receipts);
            let of_room = told.get(&room_id).copied();
            let receipts = self.room_receipts(sight, room, status, of_room).await?;
            if !receipts.is_empty() {
                found.push((room_id, receipts));
            }
        }
        self.note(&rooms, &sight.news.receipts, marks, |mark| &mut mark.receipts);
        Ok(found)
    }

    async fn room_receipts(
        &self,
        sight: &Sight,
        room: RoomSn,
        status: Status,
        told: Option<&SlidingRoom>,
    ) -> Result<Vec<Arc<Receipt>>, StorageError> {
        let own = self.reader.user;
        let may_know =
            |receipt: &Arc<Receipt>| receipt.user == own || receipt.receipt_type != "m.read.private";
        let is_whole = status == Status::Never || told.is_some_and(|told| told.initial || told.expanded);
        let since = self.standing.until.and_then(|until| status.told_until(until));
        if !is_whole && status == Status::Live && !sight.news.receipts.contains(&room) {
            return Ok(Vec::new());
        }
        if told.is_some_and(|told| told.stripped.is_some()) {
            return Ok(Vec::new());
        }
        let receipts = self.parts.store.receipts_of_room(room).await?;
        let after = since.filter(|_| !is_whole).unwrap_or(Position::START);
        let mut receipts = receipts.between(after, sight.until);
        receipts.retain(may_know);
        if !is_whole {
            return Ok(receipts);
        }
        match told.and_then(|told| told.timeline.as_ref()) {
            Some(timeline) => {
                let events: HashSet<&OwnedEventId> =
                    timeline.events.iter().map(|event| event.event.pdu.owned_event_id()).collect();
                receipts.retain(|receipt| {
                    let is_new = since.is_some_and(|since| receipt.position > since);
                    is_new || receipt.user == own || events.contains(&receipt.event_id)
                });
            }
            None => drop(receipts.drain(..receipts.len().saturating_sub(MOST_RECEIPTS))),
        }
        Ok(receipts)
    }

    /// Who is typing in the rooms in scope, where that changed.
    async fn typing(
        &self,
        sight: &Sight,
        scope: &Scope,
        marks: &Marks<'_>,
        told: &[SlidingRoom],
    ) -> Result<Vec<(OwnedRoomId, Vec<ruma::OwnedUserId>)>, StorageError> {
        let typing = &self.parts.typing;
        let changed: BTreeSet<RoomSn> = typing.changed_since(self.standing.seen).into_iter().collect();
        let rooms = self.in_scope(sight, scope, marks, &changed);
        let new: HashSet<&OwnedRoomId> =
            told.iter().filter(|told| told.initial).map(|told| &told.room_id).collect();
        let mut found = Vec::new();
        for room in rooms {
            let is_changed = changed.contains(&room);
            if !is_changed && (new.is_empty() || !typing.any(room)) {
                continue;
            }
            let room_id = self.parts.store.room_id(room).await?;
            let member = self.parts.store.member(self.reader.user, room).await?;
            let inside = member.is_some_and(|member| member.membership == Membership::Join);
            if inside && (is_changed || new.contains(&room_id)) {
                found.push((room_id, self.parts.store.user_ids(&typing.users(room)).await?));
            }
        }
        Ok(found)
    }
}
