//! `POST /_matrix/client/v3/account/3pid/unbind`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind>).

use parvis_wire::Call;
use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    unbind_3pid::v3::{Request, Response},
};

use crate::{ApiError, ClientApi, Session};

/// No identity server was told anything by this one, so nothing is taken back there.
pub(super) async fn handle(_: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}
