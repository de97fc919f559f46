//! `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4186>): sliding sync as clients use it today.

use std::time::Duration;

use axum::response::Response;
use parvis_sync::{SlidingAnswer, SlidingRequest};
use parvis_wire::{Call, parse_json};
use ruma::presence::PresenceState;
use serde::Deserialize;

use super::{
    sliding_request::{Body, Envelope},
    waiting::Waiting,
};
use crate::{
    ApiError, ClientApi, Session,
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
    let waiting = Waiting::of(&call)?;
    drop(call);
    let answer = slide(&api, &waiting, &request).await?;
    Ok(sliding(&answer, SlidingForm::Unstable, transaction.as_deref()))
}

/// Waits for what is new, but not longer than the session lasts.
pub(super) async fn slide(
    api: &ClientApi,
    waiting: &Waiting,
    request: &SlidingRequest,
) -> Result<SlidingAnswer, ApiError> {
    tokio::select! {
        biased;
        answer = api.sync.slide(waiting.reader, request) => Ok(answer?),
        ended = waiting.ended(api) => Err(ended.into()),
    }
}
