//! `POST /_matrix/client/v3/account/3pid/delete`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete>).

use parvis_wire::Call;
use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    delete_3pid::v3::{Request, Response},
};

use crate::{ApiError, ClientApi, Session};

/// Takes an address from the user's account.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { medium, address, .. } = &call.request;
    api.accounts.delete_address(&call.principal, medium.as_str(), address).await?;
    // No identity server was told of it.
    Ok(Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}
