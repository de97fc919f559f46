//! `POST /_matrix/client/v3/logout`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout>).

use parvis_wire::Call;
use ruma::api::client::session::logout::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Ends the session and takes its device away.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.accounts.logout(&call.principal).await?;
    Ok(Response::new())
}
