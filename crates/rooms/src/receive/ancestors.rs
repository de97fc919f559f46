//! An event whose ancestors are not all here: they are fetched, within bounds. First the events in between; where
//! those do not lead back to what is here, the state at the edge, and the hole is noted; and whatever authorises
//! any of them.
//!
//! An event enters only with all that authorises it and with a state before it. Where that cannot be had it does
//! not enter; what follows it may, with a hole in its place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use parvis_dag::topological_order;
use parvis_events::Pdu;
use parvis_storage::{EventFlags, EventSn, Place, RoomSn};
use ruma::{EventId, OwnedEventId, ServerName};

use super::asking::{Asking, ToldState};
use crate::{
    RoomError, Rooms,
    admit::{Attempts, Judged, StateGiven},
};

/// How many times events in between are asked for.
const ROUNDS: usize = 10;
/// How many events in between are fetched at most.
const MOST_BETWEEN: usize = 500;
/// At how many events at the edge the state is asked for.
const MOST_EDGES: usize = 20;
/// How many holes of a room are looked at, the newest first.
const MOST_HOLES: usize = 1_000;
/// How often all is tried without an event that cannot enter.
const DETOURS: usize = 3;

/// The search for the ancestors of an event.
pub(super) struct Search<'a> {
    pub(super) asking: Asking<'a>,
    /// The event, and those of its ancestors that were found and are not here yet.
    pub(super) pool: BTreeMap<OwnedEventId, Pdu>,
    /// The state after events that stay unknown.
    pub(super) given: StateGiven,
    /// Events that cannot enter: they count as unknown.
    pub(super) barred: HashSet<OwnedEventId>,
    /// Events that are missing here though something follows them. What came before them is history, and not looked
    /// for here.
    pub(super) missing: HashSet<OwnedEventId>,
}

impl Rooms {
    /// Takes in an event after its ancestors, which are fetched. `skip` are events of the inbox that were tried in
    /// vain. Says whether the event was decided; if not, it is to be tried again later.
    pub(super) async fn take_with_ancestors(
        &self,
        room: RoomSn,
        origin: &ServerName,
        pdu: &Pdu,
        skip: &HashSet<OwnedEventId>,
    ) -> Result<bool, RoomError> {
        let asking = self.asking(room, Some(origin)).await?;
        let pool = BTreeMap::from([(pdu.owned_event_id().clone(), pdu.clone())]);
        let missing = self.missing_in(room).await?;
        let mut search = Search { asking, pool, given: StateGiven::new(), barred: HashSet::new(), missing };
        if !self.fetch_between(&mut search, skip).await? {
            return Ok(false);
        }
        for _ in 0..DETOURS {
            if !self.fetch_edges(&mut search).await? {
                return Ok(false);
            }
            self.fetch_authority(&search, pdu).await?;
            let stuck = self.take_pool(&search).await?;
            match stuck {
                None => return Ok(true),
                Some(stuck) if stuck == *pdu.owned_event_id() => return Ok(false),
                Some(stuck) => {
                    search.pool.remove(&stuck);
                    search.barred.insert(stuck);
                }
            }
        }
        Ok(false)
    }

    /// The events of a room that are missing though something follows them.
    pub(super) async fn missing_in(&self, room: RoomSn) -> Result<HashSet<OwnedEventId>, RoomError> {
        let holes = self.store.missing_events(room, Place::BEGINNING, Place::END, MOST_HOLES).await?;
        Ok(holes.into_iter().map(|hole| hole.event_id).collect())
    }

