//! `GET /_matrix/client/v3/account/whoami`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami>).

use parvis_wire::Call;
use ruma::api::client::account::whoami::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Whose token this is.
pub(super) async fn handle(_: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let mut response = Response::new(call.principal.user_id, call.principal.guest);
    response.device_id = Some(call.principal.device_id);
    Ok(response)
}
