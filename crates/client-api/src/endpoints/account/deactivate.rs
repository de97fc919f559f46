//! `POST /_matrix/client/v3/account/deactivate`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate>).

use axum::response::Response;
use parvis_wire::{MatrixError, Stream, typed_response};
use ruma::api::client::account::{ThirdPartyIdRemovalStatus, deactivate::v3::Response as Deactivated};
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, actor::actor_of, completion::to_its_end, interactive};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    erase: bool,
}

/// Closes the user's account for ever.
pub(super) async fn handle(api: ClientApi, stream: Stream<Option<Session>>) -> Result<Response, ApiError> {
    let session = stream.principal.ok_or_else(|| MatrixError::missing_token("An access token is needed."))?;
    let body = interactive::read::<Request>(stream.body).await?;
    interactive::confirm(&api, &session, &stream.parts, &body.fields).await?;
    let actor = actor_of(&session, None);
    to_its_end(async move {
        // The account last: as long as it is open, who had no answer can try again.
        api.rooms.leave_all(&actor).await?;
        Ok(api.accounts.deactivate(session.user, body.request.erase).await?)
    })
    .await?;
    // No identity server knows anything of our users.
    Ok(typed_response(Deactivated::new(ThirdPartyIdRemovalStatus::Success))?)
}
