//! Servers: which have users in a room, now and at an event, and in which rooms a server has users.
//!
//! The servers of a room are counted once, kept beside its members and changed with each commit.

use std::{collections::BTreeSet, sync::Arc};

use parvis_events::Membership;
use ruma::{OwnedServerName, ServerName, UserId};

use crate::{
    EventSn, Position, RoomSn, UserSn,
    error::StorageError,
    model::{EventFlags, RoomMembers, RoomServers, StoredEvent},
    statement::statements,
    store::Store,
    value::Row,
};

statements! {
    SERVERS_OF_ROOM =
        "SELECT u.server, COUNT(*) FROM members m JOIN users u ON u.user_sn = m.user_sn
         WHERE m.room_sn = $1 AND m.membership = 'join' GROUP BY u.server";
    FORMER_SERVERS_OF_ROOM =
        "SELECT DISTINCT u.server FROM members m JOIN users u ON u.user_sn = m.user_sn
         WHERE m.room_sn = $1 AND m.membership IN ('leave', 'ban') ORDER BY u.server";
    LEFT_OF_SERVER =
        "SELECT m.event_sn, m.position FROM users u JOIN members m ON m.user_sn = u.user_sn
         WHERE u.server = $1 AND m.room_sn = $2 AND m.membership IN ('leave', 'ban')
         ORDER BY m.position DESC LIMIT $3";
    USERS_CHANGED_IN_ROOM = "SELECT user_sn FROM members WHERE room_sn = $1 AND position > $2";
    ALL_SERVERS =
        "SELECT DISTINCT u.server FROM users u JOIN members m ON m.user_sn = u.user_sn
         WHERE m.membership = 'join'";
    ROOMS_OF_SERVER_MOVED =
        "SELECT DISTINCT m.room_sn FROM users u
         JOIN members m ON m.user_sn = u.user_sn
         JOIN rooms r ON r.room_sn = m.room_sn
         WHERE u.server = $1 AND (m.membership = 'join' OR m.position > $2) AND r.last_position > $2";
    NEWEST_OF_SERVER =
        "SELECT e.event_sn, e.position FROM events e JOIN users u ON u.user_sn = e.sender_sn
         WHERE e.room_sn = $1 AND e.position > $2 AND e.position <= $3 AND u.server = $4
         ORDER BY e.position DESC LIMIT $5";
    NEWEST_WITH_FLAGS =
        "SELECT event_sn, position FROM events
         WHERE room_sn = $1 AND position > $2 AND position <= $3 AND (flags & $4) <> 0
         ORDER BY position DESC LIMIT $5";
    DEPARTURES_OF_SERVER =
        "SELECT e.event_sn, e.position FROM users u
         JOIN members m ON m.user_sn = u.user_sn
         JOIN events e ON e.event_sn = m.event_sn
         WHERE u.server = $1 AND m.room_sn = $2 AND m.membership <> 'join'
             AND e.position > $3 AND e.position <= $4
         ORDER BY e.position DESC LIMIT $5";
}

/// How many times somebody was put out in a row, at most, when it is looked for where they were in.
const MOST_DEPARTURES: usize = 10;
/// How often the servers at an event are worked out anew because a membership changed meanwhile.
const ATTEMPTS: usize = 4;

impl Store {
    /// The servers that have users in a room, as last committed.
    pub async fn servers_of_room(&self, room: RoomSn) -> Result<Arc<RoomServers>, StorageError> {
        let members = self.members_of_room(room).await?;
        self.count_servers(room, &members).await
    }

    /// The servers of those who have left a room or were put out of it, of whom others may still be in it.
    pub async fn former_servers_of_room(&self, room: RoomSn) -> Result<Vec<OwnedServerName>, StorageError> {
        let rows = self.engine.fetch(&FORMER_SERVERS_OF_ROOM, vec![room.into()]).await?;
        rows.iter().map(|row| server_from(row, 0)).collect()
    }