    /// What the events of the pool follow and what is neither in it nor here, with the events that follow it.
    pub(super) async fn edges(
        &self,
        search: &Search<'_>,
    ) -> Result<BTreeMap<OwnedEventId, OwnedEventId>, RoomError> {
        let mut edges: BTreeMap<OwnedEventId, OwnedEventId> = BTreeMap::new();
        for pdu in search.pool.values() {
            for prev in pdu.prev_events().iter().filter(|prev| !search.pool.contains_key(*prev)) {
                edges.insert(prev.clone(), pdu.owned_event_id().clone());
            }
        }
        let ids: Vec<&EventId> = edges.keys().map(|id| &**id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        for event in self.store.events(&sns).await?.iter().filter(|event| event.has_state()) {
            edges.remove(event.pdu.event_id());
        }
        Ok(edges)
    }

    /// Fetches the events between those of the pool and what is here. Says whether anybody could be asked for them.
    async fn fetch_between(
        &self,
        search: &mut Search<'_>,
        skip: &HashSet<OwnedEventId>,
    ) -> Result<bool, RoomError> {
        let heads = self.store.events(&search.asking.head.heads).await?;
        let earliest: Vec<OwnedEventId> =
            heads.iter().take(20).map(|head| head.pdu.owned_event_id().clone()).collect();
        let mut was_asked = false;
        for _ in 0..ROUNDS {
            let mut edges = self.edges(search).await?;
            edges.retain(|_, by| !search.missing.contains(by));
            if edges.is_empty() || search.pool.len() >= MOST_BETWEEN {
                return Ok(true);
            }
            let before = search.pool.len();
            self.find_in_inbox(search, &edges, skip).await?;
            if search.pool.len() > before {
                continue;
            }
            let mut latest: Vec<OwnedEventId> = edges.into_values().collect();
            latest.sort();
            latest.dedup();
            latest.truncate(20);
            let Some(between) = search.asking.missing_events(&earliest, &latest).await? else {
                return Ok(was_asked);
            };
            was_asked = true;
            let mut found = between.pdus;
            // Who is asked may go back further than to what is here.
            let known = self.placed_among(&found).await?;
            found.retain(|pdu| !known.contains(pdu.event_id()));
            search.connect(found);
            if search.pool.len() == before {
                return Ok(true);
            }
            if between.is_all {
                // What still is missing may lie in the inbox; nobody needs to be asked for it again.
                let edges = self.edges(search).await?;
                self.find_in_inbox(search, &edges, skip).await?;
                return Ok(true);
            }
        }
        Ok(true)
    }

    async fn find_in_inbox(
        &self,
        search: &mut Search<'_>,
        edges: &BTreeMap<OwnedEventId, OwnedEventId>,
        skip: &HashSet<OwnedEventId>,
    ) -> Result<(), RoomError> {
        let ids: Vec<&EventId> = edges.keys().filter(|id| !skip.contains(*id)).map(|id| &**id).collect();
        let (room_id, version) = (search.asking.head.room_id.clone(), search.asking.head.version);
        for event in self.store.in_inbox(search.asking.room, &ids).await? {
            if let Ok(pdu) = Pdu::from_stored(event.event_id.clone(), room_id.clone(), version, event.json) {
                search.pool.insert(event.event_id, pdu);
            }
        }
        Ok(())
    }

    /// Asks for the state after what stays unknown. Says whether all could be had.
    async fn fetch_edges(&self, search: &mut Search<'_>) -> Result<bool, RoomError> {
        let edges = self.edges(search).await?;
        if edges.len() > MOST_EDGES {
            return Ok(false);
        }
        for (id, by) in edges {
            if search.given.contains_key(&id) {
                continue;
            }
            let Some(state) = self.fetch_state_at_edge(&search.asking, &id, &by).await? else {
                return Ok(false);
            };
            search.given.insert(id, state);
        }
        Ok(true)
    }

    /// Fetches the state between an event that is not here and one that follows it. Whoever sent the latter has it,
    /// as a rule, and knows the state before it; so it is asked for that first, and what somebody else withholds
    /// from all but that server keeps nobody from following it.
    async fn fetch_state_at_edge(
        &self,
        asking: &Asking<'_>,
        missing: &OwnedEventId,
        by: &OwnedEventId,
    ) -> Result<Option<Vec<EventSn>>, RoomError> {
        if let Some(told) = asking.state_before_by_first(by).await? {
            return self.keep_state(asking, told).await.map(Some);
        }
        if let Some(state) = self.fetch_state_after(asking, missing).await? {
            return Ok(Some(state));
        }
        match asking.state_before(by).await? {
            Some(told) => self.keep_state(asking, told).await.map(Some),
            None => Ok(None),
        }
    }

    /// Keeps what was fetched of a state as outliers, and gives what counts of it.
    async fn keep_state(&self, asking: &Asking<'_>, told: ToldState) -> Result<Vec<EventSn>, RoomError> {
        self.keep_outliers(asking.room, told.fetched).await?;
        self.accepted_of(asking.room, &told.state).await
    }

    /// Fetches the state after an event that is not here, and keeps what it consists of as outliers.
    async fn fetch_state_after(
        &self,
        asking: &Asking<'_>,
        id: &OwnedEventId,
    ) -> Result<Option<Vec<EventSn>>, RoomError> {
        let Some(told) = asking.state_before(id).await? else { return Ok(None) };
        let mut events = told.fetched;
        let own = self.store.event_by_id(id).await?;
        if own.is_none() {
            let fetched = asking.events(std::slice::from_ref(id)).await?.events;
            if fetched.is_empty() {
                return Ok(None);
            }
            events.extend(fetched);
        }
        self.keep_outliers(asking.room, events).await?;
        let mut state = self.accepted_of(asking.room, &told.state).await?;
        // The event itself comes last, so that it takes the place of what it replaces.
        let Some(own) = self.store.event_by_id(id).await? else { return Ok(None) };
        if own.slot.is_some() && !own.flags.contains(EventFlags::REJECTED) {
            state.push(own.sn);
        }
        Ok(Some(state))
    }

    /// Those of the state events that are here and were not rejected.
    pub(super) async fn accepted_of(
        &self,
        room: RoomSn,
        state: &[OwnedEventId],
    ) -> Result<Vec<EventSn>, RoomError> {
        let ids: Vec<&EventId> = state.iter().map(|id| &**id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        let events = self.store.events(&sns).await?;
        let accepted =
            events.iter().filter(|event| event.room == room && !event.flags.contains(EventFlags::REJECTED));
        Ok(accepted.map(|event| event.sn).collect())
    }

    /// Fetches what authorises the events of the pool and is neither in it nor here.
    pub(super) async fn fetch_authority(&self, search: &Search<'_>, pdu: &Pdu) -> Result<(), RoomError> {
        let mut unknown = self.unknown_authority(search).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let chain = search.asking.auth_chain(pdu.event_id()).await?;
        self.keep_outliers(search.asking.room, chain).await?;
        unknown = self.unknown_authority(search).await?;
        if !unknown.is_empty() {
            let events = search.asking.events(&unknown).await?.events;
            self.keep_outliers(search.asking.room, events).await?;
        }
        Ok(())
    }

    async fn unknown_authority(&self, search: &Search<'_>) -> Result<Vec<OwnedEventId>, RoomError> {
        let cited: BTreeSet<&EventId> = search
            .pool
            .values()
            .flat_map(|pdu| pdu.auth_events())
            .filter(|id| !search.pool.contains_key(*id))
            .map(|id| &**id)
            .collect();
        let cited: Vec<&EventId> = cited.into_iter().collect();
        let known = self.store.event_sns(&cited).await?;
        let unknown = cited.into_iter().filter(|id| !known.contains_key(*id));
        Ok(unknown.take(MOST_BETWEEN).map(ToOwned::to_owned).collect())
    }

    /// Takes in the pool, ancestors first, in one write. Gives the first event that cannot enter, if any.
    async fn take_pool(&self, search: &Search<'_>) -> Result<Option<OwnedEventId>, RoomError> {
        let pool = search.pool.values().cloned().collect();
        let (pool, unwelcome) = self.police(search.asking.room, pool).await?;
        let order = topological_order(pool);
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(search.asking.room).await?;
            turn.note_overtaken(&search.missing, order.iter());
            turn.keep_out_of_sight(&unwelcome);
            let mut stuck = None;
            for pdu in &order {
                match turn.take_in(pdu, &search.given, None, EventFlags::ACCEPTED).await? {
                    Judged::Missing { prev, auth } => {
                        tracing::debug!(event = %pdu.event_id(), ?prev, ?auth, "still lacks ancestors");
                        stuck = Some(pdu.owned_event_id().clone());
                        break;
                    }
                    Judged::Refused(reason) => tracing::info!(event = %pdu.event_id(), reason, "refused"),
                    Judged::Done(_) => {}
                }
                turn.set.take_from_inbox(pdu.event_id());
            }
            if attempts.finish(turn).await? {
                return Ok(stuck);
            }
        }
    }
}

impl Search<'_> {
    /// Takes those of the events into the pool to which its events lead back.
    fn connect(&mut self, found: Vec<Pdu>) {
        let open = self.pool.values().filter(|pdu| !self.missing.contains(pdu.event_id()));
        let from = open.flat_map(|pdu| pdu.prev_events()).cloned().collect();
        self.connect_from(from, found);
    }

    /// Takes those of the events into the pool to which these lead back.
    pub(super) fn connect_from(&mut self, mut to_look_at: Vec<OwnedEventId>, found: Vec<Pdu>) {
        let mut found: HashMap<OwnedEventId, Pdu> =
            found.into_iter().map(|pdu| (pdu.owned_event_id().clone(), pdu)).collect();
        while let Some(id) = to_look_at.pop() {
            if self.barred.contains(&id) || self.pool.len() >= MOST_BETWEEN {
                continue;
            }
            if let Some(pdu) = found.remove(&id) {
                if !self.missing.contains(&id) {
                    to_look_at.extend(pdu.prev_events().iter().cloned());
                }
                self.pool.insert(id, pdu);
            }
        }
    }
}
