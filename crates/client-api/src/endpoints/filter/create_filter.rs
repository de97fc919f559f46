//! `POST /_matrix/client/v3/user/{userId}/filter`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter>).

use parvis_wire::Call;
use ruma::api::client::filter::create_filter::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Keeps a filter for the user's clients to sync by. It is kept as it came, after ruma could read it.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let filter_id = api.accounts.add_filter(call.principal.user, &call.body).await?;
    Ok(Response::new(filter_id))
}
