//! Knocking at a room that this server is not in.
//! <https://spec.matrix.org/v1.19/server-server-api/#knocking-upon-a-room>

use parvis_storage::OutsideView;
use ruma::{
    RoomVersionId, ServerName,
    api::federation::membership::{RawStrippedState, create_knock_event, prepare_knock_event},
};
use serde_json::value::RawValue;

use super::{
    Wish,
    inviting::json,
    residents::{ASK, Refusals},
    template::Given,
};
use crate::{RoomError, Rooms};

impl Rooms {
    /// Knocks by way of other servers, one after another until one takes it.
    ///
    /// # Errors
    /// What the servers said; [`RoomError::UnknownRoom`] if none is known that could be asked.
    pub(crate) async fn knock_elsewhere(&self, wish: Wish) -> Result<(), RoomError> {
        let rooms = self.clone();
        let task = tokio::spawn(async move { rooms.knock_by_any(&wish).await });
        task.await.map_err(|_| RoomError::Busy)?
    }

    async fn knock_by_any(&self, wish: &Wish) -> Result<(), RoomError> {
        let room = self.store.room_sn(&wish.room_id).await?;
        let mut refusals = Refusals::new(self);
        for candidate in self.whom_to_ask(wish.actor.user, room, &wish.via).await? {
            if !refusals.may_ask(&candidate) {
                break;
            }
            match self.knock_by(&candidate.server, wish).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if !refusals.note(self, &candidate.server, error) {
                        break;
                    }
                }
            }
        }
        Err(refusals.into_error())
    }

    async fn knock_by(&self, server: &ServerName, wish: &Wish) -> Result<(), RoomError> {
        let (room_id, user_id) = (&wish.room_id, &wish.actor.user_id);
        let mut request = prepare_knock_event::v1::Request::new(room_id.clone(), user_id.clone());
        request.ver = self.versions_to_enter();
        let offer = self.others.federation.call(server, request, ASK).await?;
        let version = Some(RoomVersionId::as_str(&offer.room_version));
        let given = Given::read(self, version, &offer.event, room_id, user_id, "knock")?;
        let version = given.version;
        let knock = given.complete(self, room_id, user_id, wish.content.clone())?;
        let request =
            create_knock_event::v1::Request::new(room_id.clone(), knock.event_id().to_owned(), json(&knock)?);
        let answer = self.others.federation.call(server, request, ASK).await?;

        // The knock has been made: what is shown of the room cannot undo that.
        let shown: Vec<Box<RawValue>> = answer.knock_room_state.into_iter().map(raw_state).collect();
        let state = self.read_shown(&shown, version, room_id).await.unwrap_or_default();
        let mut servers = vec![server.to_owned()];
        servers.extend(wish.via.iter().filter(|via| *via != server).cloned());
        let _passing = self.doors.pass(room_id).await;
        self.put_outside(wish.actor.user, &knock, Some(&OutsideView { state, servers })).await
    }
}

/// A state event as it came, in full or stripped.
fn raw_state(event: RawStrippedState) -> Box<RawValue> {
    match event {
        RawStrippedState::Pdu(event) => event,
        #[expect(deprecated, reason = "servers from before version 1.16 send them so")]
        RawStrippedState::Stripped(event) => event.into_json(),
        _ => RawValue::NULL.to_owned(),
    }
}
