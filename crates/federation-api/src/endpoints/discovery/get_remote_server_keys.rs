//! `GET /_matrix/key/v2/query/{serverName}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2queryservername>).

use std::collections::BTreeMap;

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::discovery::get_remote_server_keys::v2::Request;

use super::answer;
use crate::{ApiError, FederationApi};

/// The keys of another server, as far as this one vouches for them. Until when they must be good is the affair of
/// who asks: what is newest here is given.
pub(super) async fn handle(api: FederationApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let query = BTreeMap::from([(call.request.server_name, BTreeMap::new())]);
    Ok(answer(&api, &query).await)
}
