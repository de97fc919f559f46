//! Which event was sent nearest to a time: here, and where our history has holes, elsewhere.
//! <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event>

use std::time::Duration;

use parvis_peers::Limits;
use parvis_storage::{Direction, EventFlags, RoomSn, StoredEvent};
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedServerName, RoomId, UInt,
    api::{Direction as Asked, federation::event::get_event_by_timestamp::v1::Request},
};

use crate::{Actor, RoomError, Rooms};

/// How many other servers are asked.
const MOST_SERVERS: usize = 3;
/// How long each has.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event near a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNear {
    /// The event. Where only another server told of it, and would not give it, it is not here.
    pub event_id: OwnedEventId,
    /// When it was sent, in milliseconds since the Unix epoch.
    pub origin_server_ts: i64,
}

impl EventNear {
    fn of(event: &StoredEvent) -> Self {
        let event_id = event.pdu.owned_event_id().clone();
        Self { event_id, origin_server_ts: event.pdu.origin_server_ts() }
    }
}

impl Rooms {
    /// The event that was sent nearest to a time (milliseconds since the Unix epoch), looking one way. One of which
    /// another server tells is fetched, so that it can be read, if that can be done.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if there is none.
    pub async fn event_near(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        ts: i64,
        direction: Direction,
    ) -> Result<EventNear, RoomError> {
        let room = self.find_readable(room_id).await?;
        self.readable_root(actor.user, room).await?;
        let here = self.store.event_near(room, ts, direction).await?;
        let mut nearest = here.as_deref().map(EventNear::of);
        let follower = self.store.event_near(room, ts, Direction::Forward).await?;
        if nearest.is_none() || self.is_after_a_hole(follower.as_deref()).await? {
            let elsewhere = self.event_near_elsewhere(room, room_id, ts, direction).await?;
            let distance = |event: &EventNear| event.origin_server_ts.abs_diff(ts);
            if let Some((server, found)) = elsewhere
                && nearest.as_ref().is_none_or(|here| distance(&found) < distance(here))
            {
                self.fetch_past(room, &server, &found.event_id, ts).await?;
                nearest = Some(found);
            }
        }
        nearest.ok_or(RoomError::NotFound("there is no event on that side of that time"))
    }

    /// Whether events that are not here came before this one.
    async fn is_after_a_hole(&self, event: Option<&StoredEvent>) -> Result<bool, RoomError> {
        let Some(event) = event else { return Ok(false) };
        let prev: Vec<&EventId> = event.pdu.prev_events().iter().map(|id| &**id).collect();
        let known = self.store.event_sns(&prev).await?;
        if known.len() < prev.len() {
            return Ok(true);
        }
        let known: Vec<_> = known.into_values().collect();
        let known = self.store.events(&known).await?;
        Ok(known.iter().any(|event| event.flags.contains(EventFlags::OUTLIER)))
    }

    async fn event_near_elsewhere(
        &self,
        room: RoomSn,
        room_id: &RoomId,
        ts: i64,
        direction: Direction,
    ) -> Result<Option<(OwnedServerName, EventNear)>, RoomError> {
        let at = MilliSecondsSinceUnixEpoch(UInt::new_saturating(u64::try_from(ts).unwrap_or(0)));
        let way = if direction == Direction::Forward { Asked::Forward } else { Asked::Backward };
        let limits = Limits { timeout: PATIENCE, ..Limits::QUESTION };
        let servers = self.servers_in_room(room).await?;
        let others = servers.iter().filter(|server| **server != self.identity.server_name);
        for server in others.take(MOST_SERVERS) {
            let request = Request::new(room_id.to_owned(), at, way);
            let Ok(answer) = self.others.federation.call(server, request, limits).await else { continue };
            let found = i64::from(answer.origin_server_ts.get());
            let is_right = if direction == Direction::Forward { found >= ts } else { found <= ts };
            if is_right {
                let near = EventNear { event_id: answer.event_id, origin_server_ts: found };
                return Ok(Some((server.clone(), near)));
            }
        }
        Ok(None)
    }
}
