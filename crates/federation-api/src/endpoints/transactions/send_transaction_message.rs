//! `PUT /_matrix/federation/v1/send/{txnId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid>).

use std::time::Duration;

use axum::response::Response;
use parvis_wire::{Call, MatrixError};
use ruma::{ServerName, api::federation::transactions::send_transaction_message::v1::Request};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{ApiError, FederationApi, Origin, edus, reply};

/// The most events and EDUs that a transaction may hold.
const MOST_EVENTS: usize = 50;
const MOST_EDUS: usize = 100;
/// The longest id of a transaction, in bytes.
const LONGEST_ID: usize = 255;
/// After so long, the transactions of this server that wait may have been worked on.
const COME_BACK: Duration = Duration::from_secs(10);

/// Takes in what another server tells, once, however often it tells it. A single event that is not taken does not
/// fail the others: it is named in the answer, which is 200.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { transaction_id, pdus, edus, .. } = call.request;
    let origin = call.principal.server_name();
    if pdus.len() > MOST_EVENTS || edus.len() > MOST_EDUS {
        return Err(MatrixError::bad_json("a transaction holds 50 events and 100 EDUs at most").into());
    }
    if transaction_id.as_str().len() > LONGEST_ID {
        return Err(MatrixError::invalid_param("the id of the transaction is too long").into());
    }
    let turn = api.answers.turn(origin).await.ok_or_else(|| MatrixError::limit_exceeded(COME_BACK))?;
    if let Some(answer) = turn.answer(transaction_id.as_str()).await? {
        return Ok(reply::json(answer));
    }
    let outcomes = receive(&api, origin, pdus).await?;
    // Later than the events, of which they may speak.
    edus::receive(&api, origin, edus.iter().map(|edu| edu.json())).await?;
    let answer = json!({ "pdus": outcomes }).to_string();
    turn.keep(transaction_id.as_str(), &answer).await?;
    Ok(reply::json(answer))
}

/// Takes events in. Gives what became of each whose id can be told.
async fn receive(
    api: &FederationApi,
    origin: &ServerName,
    pdus: Vec<Box<RawValue>>,
) -> Result<Map<String, Value>, ApiError> {
    if pdus.is_empty() {
        return Ok(Map::new());
    }
    let outcome = |outcome: Result<(), String>| match outcome {
        Ok(()) => json!({}),
        Err(error) => json!({ "error": error }),
    };
    let received = api.rooms.receive(origin, pdus).await?;
    Ok(received.into_iter().map(|(event_id, became)| (event_id.to_string(), outcome(became))).collect())
}
