//! `GET /_matrix/key/v2/query/{serverName}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2queryservername>).

use std::collections::BTreeMap;

use axum::response::Response;
use parvis_peers::{KeyQuery, KeysWanted};
use parvis_wire::Call;
use ruma::api::federation::discovery::get_remote_server_keys::v2::Request;

use super::answer;
use crate::{ApiError, FederationApi};

/// The keys of another server, as far as this one vouches for them.
pub(super) async fn handle(api: FederationApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let until_ts = i64::from(call.request.minimum_valid_until_ts.get());
    let wanted = KeysWanted { named: BTreeMap::new(), until_ts };
    let query = KeyQuery::from([(call.request.server_name, wanted)]);
    Ok(answer(&api, &query).await)
}