    /// The memberships by which users of a server are out of a room, the newest first, at most `limit`: where they
    /// changed, and the event; where forks met, that may be the last one that said something else.
    pub async fn left_of_server(
        &self,
        room: RoomSn,
        server: &ServerName,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![server.as_str().into(), room.into(), limit.into()];
        let rows = self.engine.fetch(&LEFT_OF_SERVER, values).await?;
        rows.iter().map(numbered).collect()
    }

    /// The servers that had users in the room after one of the events that this one follows, and have none there
    /// before it any more: where forks met, they were put out without an event that says so.
    pub async fn servers_lost_before(
        &self,
        event: &StoredEvent,
    ) -> Result<BTreeSet<OwnedServerName>, StorageError> {
        let mut lost = BTreeSet::new();
        if event.prev.len() < 2 {
            return Ok(lost);
        }
        for prev in self.events(&event.prev).await? {
            let differences = self.state_diff(event.state_root, prev.state_root).await?;
            let sns: Vec<EventSn> = differences.iter().filter_map(|difference| difference.after).collect();
            let events = self.events(&sns).await?;
            let joined =
                events.iter().chain([&prev]).filter(|one| one.pdu.membership() == Some(Membership::Join));
            let users = joined.filter_map(|one| <&UserId>::try_from(one.pdu.state_key()?).ok());
            lost.extend(users.map(|user| user.server_name().to_owned()));
        }
        Ok(lost)
    }

