//! `POST /_matrix/client/v3/search`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::client::search::search_events::v3::Request;

use super::{asked::Asked, found::find, told::tell};
use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    reply::json,
};

/// What was said in the rooms in which the user is or was, by its words.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.searches.check(&call.principal)?;
    let next_batch = call.request.next_batch.as_deref();
    let Some(criteria) = call.request.search_categories.room_events.as_ref() else {
        return Ok(json(r#"{"search_categories":{}}"#));
    };
    let asked = Asked::new(criteria, next_batch, &call.body)?;
    let reader = reader(&call.principal);
    let found = find(&api, &actor(&call), reader, &asked).await?;
    tell(&api, &actor(&call), reader, &asked, found).await
}
