//! Apps register themselves (<https://spec.matrix.org/v1.19/client-server-api/#dynamic-client-registration-flow>).

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::{ClientProblem, RegisteredClient};
use parvis_wire::{MatrixError, Stream, json_response, read_body};
use serde::Serialize;
use serde_json::Value;

use super::{refusal, sign_on, unkept};
use crate::{ApiError, ClientApi, RateLimitKey};

/// The largest body.
const BODY_LIMIT_BYTES: usize = 32 << 10;

#[derive(Serialize)]
struct Registered<'a> {
    client_id: &'a str,
    #[serde(flatten)]
    metadata: &'a parvis_accounts::ClientMetadata,
}

/// Registers an app. Equal apps are one, and only new ones count towards the limit: all the people of an organisation
/// may come from one address.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    sign_on(&api)?;
    let address = stream.client_address().map(|address| address.0);
    let body = read_body(stream.body, BODY_LIMIT_BYTES).await?;
    let Ok(sent) = serde_json::from_slice::<Value>(&body) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata", "the body is not JSON"));
    };
    match register(&api, sent, RateLimitKey::Address(address)).await {
        Ok(client) => {
            let RegisteredClient { client_id, metadata } = &client;
            let mut response = unkept(json_response(&Registered { client_id, metadata }));
            *response.status_mut() = StatusCode::CREATED;
            Ok(response)
        }
        Err(Refused::Problem(problem)) => answer(&problem),
        Err(Refused::Limit(error)) => Err(error.into()),
    }
}

enum Refused {
    Problem(ClientProblem),
    Limit(MatrixError),
}

async fn register(api: &ClientApi, sent: Value, from: RateLimitKey) -> Result<RegisteredClient, Refused> {
    let (client, known) = api.accounts.judge_client(sent).await.map_err(Refused::Problem)?;
    if !known {
        api.limits.login.count(from).map_err(Refused::Limit)?;
        api.accounts.keep_client(&client).await.map_err(Refused::Problem)?;
    }
    Ok(client)
}

fn answer(problem: &ClientProblem) -> Result<Response, ApiError> {
    let (status, error) = match problem {
        ClientProblem::RedirectUri => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
        ClientProblem::Metadata(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
        ClientProblem::Full => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        ClientProblem::Storage(error) => return Err(MatrixError::internal(error).into()),
    };
    Ok(refusal(status, error, &problem.to_string()))
}
