//! `POST /_matrix/client/v3/logout/all`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall>).

use parvis_wire::Call;
use ruma::api::client::session::logout_all::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Ends all of the user's sessions and takes their devices away.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.accounts.logout_all(call.principal.user).await?;
    Ok(Response::new())
}
