//! Outliers: events of which only the authorisation is known, such as those of a state that another server gave.
//! They are judged by what they cite alone, and stand in no timeline.

use std::collections::{HashMap, HashSet};

use parvis_dag::{self as dag, Known};
use parvis_events::Pdu;
use parvis_storage::{EventFlags, EventSn, UserSn};
use ruma::{EventId, OwnedEventId, OwnedUserId};

use super::{
    Turn,
    entry::Entry,
    remote::{create_id, unique},
    resolution::known,
};
use crate::RoomError;

/// An outlier, or an event that is here, by which others are judged.
struct Authority {
    sn: EventSn,
    known: Known,
}

impl Turn<'_> {
    /// Stages events as outliers. Those that are here already, and those of which not all is known that
    /// authorises them, are passed over. Costs a look-up for all together, and no more for each.
    pub(crate) async fn add_outliers(&mut self, pdus: Vec<Pdu>) -> Result<(), RoomError> {
        let pdus: Vec<Pdu> = pdus.into_iter().filter(|pdu| *pdu.room_id() == *self.head.room_id).collect();
        self.settle().await?;
        let mut authorities = self.authorities(&pdus).await?;
        let new: Vec<Pdu> = in_order_of_authority(pdus)
            .into_iter()
            .filter(|pdu| !authorities.contains_key(pdu.event_id()))
            .collect();
        let senders = self.senders(&new).await?;
        for pdu in new {
            let cited: Vec<&OwnedEventId> = unique(pdu.auth_events()).collect();
            let create = create_id(&pdu);
            if !cited.iter().copied().chain(&create).all(|id| authorities.contains_key(id)) {
                tracing::debug!(event = %pdu.event_id(), "what authorises an event cannot be had");
                continue;
            }
            let auth = cited.iter().filter_map(|id| authorities.get(*id)).map(|one| one.sn).collect();
            let rejected =
                dag::judge_outlier(&pdu, |id| authorities.get(id).map(|one| one.known.clone())).is_err();
            let flags =
                if rejected { EventFlags::OUTLIER.with(EventFlags::REJECTED) } else { EventFlags::OUTLIER };
            let sender = senders.get(pdu.owned_sender()).copied().unwrap_or(UserSn(0));
            let entry = Entry { sender, flags, auth, ..Entry::of(pdu.clone()) };
            let sn = self.enter(entry).await?.sn;
            let id = pdu.owned_event_id().clone();
            authorities.insert(id, Authority { sn, known: Known { pdu, rejected } });
        }
        Ok(())
    }

    /// Stages an event of which only itself is known, such as an invitation to a room elsewhere; gives its number.
    pub(crate) async fn stage_outlier(&mut self, pdu: &Pdu) -> Result<EventSn, RoomError> {
        self.settle().await?;
        if let Some(sn) = self.rooms.store.event_sn(pdu.event_id()).await? {
            return Ok(sn);
        }
        let cited: Vec<&EventId> = unique(pdu.auth_events()).map(|id| &**id).collect();
        let found = self.find_events(&cited).await?;
        let auth = cited.iter().filter_map(|id| found.get(*id)).map(|event| event.sn).collect();
        let sender = self.rooms.store.intern_user(pdu.sender()).await?;
        let entry = Entry { sender, flags: EventFlags::OUTLIER, auth, ..Entry::of(pdu.clone()) };
        Ok(self.enter(entry).await?.sn)
    }

    /// What is here of these events, and of those that they cite.
    async fn authorities(&self, pdus: &[Pdu]) -> Result<HashMap<OwnedEventId, Authority>, RoomError> {
        let creates: Vec<OwnedEventId> = pdus.first().and_then(create_id).into_iter().collect();
        let mut ids: HashSet<&EventId> = creates.iter().map(|id| &**id).collect();
        for pdu in pdus {
            ids.insert(pdu.event_id());
            ids.extend(pdu.auth_events().iter().map(|id| &**id));
        }
        let ids: Vec<&EventId> = ids.into_iter().collect();
        let found = self.find_events(&ids).await?;
        let here = found.into_iter().filter(|(_, event)| event.room == self.head.room);
        Ok(here.map(|(id, event)| (id, Authority { sn: event.sn, known: known(&event) })).collect())
    }

    /// The numbers of those who sent these events; also those whose memberships they are get theirs.
    async fn senders(&self, pdus: &[Pdu]) -> Result<HashMap<OwnedUserId, UserSn>, RoomError> {
        let mut users: HashSet<OwnedUserId> = pdus.iter().map(|pdu| pdu.owned_sender().clone()).collect();
        let members = pdus.iter().filter(|pdu| pdu.kind() == "m.room.member");
        users.extend(members.filter_map(|pdu| OwnedUserId::try_from(pdu.state_key()?).ok()));
        Ok(self.rooms.store.intern_users(&users).await?)
    }
}

/// Orders events so that each stands after those of them that authorise it.
pub(super) fn in_order_of_authority(pdus: Vec<Pdu>) -> Vec<Pdu> {
    let mut left: HashMap<OwnedEventId, Pdu> = HashMap::with_capacity(pdus.len());
    let mut order = Vec::with_capacity(pdus.len());
    let ids: Vec<OwnedEventId> = pdus.iter().map(|pdu| pdu.owned_event_id().clone()).collect();
    left.extend(pdus.into_iter().map(|pdu| (pdu.owned_event_id().clone(), pdu)));
    let mut way: Vec<(Pdu, usize)> = Vec::new();
    for id in ids {
        way.extend(left.remove(&id).map(|pdu| (pdu, 0)));
        while let Some((pdu, next)) = way.last_mut() {
            let authoriser = pdu.auth_events().get(*next).map(|id| left.remove(id));
            *next += 1;
            match authoriser {
                Some(Some(authoriser)) => way.push((authoriser, 0)),
                Some(None) => {}
                None => order.extend(way.pop().map(|done| done.0)),
            }
        }
    }
    order
}
