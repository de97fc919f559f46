//! `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4186>): sliding sync as clients use it today.

use std::time::Duration;

use axum::response::Response;
use parvis_sync::{SlidingAnswer, SlidingRequest};
use parvis_wire::{Call, access_token, parse_json};
use ruma::presence::PresenceState;
use serde::Deserialize;

use super::sliding_request::{Body, Envelope};
use crate::{
    ApiError, ClientApi, Session,
    actor::reader,
    query::parse_query,
    reply::{SlidingForm, sliding},
};

/// The query string.
#[derive(Deserialize)]
struct Asked {
    pos: Option<String>,
    timeout: Option<u64>,
    set_presence: Option<PresenceState>,
}

/// What is new on a connection. Where nothing is, waits for it as long as the client asks to.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    let mut body: Body = parse_json(&call.body)?;
    let transaction = body.txn_id.take();
    let timeout = Duration::from_millis(asked.timeout.unwrap_or_default());
    let request = body.request(Envelope {
        pos: asked.pos,
        timeout: timeout.min(api.bounds.longest_sync_wait),
        set_presence: asked.set_presence.unwrap_or(PresenceState::Online),
        most_timeline_events: api.bounds.most_timeline_events,
    })?;
    let answer = slide(&api, &call, &request).await?;
    Ok(sliding(&answer, SlidingForm::Unstable, transaction.as_deref()))
}

/// Waits for what is new, but not longer than the session lasts.
pub(super) async fn slide(
    api: &ClientApi,
    call: &Call<Vec<String>, Session>,
    request: &SlidingRequest,
) -> Result<SlidingAnswer, ApiError> {
    let token = access_token(&call.parts)?.unwrap_or_default();
    let ended = async {
        match call.principal.service.is_some() {
            // A service's token is good for as long as the service is registered.
            true => std::future::pending().await,
            false => api.accounts.until_ended(&token).await,
        }
    };
    tokio::select! {
        biased;
        answer = api.sync.slide(reader(&call.principal), request) => Ok(answer?),
        // Who logs out on another device is told at once, and not when the wait is over.
        ended = ended => Err(ended.into()),
    }
}
