//! What one server may see of one room, worked out as events come up and remembered while a request lasts.

use std::collections::HashMap;

use parvis_dag::{HistoryVisibility, Standing, server_may_see};
use parvis_events::{Membership, Pdu, redact};
use parvis_storage::{EventFlags, RoomHead, Slot, StateRoot, StorageError, StoredEvent};
use ruma::{ServerName, UserId};

use crate::{RoomError, Rooms};

/// How many of a server's users are looked up together.
const USERS_AT_ONCE: usize = 64;
/// How many of a server's users are looked up at one event at most, in search of one who was there.
const MOST_USERS: usize = 4_096;

/// What one server may see of one room.
pub(crate) struct ServerView<'a> {
    rooms: &'a Rooms,
    head: &'a RoomHead,
    server: &'a ServerName,
    /// The slots of the memberships of the server's users, once they were needed.
    members: Option<Vec<Slot>>,
    standings: HashMap<StateRoot, Standing>,
}

impl<'a> ServerView<'a> {
    pub(crate) fn new(rooms: &'a Rooms, head: &'a RoomHead, server: &'a ServerName) -> Self {
        Self { rooms, head, server, members: None, standings: HashMap::new() }
    }

    /// The event as the server may have it: whole, or redacted.
    pub(crate) async fn show(&mut self, event: &StoredEvent) -> Result<Pdu, RoomError> {
        if self.may_see(event).await? {
            return Ok(event.pdu.clone());
        }
        Ok(redact(&event.pdu).map_err(|error| StorageError::Corrupt(error.to_string()))?)
    }

    /// Whether the server may see what the event says. It may see what its own users said, and what is state
    /// now, which every member sees; at all else it counts what held at the event.
    pub(crate) async fn may_see(&mut self, event: &StoredEvent) -> Result<bool, RoomError> {
        if event.pdu.sender().server_name() == self.server || self.is_current(event).await? {
            return Ok(true);
        }
        if event.flags.contains(EventFlags::OUTLIER) {
            // What held at it is not known.
            return Ok(false);
        }
        let before = self.standing(event.state_root).await?;
        Ok(server_may_see(before) || self.after(before, &event.pdu).is_some_and(server_may_see))
    }

    async fn is_current(&self, event: &StoredEvent) -> Result<bool, RoomError> {
        let Some(slot) = event.slot else { return Ok(false) };
        Ok(self.rooms.store.state_slot(self.head.state_root, slot).await? == Some(event.sn))
    }

    /// What holds after an event that changes what matters here.
    fn after(&self, before: Standing, event: &Pdu) -> Option<Standing> {
        if event.is_state_of("m.room.history_visibility", "") {
            return Some(Standing { visibility: HistoryVisibility::of(Some(event)), ..before });
        }
        let member = (event.kind() == "m.room.member").then(|| event.state_key()).flatten()?;
        let ours = <&UserId>::try_from(member).is_ok_and(|user| user.server_name() == self.server);
        ours.then_some(Standing { membership: event.membership()?, ..before })
    }

    /// The room's visibility at a state, and the strongest membership that any of the server's users had.
    async fn standing(&mut self, root: StateRoot) -> Result<Standing, RoomError> {
        if let Some(standing) = self.standings.get(&root) {
            return Ok(*standing);
        }
        let (store, room) = (&self.rooms.store, self.head.room);
        let event = store.state_event(room, root, "m.room.history_visibility", "").await?;
        let visibility = HistoryVisibility::of(event.as_ref().map(|event| &event.pdu));
        let membership = match visibility {
            HistoryVisibility::WorldReadable | HistoryVisibility::Shared => Membership::Leave,
            HistoryVisibility::Invited | HistoryVisibility::Joined => self.strongest(root).await?,
        };
        let standing = Standing { visibility, membership };
        self.standings.insert(root, standing);
        Ok(standing)
    }

    async fn strongest(&mut self, root: StateRoot) -> Result<Membership, RoomError> {
        let slots = match self.members.take() {
            Some(slots) => slots,
            None => self.member_slots().await?,
        };
        let mut strongest = Membership::Leave;
        for slots in slots.chunks(USERS_AT_ONCE) {
            let events = self.rooms.store.state_slots(root, slots).await?;
            for event in self.rooms.store.events(&events).await? {
                match event.pdu.membership() {
                    Some(Membership::Join) => strongest = Membership::Join,
                    Some(Membership::Invite) if strongest == Membership::Leave => {
                        strongest = Membership::Invite
                    }
                    _ => {}
                }
            }
            if strongest == Membership::Join {
                break;
            }
        }
        self.members = Some(slots);
        Ok(strongest)
    }

    async fn member_slots(&self) -> Result<Vec<Slot>, RoomError> {
        let store = &self.rooms.store;
        let Some(kind) = store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let slots = store.slots_of_type(self.head.room, kind).await?;
        let is_ours =
            |user: &str| <&UserId>::try_from(user).is_ok_and(|user| user.server_name() == self.server);
        let ours = slots.into_iter().filter(|(_, user)| is_ours(user)).map(|(slot, _)| slot);
        Ok(ours.take(MOST_USERS).collect())
    }
}
