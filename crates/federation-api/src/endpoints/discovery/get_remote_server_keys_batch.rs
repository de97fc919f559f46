//! `POST /_matrix/key/v2/query`
//! (<https://spec.matrix.org/v1.19/server-server-api/#post_matrixkeyv2query>).

use axum::response::Response;
use parvis_peers::{KeyQuery, KeysWanted};
use parvis_wire::Call;
use ruma::api::federation::discovery::get_remote_server_keys_batch::v2::Request;

use super::answer;
use crate::{ApiError, FederationApi};

/// The most servers whose keys are asked for at once.
const MOST_SERVERS: usize = 100;
/// The most keys of one server.
const MOST_KEYS: usize = 20;

/// The keys of other servers, as far as this one vouches for them.
pub(super) async fn handle(api: FederationApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let now = api.ambient.now().millis();
    let servers = call.request.server_keys.into_iter().take(MOST_SERVERS);
    let query: KeyQuery = servers
        .map(|(server, keys)| {
            let keys = keys.into_iter().take(MOST_KEYS).map(|(key, criteria)| {
                let until = criteria.minimum_valid_until_ts.map_or(now, |ts| i64::from(ts.get()));
                (key.to_string(), until)
            });
            (server, KeysWanted { named: keys.collect(), until_ts: now })
        })
        .collect();
    Ok(answer(&api, &query).await)
}
