//! `GET /_matrix/client/v3/account/whoami`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami>).

use parvis_wire::Call;
use ruma::api::client::account::whoami::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Whose token this is.
pub(super) async fn handle(_: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let session = call.principal;
    let has_device = !session.without_device();
    let mut response = Response::new(session.user_id, session.guest);
    response.device_id = has_device.then_some(session.device_id);
    Ok(response)
}
