//! `PUT /_matrix/federation/v1/invite/{roomId}/{eventId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1inviteroomideventid>).

use parvis_rooms::RoomError;
use parvis_wire::Call;
use ruma::api::federation::membership::create_invite::v1::{Request, Response};

use crate::{ApiError, FederationApi, Origin};

/// Invitations in this form are to rooms of the versions 1 and 2, which are not to be had here.
pub(super) async fn handle(_: FederationApi, _: Call<Request, Origin>) -> Result<Response, ApiError> {
    Err(RoomError::IncompatibleVersion("1".to_owned()).into())
}
