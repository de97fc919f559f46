//! `POST /_matrix/federation/unstable/event_relationships`
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>).

use axum::response::Response;
use parvis_events::Pdu;
use parvis_peers::event_relationships::Request;
use parvis_rooms::ReplyCounts;
use parvis_wire::Call;
use ruma::serde::{Base64, base64::Standard};
use serde_json::{Value, json};

use super::turn;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// The tree of replies around an event, as far as it is here.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let _turn = turn(&api).await?;
    let served = api.rooms.serve_replies(call.principal.server_name(), &call.request).await?;
    let events: Vec<Value> = served.events.iter().map(|(event, counts)| dressed(event, counts)).collect();
    let reply = Reply::new().value("events", events).value("limited", served.limited);
    Ok(reply.pdus("auth_chain", &served.auth_chain).done())
}

/// An event with what is said of its replies.
fn dressed(event: &Pdu, counts: &ReplyCounts) -> Value {
    let mut event: Value = serde_json::from_str(event.json()).unwrap_or_default();
    if let Some(hash) = counts.hash {
        event["unsigned"]["children"] = json!(counts.children);
        event["unsigned"]["children_hash"] = Base64::<Standard, _>::new(hash).encode().into();
    }
    event
}
