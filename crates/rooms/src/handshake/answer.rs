//! What a newcomer's server is given: the state of the room before the join, and what authorises it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use parvis_events::{Membership, Pdu};
use parvis_storage::{EventSn, StoredEvent};
use ruma::OwnedServerName;

use crate::{RoomError, Rooms};

/// How many members are named where a room has no name.
const HEROES: usize = 5;

/// The answer to a server that joins a room.
#[derive(Clone, Debug)]
pub struct JoinAnswer {
    /// The join as it is in the room, with every signature.
    pub event: Pdu,
    /// The state before it; without most memberships if they were omitted.
    pub state: Vec<Pdu>,
    /// What authorises the join and the state, directly or not.
    pub auth_chain: Vec<Pdu>,
    /// Whether memberships were omitted.
    pub members_omitted: bool,
    /// The servers with users in the room before the join.
    pub servers_in_room: Vec<OwnedServerName>,
}

impl Rooms {
    pub(super) async fn join_answer(
        &self,
        join: &StoredEvent,
        omit_members: bool,
    ) -> Result<JoinAnswer, RoomError> {
        let mut state = self.store.state_events(join.state_root).await?;
        let servers = servers_of(&state);
        if omit_members {
            let heroes = heroes_of(&state, &join.pdu);
            state.retain(|event| event.pdu.kind() != "m.room.member" || heroes.contains(&event.sn));
        }
        let mut auth_chain = self.auth_chain_of(join, &state).await?;
        if omit_members {
            let told: HashSet<EventSn> = state.iter().map(|event| event.sn).collect();
            auth_chain.retain(|event| !told.contains(&event.sn));
        }
        let pdus = |events: Vec<Arc<StoredEvent>>| events.iter().map(|event| event.pdu.clone()).collect();
        Ok(JoinAnswer {
            event: join.pdu.clone(),
            state: pdus(state),
            auth_chain: pdus(auth_chain),
            members_omitted: omit_members,
            servers_in_room: servers,
        })
    }

    /// Everything that authorises an event and a state, step by step back to the create event.
    async fn auth_chain_of(
        &self,
        event: &StoredEvent,
        state: &[Arc<StoredEvent>],
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut seen: HashSet<EventSn> = HashSet::new();
        let mut chain = Vec::new();
        let cited = event.auth.iter().chain(state.iter().flat_map(|event| &event.auth));
        let mut step: Vec<EventSn> = cited.copied().filter(|sn| seen.insert(*sn)).collect();
        while !step.is_empty() {
            let events = self.store.events(&step).await?;
            let cited = events.iter().flat_map(|event| &event.auth);
            step = cited.copied().filter(|sn| seen.insert(*sn)).collect();
            chain.extend(events);
        }
        Ok(chain)
    }
}

fn is_member_with(event: &StoredEvent, memberships: &[Membership]) -> bool {
    event.pdu.kind() == "m.room.member"
        && event.pdu.membership().is_some_and(|membership| memberships.contains(&membership))
}

fn servers_of(state: &[Arc<StoredEvent>]) -> Vec<OwnedServerName> {
    let joined = state.iter().filter(|event| is_member_with(event, &[Membership::Join]));
    let servers: BTreeSet<OwnedServerName> =
        joined.map(|event| event.pdu.sender().server_name().to_owned()).collect();
    servers.into_iter().collect()
}

/// The members by whom a room without a name is known.
/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync>
fn heroes_of(state: &[Arc<StoredEvent>], join: &Pdu) -> HashSet<EventSn> {
    let names = ["m.room.name", "m.room.canonical_alias"];
    if state.iter().any(|event| names.iter().any(|name| event.pdu.is_state_of(name, ""))) {
        return HashSet::new();
    }
    let others: Vec<&Arc<StoredEvent>> = state
        .iter()
        .filter(|event| is_member_with(event, &[Membership::Join, Membership::Invite]))
        .filter(|event| event.pdu.state_key() != join.state_key())
        .collect();
    others.into_iter().take(HEROES).map(|event| event.sn).collect()
}
