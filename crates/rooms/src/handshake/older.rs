//! Residents of old: they know the first version of the endpoints by which others join and leave, and no second.
//! <https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_joinroomideventid>

use bytes::Bytes;
use parvis_events::Pdu;
use parvis_peers::{Limits, PeerError};
use ruma::{
    ServerName,
    api::federation::membership::{create_join_event, create_leave_event},
};

use super::{inviting::json, residents::ASK, told::Told};
use crate::{RoomError, Rooms};

/// How the body of an answer is read.
type Read = fn(&Bytes) -> Result<Told, serde_json::Error>;

impl Rooms {
    /// Sends a join to a resident, and gives what that tells of the room.
    pub(super) async fn send_own_join(&self, server: &ServerName, join: &Pdu) -> Result<Told, RoomError> {
        let (room_id, event_id) = (join.owned_room_id().clone(), join.owned_event_id().clone());
        let request = create_join_event::v2::Request::new(room_id, event_id, json(join)?);
        let federation = &self.others.federation;
        let (body, read): (_, Read) =
            match federation.call_for_body(server, request.clone(), Limits::JOIN).await {
                Err(error) if error.is_unknown_endpoint() => {
                    let body = federation.call_first_version(server, request, Limits::JOIN).await?;
                    (body, Told::read_first_version)
                }
                body => (body?, Told::read),
            };
        // Reading through tens of megabytes takes a while.
        let told = tokio::task::spawn_blocking(move || read(&body)).await.map_err(|_| RoomError::Busy)?;
        let malformed = |error: serde_json::Error| PeerError::Malformed {
            server: server.to_string(),
            problem: error.to_string(),
        };
        Ok(told.map_err(malformed)?)
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
