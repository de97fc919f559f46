//! `POST /_matrix/client/v3/account/3pid/add`, and `POST /_matrix/client/v3/account/3pid` of old
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd>).

use axum::response::Response;
use parvis_wire::{Stream, json_response};
use serde::Deserialize;
use serde_json::json;

use crate::{ApiError, ClientApi, Session, interactive};

/// The name of a proof, and the secret that it is bound to.
#[derive(Deserialize)]
struct Proof {
    sid: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Older {
    #[serde(alias = "threePidCreds")]
    three_pid_creds: Proof,
}

/// Adds an address that was proved to the user's account.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Proof>(stream.body).await?;
    interactive::confirm(&api, &stream.principal, &stream.parts, &body.fields).await?;
    add(&api, &stream.principal, &body.request).await
}

/// The same in the form of old. Here too the user proves who they are: with an address one gets a new password.
pub(super) async fn handle_older(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Older>(stream.body).await?;
    interactive::confirm(&api, &stream.principal, &stream.parts, &body.fields).await?;
    add(&api, &stream.principal, &body.request.three_pid_creds).await
}

async fn add(api: &ClientApi, session: &Session, proof: &Proof) -> Result<Response, ApiError> {
    api.accounts.add_address(session, &proof.sid, &proof.client_secret).await?;
    Ok(json_response(&json!({})))
}
