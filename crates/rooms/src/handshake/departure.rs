//! Leaving a room that this server is not in: an invitation is rejected, a knock taken back.
//! <https://spec.matrix.org/v1.19/server-server-api/#leaving-rooms-rejecting-invites>

use parvis_events::{EventDraft, MAX_AUTH_EVENTS, Pdu};
use parvis_storage::{Member, RoomSn, StoredEvent};
use ruma::{ServerName, api::federation::membership::prepare_leave_event};
use serde_json::{Map, Value};

use super::{
    residents::{ASK, Refusals},
    template::Given,
};
use crate::{Actor, RoomError, Rooms, content::raw};

impl Rooms {
    /// Lets a user go from before the door of a room elsewhere. Its servers are told if they can be; if not, the
    /// user goes all the same.
    pub(crate) async fn leave_elsewhere(
        &self,
        actor: &Actor,
        room: RoomSn,
        member: Member,
        content: Map<String, Value>,
    ) -> Result<(), RoomError> {
        let (rooms, actor) = (self.clone(), actor.clone());
        let task = tokio::spawn(async move { rooms.leave_by_any(&actor, room, member, content).await });
        task.await.map_err(|_| RoomError::Busy)?
    }

    async fn leave_by_any(
        &self,
        actor: &Actor,
        room: RoomSn,
        member: Member,
        content: Map<String, Value>,
    ) -> Result<(), RoomError> {
        let last = self.store.event(member.event).await?;
        let mut refusals = Refusals::new(self);
        let mut left = None;
        for candidate in self.whom_to_ask(actor.user, Some(room), &[]).await? {
            if !refusals.may_ask(&candidate) {
                break;
            }
            match self.leave_by(&candidate.server, actor, &last, content.clone()).await {
                Ok(leave) => {
                    left = Some(leave);
                    break;
                }
                Err(error) => {
                    if !refusals.note(self, &candidate.server, error) {
                        break;
                    }
                }
            }
        }
        let leave = match left {
            Some(leave) => leave,
            None => self.leave_alone(actor, &last, content)?,
        };
        let _passing = self.doors.pass(last.pdu.room_id()).await;
        self.put_outside(actor.user, &leave, None).await
    }

    async fn leave_by(
        &self,
        server: &ServerName,
        actor: &Actor,
        last: &StoredEvent,
        content: Map<String, Value>,
    ) -> Result<Pdu, RoomError> {
        let (room_id, user_id) = (last.pdu.owned_room_id(), &actor.user_id);
        let request = prepare_leave_event::v1::Request::new(room_id.clone(), user_id.clone());
        let offer = self.others.federation.call(server, request, ASK).await?;
        let version = offer.room_version.as_ref().map(ruma::RoomVersionId::as_str);
        let given = Given::read(self, version, &offer.event, room_id, user_id, "leave")?;
        if given.version != last.pdu.version() {
            return Err(RoomError::Unreachable(format!("{server} says that the room has another version")));
        }
        let leave = given.complete(self, room_id, user_id, content)?;
        self.send_own_leave(server, &leave).await?;
        Ok(leave)
    }

    /// A departure of which nobody else hears.
    fn leave_alone(
        &self,
        actor: &Actor,
        last: &StoredEvent,
        content: Map<String, Value>,
    ) -> Result<Pdu, RoomError> {
        let mut auth_events = vec![last.pdu.owned_event_id().clone()];
        let cited = last.pdu.auth_events().iter().filter(|id| *id != last.pdu.owned_event_id());
        auth_events.extend(cited.take(MAX_AUTH_EVENTS - 1).cloned());
        let draft = EventDraft {
            room_id: Some(last.pdu.owned_room_id().clone()),
            sender: actor.user_id.clone(),
            kind: "m.room.member".to_owned(),
            state_key: Some(actor.user_id.to_string()),
            content: raw(&content),
            redacts: None,
            prev_events: vec![last.pdu.owned_event_id().clone()],
            auth_events,
            depth: last.pdu.depth().saturating_add(1),
            origin_server_ts: self.ambient.now().millis(),
        };
        Ok(draft.sign(last.pdu.version(), &self.identity.key)?)
    }
}
