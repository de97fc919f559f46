//! Residents of old: they know the first version of the endpoints by which others join and leave, and no second.
//! <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_joinroomideventid>

use parvis_events::Pdu;
use parvis_peers::{Limits, PeerError};
use ruma::{
    ServerName,
    api::federation::membership::{create_join_event, create_join_event::v2::RoomState, create_leave_event},
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{inviting::json, residents::ASK};
use crate::{RoomError, Rooms};

/// An answer behind its status, as the first version has it.
#[derive(Deserialize)]
struct Answer<T>(IgnoredAny, T);

impl Rooms {
    /// Sends a join to a resident, and gives what that tells of the room.
    pub(super) async fn send_own_join(
        &self,
        server: &ServerName,
        join: &Pdu,
    ) -> Result<RoomState, RoomError> {
        let (room_id, event_id) = (join.owned_room_id().clone(), join.owned_event_id().clone());
        let request = create_join_event::v2::Request::new(room_id, event_id, json(join)?);
        let federation = &self.others.federation;
        match federation.call(server, request.clone(), Limits::JOIN).await {
            Err(error) if error.is_unknown_endpoint() => {
                read(server, &federation.call_first_version(server, request, Limits::JOIN).await?)
            }
            answer => Ok(answer?.room_state),
        }
    }

    /// Sends a departure to a resident.
    pub(super) async fn send_own_leave(&self, server: &ServerName, leave: &Pdu) -> Result<(), RoomError> {
        let (room_id, event_id) = (leave.owned_room_id().clone(), leave.owned_event_id().clone());
        let request = create_leave_event::v2::Request::new(room_id, event_id, json(leave)?);
        let federation = &self.others.federation;
        match federation.call(server, request.clone(), ASK).await {
            Err(error) if error.is_unknown_endpoint() => {
                federation.call_first_version(server, request, ASK).await?;
            }
            answer => {
                answer?;
            }
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(server: &ServerName, body: &[u8]) -> Result<T, RoomError> {
    let answer: Result<Answer<T>, _> = serde_json::from_slice(body);
    let malformed = |error: serde_json::Error| PeerError::Malformed {
        server: server.to_string(),
        problem: error.to_string(),
    };
    Ok(answer.map_err(malformed)?.1)
}
