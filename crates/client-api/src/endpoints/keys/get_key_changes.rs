//! `GET /_matrix/client/v3/keys/changes`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges>).

use parvis_sync::Token;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::keys::get_key_changes::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// Whose devices have changed between two syncs.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { from, to, .. } = &call.request;
    let parse = |token: &str, name| {
        let bad = |error| MatrixError::invalid_param(format!("`{name}` is {error}"));
        token.parse::<Token>().map_err(bad)
    };
    let from = parse(from, "from")?;
    let to = parse(to, "to")?;
    let lists = api.sync.device_lists_between(reader(&call.principal), from, to).await?;
    Ok(Response::new(lists.changed, lists.left))
}
