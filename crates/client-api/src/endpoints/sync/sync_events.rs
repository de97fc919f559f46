//! `GET /_matrix/client/v3/sync`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync>).

use std::sync::Arc;

use axum::response::Response;
use parvis_sync::{Filter, SyncRequest, Token};
use parvis_wire::{Call, MatrixError};
use ruma::api::client::sync::sync_events::v3::{Filter as AskedFilter, Request};

use super::waiting::Waiting;
use crate::{
    ApiError, ClientApi, Session,
    reply::{StateField, sync},
};

/// The flag of `use_state_after` before it was in the specification, which clients still send.
const UNSTABLE_STATE_AFTER: &str = "org.matrix.msc4222.use_state_after=true";

/// What is new since the last sync. Where nothing is, waits for it as long as the client asks to.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let waiting = Waiting::of(&call)?;
    let unstable =
        call.parts.uri.query().unwrap_or_default().split('&').any(|flag| flag == UNSTABLE_STATE_AFTER);
    let Call { request, parts, .. } = call;
    drop(parts);
    let Request { filter, since, full_state, set_presence, timeout, use_state_after, .. } = request;
    let since = since.as_deref().map(str::parse::<Token>).transpose();
    let request = SyncRequest {
        since: since.map_err(|error| MatrixError::invalid_param(format!("`since` is {error}")))?,
        timeout: timeout.unwrap_or_default().min(api.bounds.longest_sync_wait),
        most_timeline_events: api.bounds.most_timeline_events,
        full_state,
        filter: match filter {
            None => Arc::default(),
            Some(AskedFilter::FilterDefinition(definition)) => Arc::new(Filter::from(&definition)),
            Some(AskedFilter::FilterId(id)) => {
                let stored = api.sync.stored_filter(waiting.reader.user, &id).await?;
                stored.ok_or_else(|| MatrixError::invalid_param("no filter of yours has this id"))?
            }
            Some(_) => {
                return Err(MatrixError::invalid_param("`filter` is neither a filter nor an id").into());
            }
        },
        state_after: use_state_after || unstable,
        set_presence,
    };
    let answer = tokio::select! {
        biased;
        answer = api.sync.sync(waiting.reader, &request) => answer?,
        ended = waiting.ended(&api) => return Err(ended.into()),
    };
    let state = match (use_state_after, unstable) {
        (true, _) => StateField::After,
        (false, true) => StateField::UnstableAfter,
        (false, false) => StateField::Before,
    };
    Ok(sync(&answer, &request.filter, state))
}
