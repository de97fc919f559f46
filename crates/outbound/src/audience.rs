//! Whom an event concerns, and what of it a server has missed.

use std::{collections::BTreeSet, sync::Arc};

use parvis_events::Membership;
use parvis_storage::{
    EventFlags, EventSn, Position, RoomServers, RoomSn, StorageError, Store, StoredEvent, UserSn,
};
use ruma::{OwnedServerName, ServerName, UserId};

/// How many events by which the users of a server have left one room are told it when it is back.
const MOST_DEPARTURES: usize = 50;
/// How many of our events in a room are looked at for the newest that concerned a server which is out of it now.
const MOST_OF_OURS: usize = 20;
/// How many events of one room that are passed on for others are told a server when it is back.
const MOST_RELAYED: usize = 10;

/// The servers to tell of an event.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The servers that are in the room; this one and that of the sender among them.
    servers: Arc<RoomServers>,
    /// Servers that are not in the room any more where the event lets forks meet. They learn from it that they
    /// are not, as nothing else tells them.
    lost: BTreeSet<OwnedServerName>,
    /// A server that is not in the room, or not any more, and whose user the event puts out of it.
    put_out: Option<OwnedServerName>,
    sender: OwnedServerName,
    own: OwnedServerName,
}

impl Audience {
    /// Whom this server, `own`, tells of an event: everybody in the room of what its users have sent or what it is
    /// to pass on, and nobody of what comes from elsewhere and is told from there.
    pub(crate) async fn of(
        store: &Store,
        own: &ServerName,
        event: &StoredEvent,
    ) -> Result<Option<Self>, StorageError> {
        let sender = event.pdu.sender().server_name();
        let is_told = if sender == own {
            !event.flags.contains(EventFlags::HANDED)
        } else {
            event.flags.contains(EventFlags::RELAYED)
        };
        if !is_told {
            return Ok(None);
        }
        let servers = store.servers_at(event).await?;
        let lost = store.servers_lost_before(event).await?;
        let put_out = put_out(store, event).await?;
        Ok(Some(Self { servers, lost, put_out, sender: sender.to_owned(), own: own.to_owned() }))
    }

    /// The servers, each once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServerName> {
        let put_out = self.put_out.iter().filter(|server| !self.lost.contains(*server));
        let outside = self.lost.iter().chain(put_out).filter(|server| !self.servers.contains_key(*server));
        let others = self.servers.keys().chain(outside).filter(|server| **server != self.own);
        others.filter(|server| **server != self.sender).map(AsRef::as_ref)
    }

    /// Whether a server is among them.
    pub(crate) fn contains(&self, server: &ServerName) -> bool {
        self.iter().any(|other| other == server)
    }
}

/// For an event that puts somebody out of the room, or takes an invite or a knock back, the server of that user.
async fn put_out(store: &Store, event: &StoredEvent) -> Result<Option<OwnedServerName>, StorageError> {
    let pdu = &event.pdu;
    if !matches!(pdu.membership(), Some(Membership::Leave | Membership::Ban)) {
        return Ok(None);
    }
    let Some(user) = pdu.state_key().and_then(|user| <&UserId>::try_from(user).ok()) else { return Ok(None) };
    let before = store.state_event(event.room, event.state_root, "m.room.member", user.as_str()).await?;
    let before = before.and_then(|before| before.pdu.membership());
    let was_told = matches!(before, Some(Membership::Join | Membership::Invite | Membership::Knock));
    Ok(was_told.then(|| user.server_name().to_owned()))
}

/// What a server has missed.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    /// Of each room the newest event of ours, oldest first. It follows all that we sent before, which the server
    /// asks for as far as it wants to.
    pub(crate) events: Vec<(Position, EventSn)>,
    /// Whose receipts have moved in which room, and when.
    pub(crate) receipts: Vec<(RoomSn, UserSn, Position)>,
}

/// What a server has missed between two positions (`after` excluded, `until` included).
pub(crate) async fn missed(
    store: &Store,
    own: &ServerName,
    server: &ServerName,
    after: Position,
    until: Position,
) -> Result<Missed, StorageError> {
    let mut missed = Missed::default();
    for room in store.rooms_moved_of_server(server, after).await? {
        let mut events = Vec::new();
        for (_, out) in store.departures_of_server(room, server, after, until, MOST_DEPARTURES).await? {
            // Who was kicked and then banned was put out by the kick.
            let out = store.event(out).await?;
            let departure = store.departure(&out).await?.unwrap_or(out);
            if departure.position > after {
                events.push((departure.position, departure.sn));
            }
        }
        let is_in_room = store.servers_of_room(room).await?.contains_key(server);
        let looked_at = if is_in_room { 1 } else { MOST_OF_OURS };
        for (position, sn) in store.newest_events_of_server(room, own, after, until, looked_at).await? {
            // Who is in the room is told the newest of ours; who is out, the newest that concerned them still.
            let event = store.event(sn).await?;
            if is_in_room || Audience::of(store, own, &event).await?.is_some_and(|told| told.contains(server))
            {
                events.push((position, sn));
                break;
            }
        }
        events.extend(
            store.newest_events_with_flags(room, EventFlags::RELAYED, after, until, MOST_RELAYED).await?,
        );
        events.sort_unstable();
        events.dedup();
        for (position, sn) in events {
            let event = store.event(sn).await?;
            let audience = Audience::of(store, own, &event).await?;
            if audience.is_some_and(|audience| audience.contains(server)) {
                missed.events.push((position, sn));
            }
        }
        if is_in_room {
            let receipts = store.receipts_of_room(room).await?.between(after, until);
            let told = receipts
                .iter()
                .filter(|receipt| receipt.receipt_type == "m.read" && receipt.user_id.server_name() == own);
            missed.receipts.extend(told.map(|receipt| (room, receipt.user, receipt.position)));
        }
    }
    missed.events.sort_unstable();
    Ok(missed)
}
