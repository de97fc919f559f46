//! The state at the edge of what could be fetched, which only other servers can tell.
//!
//! Whoever sends an event may keep back what it follows, and tell everybody another state at that place; two honest
//! servers that believed it would hold different rooms from then on. So the state is asked of several, and nobody is
//! believed about the past of its own events against the others: an event that nobody but its sender can place does
//! not enter anywhere.

use parvis_events::Pdu;
use parvis_storage::{EventFlags, EventSn};
use ruma::{OwnedEventId, ServerName};

use super::{
    ancestors::Search,
    asking::{Asking, Testimony, ToldState},
    in_vain::InVain,
};
use crate::{RoomError, Rooms};

/// At how many events at the edge the state is asked for.
pub(super) const MOST_EDGES: usize = 20;

/// Something that stays unknown.
struct Edge {
    /// The event that is not here.
    missing: OwnedEventId,
    /// One that follows it.
    by: Pdu,
    /// Whether what is missing is known to others, only too long ago to be fetched.
    is_far: bool,
}

/// What the servers of a room say of the state at an edge.
#[derive(Default)]
struct Hearing {
    /// What those say who did not send the event.
    witnesses: Vec<ToldState>,
    /// What the one says who did.
    author: Option<ToldState>,
    /// Whether somebody else does not know of the event.
    is_denied: bool,
    /// Whether somebody might say more another time.
    is_open: bool,
}

impl Rooms {
    /// Asks for the state after what stays unknown. Says whether all could be had. In the `last` try, nobody is
    /// waited for.
    pub(super) async fn fetch_edges(
        &self,
        search: &mut Search<'_>,
        last: bool,
        in_vain: &mut InVain,
    ) -> Result<bool, RoomError> {
        let edges = self.edges(search).await?;
        if edges.len() > MOST_EDGES {
            return Ok(false);
        }
        for (missing, by) in edges {
            if search.given.contains_key(&missing) {
                continue;
            }
            if in_vain.has_any(&search.asking.servers, [(&missing, &by)], last) {
                return Ok(false);
            }
            let is_far = search.is_far || search.missing.contains(&by);
            let Some(by) = search.pool.get(&by).cloned() else { return Ok(false) };
            let edge = Edge { missing, by, is_far };
            let Some(state) = self.state_at_edge(&search.asking, &edge, last).await? else {
                in_vain.note(&search.asking.servers, [(&edge.missing, edge.by.owned_event_id())], last);
                return Ok(false);
            };
            search.given.insert(edge.missing, state);
        }
        Ok(true)
    }

    /// The state at an edge, if it can be had from somebody who is to be believed.
    async fn state_at_edge(
        &self,
        asking: &Asking<'_>,
        edge: &Edge,
        last: bool,
    ) -> Result<Option<Vec<EventSn>>, RoomError> {
        let mut hearing = Hearing::default();
        tracing::info!(
            event = %edge.by.event_id(), missing = %edge.missing, room = %asking.head.room_id, servers = ?asking.servers,
            "others are asked for the state after an event that cannot be had"
        );
        for server in &asking.servers {
            let is_author = server == edge.by.sender().server_name();
            match self.testimony(asking, server, edge).await? {
                Testimony::State(told) => {
                    if told.authorises(&edge.by) && hearing.has_heard(&told) {
                        return self.keep_state(asking, told).await.map(Some);
                    }
                    if is_author {
                        hearing.author = Some(told);
                    } else {
                        hearing.witnesses.push(told);
                    }
                }
                Testimony::Unsure | Testimony::Silence => hearing.is_open = true,
                Testimony::Nothing => hearing.is_denied |= !is_author,
            }
        }
        match hearing.outcome(edge, last) {
            Some(told) => self.keep_state(asking, told).await.map(Some),
            None => Ok(None),
        }
    }

    /// What a server says of the state at an edge: after the event that is not here, or before the one that is.
    async fn testimony(
        &self,
        asking: &Asking<'_>,
        server: &ServerName,
        edge: &Edge,
    ) -> Result<Testimony, RoomError> {
        match self.testimony_after(asking, server, &edge.missing).await? {
            Testimony::Nothing => asking.state_before_by(server, edge.by.event_id()).await,
            other => Ok(other),
        }
    }

    /// The state after an event that is not here, as a server tells it.
    async fn testimony_after(
        &self,
        asking: &Asking<'_>,
        server: &ServerName,
        id: &OwnedEventId,
    ) -> Result<Testimony, RoomError> {
        let mut told = match asking.state_before_by(server, id).await? {
            Testimony::State(told) => told,
            other => return Ok(other),
        };
        let mut kept = told.fetched.clone();
        let mut is_told = false;
        if self.store.event_by_id(id).await?.is_none() {
            let events = asking.events(std::slice::from_ref(id)).await?.events;
            is_told = !events.is_empty();
            kept.extend(events);
        }
        self.keep_outliers(asking.room, kept).await?;
        let Some(event) = self.store.event_by_id(id).await? else {
            // Where the event is told, but not all that authorises it, nothing that builds on it can be judged.
            return Ok(if is_told { Testimony::Unsure } else { Testimony::Nothing });
        };
        if let Some(state_key) = event.pdu.state_key().filter(|_| !event.flags.contains(EventFlags::REJECTED))
        {
            // It takes the place of what it replaces.
            let before = self.accepted_of(asking.room, told.state.iter()).await?;
            let before = self.store.events(&before).await?;
            if let Some(old) = before.iter().find(|old| old.pdu.is_state_of(event.pdu.kind(), state_key)) {
                told.state.remove(old.pdu.event_id());
            }
            told.state.insert(id.clone());
        }
        Ok(Testimony::State(told))
    }

    /// Keeps what was fetched of a state as outliers, and gives what counts of it.
    async fn keep_state(&self, asking: &Asking<'_>, told: ToldState) -> Result<Vec<EventSn>, RoomError> {
        self.keep_outliers(asking.room, told.fetched).await?;
        self.accepted_of(asking.room, told.state.iter()).await
    }
}

impl Hearing {
    /// Whether somebody has said the same.
    fn has_heard(&self, told: &ToldState) -> bool {
        let before = self.witnesses.iter().chain(&self.author);
        told.is_whole && before.filter(|before| before.is_whole).any(|before| before.state == told.state)
    }

    /// Who is believed where no two say the same. A state that does not authorise the event that follows is told by a
    /// liar, or the event was sent by one.
    fn outcome(self, edge: &Edge, last: bool) -> Option<ToldState> {
        if self.is_open && !last {
            return None;
        }
        let rank = |told: &ToldState| (told.authorises(&edge.by), told.is_whole);
        let witness = self.witnesses.into_iter().rev().max_by_key(rank);
        let author = self.author.filter(|_| !self.is_denied || edge.is_far);
        match (witness, author) {
            (Some(witness), Some(author)) if edge.is_far && rank(&author) > rank(&witness) => Some(author),
            (witness, author) => witness.or(author),
        }
    }
}