    /// For an event by which a user is out of a room, the one by which they left it after they were in: itself, or
    /// one before it, where somebody was kicked and then banned, say. Nothing for who never was in.
    pub async fn departure(&self, out: &Arc<StoredEvent>) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        let mut event = Arc::clone(out);
        for _ in 0..MOST_DEPARTURES {
            let user = event.pdu.state_key().unwrap_or_default();
            let before = self.state_event(event.room, event.state_root, "m.room.member", user).await?;
            let Some(before) = before else { return Ok(None) };
            match before.pdu.membership() {
                Some(Membership::Join) => return Ok(Some(event)),
                Some(Membership::Leave | Membership::Ban) => event = before,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The servers of a room's members, counted now if they are not.
    async fn count_servers(
        &self,
        room: RoomSn,
        members: &RoomMembers,
    ) -> Result<Arc<RoomServers>, StorageError> {
        if let Some(now) = members.servers_now(&[]) {
            return Ok(now.servers);
        }
        let cache = &self.shared.members;
        let generation = cache.generation();
        let rows = self.engine.fetch(&SERVERS_OF_ROOM, vec![room.into()]).await?;
        let count = |row: &Row| Ok((server_from(row, 0)?, usize::try_from(row.int(1)?).unwrap_or(0)));
        let servers = Arc::new(rows.iter().map(count).collect::<Result<RoomServers, StorageError>>()?);
        cache.keep_servers(members, &servers, generation);
        Ok(servers)
    }

    /// The servers that had users in a room right after an event of its timeline. Where no membership has
    /// changed since, memory answers.
    pub async fn servers_at(&self, event: &StoredEvent) -> Result<Arc<RoomServers>, StorageError> {
        for _ in 0..ATTEMPTS {
            let members = self.members_of_room(event.room).await?;
            self.count_servers(event.room, &members).await?;
            // Without them a membership has changed somewhere while they were counted.
            let Some(now) = members.servers_now(&[]) else { continue };
            if now.changed.is_none_or(|changed| changed <= event.position) {
                return Ok(now.servers);
            }
            let users = self.users_changed(event.room, event.position).await?;
            let Some(after) = members.servers_now(&users) else { continue };
            if after.changed == now.changed {
                return self.servers_before(event, &users, after.servers, &after.joined).await;
            }
        }
        self.servers_of_room(event.room).await
    }

    async fn users_changed(&self, room: RoomSn, after: Position) -> Result<Vec<UserSn>, StorageError> {
        let rows = self.engine.fetch(&USERS_CHANGED_IN_ROOM, vec![room.into(), after.into()]).await?;
        rows.iter().map(|row| row.int(0).map(UserSn)).collect()
    }

    /// Takes back what has changed since an event: `users` are those whose membership has changed, `joined` who
    /// of them is counted in `servers`.
    async fn servers_before(
        &self,
        event: &StoredEvent,
        users: &[UserSn],
        mut servers: Arc<RoomServers>,
        joined: &[bool],
    ) -> Result<Arc<RoomServers>, StorageError> {
        let user_ids = self.user_ids(users).await?;
        for (user_id, now) in user_ids.iter().zip(joined) {
            let then =
                self.state_event(event.room, event.room_root, "m.room.member", user_id.as_str()).await?;
            let then = then.is_some_and(|member| member.pdu.membership() == Some(Membership::Join));
            if then == *now {
                continue;
            }
            let counts = Arc::make_mut(&mut servers);
            let count = counts.entry(user_id.server_name().to_owned()).or_default();
            *count = if then { *count + 1 } else { count.saturating_sub(1) };
            counts.retain(|_, count| *count > 0);
        }
        Ok(servers)
    }

    /// Every server with users in any room.
    pub async fn servers_in_rooms(&self) -> Result<Vec<OwnedServerName>, StorageError> {
        let rows = self.engine.fetch(&ALL_SERVERS, Vec::new()).await?;
        rows.iter().map(|row| server_from(row, 0)).collect()
    }

    /// The rooms with news since a position in which a server has users, or had some until after then.
    pub async fn rooms_moved_of_server(
        &self,
        server: &ServerName,
        after: Position,
    ) -> Result<Vec<RoomSn>, StorageError> {
        let values = vec![server.as_str().into(), after.into()];
        let rows = self.engine.fetch(&ROOMS_OF_SERVER_MOVED, values).await?;
        rows.iter().map(|row| row.int(0).map(RoomSn)).collect()
    }

    /// The newest events of a room's timeline, between two positions (`after` excluded, `until` included), that
    /// users of a server have sent; at most `limit`, the newest first.
    pub async fn newest_events_of_server(
        &self,
        room: RoomSn,
        server: &ServerName,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![room.into(), after.into(), until.into(), server.as_str().into(), limit.into()];
        let rows = self.engine.fetch(&NEWEST_OF_SERVER, values).await?;
        rows.iter().map(numbered).collect()
    }

    /// The newest events of a room's timeline, between two positions (`after` excluded, `until` included), that
    /// have one of these flags; at most `limit`.
    pub async fn newest_events_with_flags(
        &self,
        room: RoomSn,
        flags: EventFlags,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![room.into(), after.into(), until.into(), flags.0.into(), limit.into()];
        let rows = self.engine.fetch(&NEWEST_WITH_FLAGS, values).await?;
        rows.iter().map(numbered).collect()
    }

    /// The events between two positions (`after` excluded, `until` included) by which users of a server are not,
    /// or not any more, in a room; the newest, at most `limit`.
    pub async fn departures_of_server(
        &self,
        room: RoomSn,
        server: &ServerName,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![server.as_str().into(), room.into(), after.into(), until.into(), limit.into()];
        let rows = self.engine.fetch(&DEPARTURES_OF_SERVER, values).await?;
        rows.iter().map(numbered).collect()
    }
}

fn numbered(row: &Row) -> Result<(Position, EventSn), StorageError> {
    Ok((Position(row.int(1)?), EventSn(row.int(0)?)))
}

/// The name of a server.
pub(crate) fn server_from(row: &Row, column: usize) -> Result<OwnedServerName, StorageError> {
    OwnedServerName::try_from(row.text(column)?)
        .map_err(|_| StorageError::Corrupt("a server name".to_owned()))
}
