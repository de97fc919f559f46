//! History that was never sent to this server: fetched when somebody pages to where it is missing.
//!
//! What is fetched stands right below what follows it. The state at the oldest of it is asked for, that at the
//! others follows from it; a page of a hundred events thus costs two requests, and as many rows as it has events.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events>

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use parvis_cache::Cache;
use parvis_dag::topological_order;
use parvis_events::Pdu;
use parvis_storage::{Direction, EventFlags, EventSn, MissingEvent, Place, RoomSn};
use ruma::{EventId, OwnedEventId, ServerName};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    ancestors::Search,
    asking::{Asking, ToldEvents},
    edges::MOST_EDGES,
};
use crate::{
    RoomError, Rooms,
    admit::{Attempts, Judged, StateGiven},
};

/// Of how many rooms it is remembered that their holes are being filled.
const ROOMS: u64 = 10_000;
/// How many holes are looked at together.
const HOLES: usize = 20;
/// How many times in a row something is asked for, for one page.
const ROUNDS: usize = 3;
/// How far apart fetched events stand, so that more fit between them.
const STEP: i64 = 16;
/// How far an event is put from what follows it when what lies between is not known: many events fit there.
const APART: i64 = 1 << 24;

/// Lets one fill the holes of a room at a time.
#[derive(Clone, Debug)]
pub(crate) struct Filling(Cache<RoomSn, Arc<Mutex<()>>>);

impl Default for Filling {
    fn default() -> Self {
        Self(Cache::new(ROOMS))
    }
}

impl Filling {
    async fn lock(&self, room: RoomSn) -> OwnedMutexGuard<()> {
        self.0.get_with(room, Arc::default).lock_owned().await
    }
}

/// What came of looking for what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Whether something has come.
    pub(crate) any: bool,
    /// Whether something is still missing that somebody may have who did not answer.
    pub(crate) is_open: bool,
}

impl Filled {
    /// Something has come.
    const SOME: Self = Self { any: true, is_open: false };
    /// Nobody has it.
    const NOBODY: Self = Self { any: false, is_open: false };
    /// Who may have it did not answer.
    const OPEN: Self = Self { any: false, is_open: true };
}

impl Rooms {
    /// Fetches what is missing in the history of a room right below the events between two places, newest first,
    /// as far as it can be had. A hole that cannot be filled does not hide those below it.
    pub(crate) async fn fill_holes(
        &self,
        room: RoomSn,
        after: Place,
        mut until: Place,
    ) -> Result<Filled, RoomError> {
        let mut filled = Filled::default();
        for _ in 0..ROUNDS {
            let holes = self.store.missing_events(room, after, until, HOLES).await?;
            let Some(first) = holes.first() else { return Ok(filled) };
            let place = first.place;
            let holes: Vec<MissingEvent> = holes.into_iter().filter(|hole| hole.place == place).collect();
            let came = self.fill(room, place, &holes).await?;
            filled.any |= came.any;
            filled.is_open |= came.is_open;
            if !came.any {
                until = Place(place.0 - 1);
            }
        }
        Ok(filled)
    }

    /// Fetches an event of the past, of which a server has told as the one next to a time: with all that came after
    /// it if that is not far, else by itself with some of what came before it, and a hole after it.
    pub(crate) async fn fetch_past(
        &self,
        room: RoomSn,
        server: &ServerName,
        event_id: &OwnedEventId,
        ts: i64,
    ) -> Result<(), RoomError> {
        let Some(after) = self.store.event_near(room, ts, Direction::Forward).await? else { return Ok(()) };
        self.fill_holes(room, Place::BEGINNING, after.place).await?;
        let is_here = self.store.event_by_id(event_id).await?.is_some_and(|event| event.has_state());
        let after = self.store.event_near(room, ts, Direction::Forward).await?;
        let Some(below) = after.filter(|_| !is_here).map(|after| after.place) else { return Ok(()) };
        let before = Place(below.0 - 1);
        let next = self.store.history(room, Place::BEGINNING, before, Direction::Backward, 1).await?;
        let apart = next.first().map_or(APART, |next| APART.min((below.0 - next.place.0) / 2));
        let _alone = self.filling.lock(room).await;
        let asking = self.asking(room, Some(server)).await?;
        self.fetch_below(asking, Place(below.0 - apart), std::slice::from_ref(event_id)).await?;
        Ok(())
    }

    /// Fetches events that are missing below a place.
    async fn fill(&self, room: RoomSn, place: Place, holes: &[MissingEvent]) -> Result<Filled, RoomError> {
        let _alone = self.filling.lock(room).await;
        let missing: Vec<OwnedEventId> = holes.iter().map(|hole| hole.event_id.clone()).collect();
        if self.forget_found(room, &missing).await? {
            return Ok(Filled::SOME);
        }
        let asking = self.asking_of_the_past(room).await?;
        self.fetch_below(asking, place, &missing).await
    }

