//! What encryption needs: messages to the reader's device, and whose devices the reader has to look at anew.

use std::collections::{BTreeMap, BTreeSet};

use parvis_events::Membership;
use parvis_storage::{EventSn, Member, Position, RoomSn, StorageError, UserSn};

use super::Classic;
use crate::answer::{DeviceLists, SyncAnswer};

/// How many messages to the device one answer holds.
const MOST_MESSAGES: usize = 100;

/// What has moved that bears on whose devices the reader follows.
#[derive(Debug, Default)]
pub(super) struct DeviceMoves {
    /// Those whose lists of devices have changed, whoever they are.
    pub(super) users: BTreeSet<UserSn>,
    /// Those whose keys the reader has signed.
    pub(super) signed: BTreeSet<UserSn>,
    /// Whose memberships have changed in rooms of the reader, and by which events, where that is known.
    pub(super) members: BTreeMap<(RoomSn, UserSn), Option<Vec<EventSn>>>,
    /// Whether the device's own one-time keys are others now.
    pub(super) own_keys: bool,
    /// Whether the device was taken away.
    pub(super) own_device_is_gone: bool,
}

/// Whose devices have to be looked at anew, and who may have left.
#[derive(Debug, Default)]
struct Found {
    changed: BTreeSet<UserSn>,
    gone: BTreeSet<UserSn>,
}

impl Classic<'_> {
    /// Puts the messages that wait for the device into an answer. If there are too many, the place behind the
    /// answer says how far they were told.
    pub(super) async fn take_messages(&self, answer: &mut SyncAnswer) -> Result<(), StorageError> {
        if answer.device.waiting.is_none_or(|oldest| oldest > self.until) {
            return Ok(());
        }
        let (store, device) = (&self.parts.store, self.reader.device);
        let mut messages = store.to_device(device, self.told, self.until, MOST_MESSAGES + 1).await?;
        if messages.len() > MOST_MESSAGES {
            messages.truncate(MOST_MESSAGES);
            answer.next.to_device = messages.last().map(|(position, _)| *position);
        }
        answer.to_device = messages.into_iter().map(|(_, message)| message).collect();
        Ok(())
    }

    /// Whose devices have changed, and with whom the reader shares no room any more.
    pub(super) async fn device_lists(
        &self,
        rooms: &[(RoomSn, Member)],
        moves: &DeviceMoves,
    ) -> Result<DeviceLists, StorageError> {
        let Some(since) = self.since else { return Ok(DeviceLists::default()) };
        let mut found = Found { changed: moves.signed.iter().copied().collect(), gone: BTreeSet::new() };
        for user in &moves.users {
            if *user == self.reader.user || self.parts.share_a_room(self.reader.user, *user).await? {
                found.changed.insert(*user);
            }
        }
        self.add_own_moves(since, rooms, moves, &mut found).await?;
        self.add_moves_of_others(since, rooms, moves, &mut found).await?;
        self.spare_companions(&mut found.gone).await?;
        let (changed, gone): (Vec<_>, Vec<_>) =
            (found.changed.into_iter().collect(), found.gone.into_iter().collect());
        let store = &self.parts.store;
        Ok(DeviceLists { changed: store.user_ids(&changed).await?, left: store.user_ids(&gone).await? })
    }

    /// Adds those in rooms into which the reader has come, or which they have left.
    async fn add_own_moves(
        &self,
        since: Position,
        rooms: &[(RoomSn, Member)],
        moves: &DeviceMoves,
        found: &mut Found,
    ) -> Result<(), StorageError> {
        for (room, member) in rooms.iter().filter(|(_, member)| member.position > since) {
            let is = member.membership == Membership::Join;
            let was = self.parts.was_joined(*room, since, &self.user_id).await?;
            let members = self.parts.store.members_of_room(*room).await?;
            let interrupted = match moves.members.get(&(*room, self.reader.user)) {
                Some(events) => self.has_departure(events.as_deref()).await?,
                None => false,
            };
            match (is, was) {
                (true, was) if !was || interrupted => found.changed.extend(members.joined()),
                (false, true) => found.gone.extend(members.joined()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds those who have come into the reader's rooms, or left them.
    async fn add_moves_of_others(
        &self,
        since: Position,
        rooms: &[(RoomSn, Member)],
        moves: &DeviceMoves,
        found: &mut Found,
    ) -> Result<(), StorageError> {
        let joined: BTreeSet<RoomSn> = rooms_joined(rooms).collect();
        let others = moves.members.iter().filter(|((_, user), _)| *user != self.reader.user);
        for ((room, user), events) in others {
            let is = self.parts.store.members_of_room(*room).await?.is_joined(*user);
            if is && !joined.contains(room) {
                continue;
            }
            let user_id = self.parts.store.user_id(*user).await?;
            let was = self.parts.was_joined(*room, since, &user_id).await?;
            if is && (!was || self.has_departure(events.as_deref()).await?) {
                found.changed.insert(*user);
            } else if was && !is {
                found.gone.insert(*user);
            }
        }
        Ok(())
    }

    /// Whether somebody left by one of these membership events, and may have changed devices while they were
    /// away. Where the events are not known, that is taken for granted.
    async fn has_departure(&self, events: Option<&[EventSn]>) -> Result<bool, StorageError> {
        let Some(events) = events else { return Ok(true) };
        let events = self.parts.store.events(events).await?;
        Ok(events.iter().any(|event| event.pdu.membership() != Some(Membership::Join)))
    }

    /// Takes out the reader and those with whom they still share a room.
    async fn spare_companions(&self, gone: &mut BTreeSet<UserSn>) -> Result<(), StorageError> {
        gone.remove(&self.reader.user);
        if gone.is_empty() {
            return Ok(());
        }
        let rooms = self.parts.memberships_at(self.reader.user, &self.user_id, self.until).await?;
        for room in rooms_joined(&rooms) {
            if gone.is_empty() {
                break;
            }
            let members = self.parts.store.members_of_room(room).await?;
            gone.retain(|user| !members.is_joined(*user));
        }
        Ok(())
    }
}

fn rooms_joined(rooms: &[(RoomSn, Member)]) -> impl Iterator<Item = RoomSn> {
    rooms.iter().filter(|(_, member)| member.membership == Membership::Join).map(|(room, _)| *room)
}
