//! `GET /_matrix/client/v3/account/3pid`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid>).

use parvis_wire::Call;
use ruma::api::client::account::get_3pids::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// The user's e-mail addresses and phone numbers: nobody has any here.
pub(super) async fn handle(_: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(Vec::new()))
}
