//! `POST /_matrix/client/v3/account/3pid/bind`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind>).

use parvis_accounts::AddressError;
use parvis_wire::Call;
use ruma::api::client::account::bind_3pid::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// No identity server is told anything of our users.
pub(super) async fn handle(_: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Err(AddressError::NoIdentityServers.into())
}