    /// Fetches events, and what came before them, and puts them below a place.
    async fn fetch_below(
        &self,
        asking: Asking<'_>,
        place: Place,
        missing: &[OwnedEventId],
    ) -> Result<Filled, RoomError> {
        let ToldEvents { events: mut found, is_open } = asking.history(missing).await?;
        // What lies beyond an event that is here belongs to another hole.
        let known = self.placed_among(&found).await?;
        found.retain(|pdu| !known.contains(pdu.event_id()));
        let mut search = Search::new(asking);
        search.connect_from(missing.to_vec(), found);
        let Some(newest) = missing.iter().find_map(|id| search.pool.get(id)).cloned() else {
            return Ok(if is_open { Filled::OPEN } else { Filled::NOBODY });
        };
        if !self.states_at_edges(&mut search).await? {
            return Ok(Filled::OPEN);
        }
        self.fetch_authority(&search, &newest).await?;
        let any = self.take_past(&search, place, missing).await?;
        Ok(if any { Filled::SOME } else { Filled::NOBODY })
    }

    /// Crosses off what is here by now. Says whether there was such.
    async fn forget_found(&self, room: RoomSn, missing: &[OwnedEventId]) -> Result<bool, RoomError> {
        let ids: Vec<&EventId> = missing.iter().map(|id| &**id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        let mut set = parvis_storage::WriteSet::new();
        for event in self.store.events(&sns).await?.iter().filter(|event| event.has_state()) {
            set.found_missing_event(room, event.pdu.event_id());
        }
        let found = !set.is_empty();
        if found {
            self.store.commit(set).await?;
        }
        Ok(found)
    }

    /// Those of the events that have their place here already.
    pub(super) async fn placed_among(&self, pdus: &[Pdu]) -> Result<HashSet<OwnedEventId>, RoomError> {
        let ids: Vec<&EventId> = pdus.iter().map(Pdu::event_id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        let events = self.store.events(&sns).await?;
        let placed = events.iter().filter(|event| event.has_state());
        Ok(placed.map(|event| event.pdu.owned_event_id().clone()).collect())
    }

    /// Asks for the state before the oldest events. Says whether all could be had.
    async fn states_at_edges(&self, search: &mut Search<'_>) -> Result<bool, RoomError> {
        let edges = self.edges(search).await?;
        let oldest: BTreeSet<&OwnedEventId> = edges.values().collect();
        if oldest.len() > MOST_EDGES {
            return Ok(false);
        }
        let mut states: HashMap<OwnedEventId, Vec<EventSn>> = HashMap::new();
        for id in oldest {
            let Some(pdu) = search.pool.get(id) else { return Ok(false) };
            let Some(told) = search.asking.state_before(pdu).await? else { return Ok(false) };
            self.keep_outliers(search.asking.room, told.fetched).await?;
            states.insert(id.clone(), self.accepted_of(search.asking.room, told.state.iter()).await?);
        }
        for (missing, by) in edges {
            if let Some(state) = states.get(&by) {
                search.given.insert(missing, state.clone());
            }
        }
        Ok(true)
    }

    /// Writes what was found at its places below another. Says whether anything was written.
    async fn take_past(
        &self,
        search: &Search<'_>,
        below: Place,
        missing: &[OwnedEventId],
    ) -> Result<bool, RoomError> {
        let room = search.asking.room;
        let order: Vec<Pdu> = topological_order(search.pool.values().cloned());
        let count = i64::try_from(order.len()).unwrap_or(i64::MAX);
        let next =
            self.store.history(room, Place::BEGINNING, Place(below.0 - 1), Direction::Backward, 1).await?;
        let space = next.first().map_or(i64::MAX, |next| (below.0 - next.place.0) / (count + 1));
        let step = STEP.min(space);
        if step < 1 {
            tracing::warn!(room = room.0, "no more history fits below an event");
            return Ok(false);
        }
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            let mut taken = HashSet::new();
            for (pdu, left) in order.iter().zip((1..=count).rev()) {
                let place = Place(below.0 - step * left);
                let judged = turn.take_in(pdu, &search.given, Some(place), EventFlags::ACCEPTED).await?;
                if matches!(judged, Judged::Done(_) | Judged::Refused(_)) {
                    taken.insert(pdu.event_id());
                }
            }
            for id in missing.iter().filter(|id| taken.contains(&***id)) {
                turn.set.found_missing_event(room, id);
            }
            let any = missing.iter().any(|id| taken.contains(&**id));
            if attempts.finish(turn).await? {
                return Ok(any);
            }
        }
    }
}

impl<'a> Search<'a> {
    /// A search that has found nothing yet.
    fn new(asking: Asking<'a>) -> Self {
        Self {
            asking,
            pool: BTreeMap::new(),
            given: StateGiven::new(),
            barred: HashSet::new(),
            missing: HashSet::new(),
            is_far: true,
        }
    }
}
