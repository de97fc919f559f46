//! `PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}`
//! (<https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid>).

use parvis_wire::Call;
use ruma::api::client::{
    appservice::set_room_visibility::v3::{Request, Response},
    room::Visibility,
};

use super::service;
use crate::{ApiError, ClientApi, Session};

/// Lists a room in the directory of one of the service's networks, or takes it off.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let service = service(&call.principal)?;
    let Request { network_id, room_id, visibility, .. } = &call.request;
    let network = service.instance_id(network_id);
    api.rooms.publish_in_network(&network, room_id, *visibility == Visibility::Public).await?;
    Ok(Response::new())
}
