//! `POST /_matrix/client/v3/pushers/set`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset>).

use parvis_wire::{Call, MatrixError, parse_json};
use ruma::api::client::push::{
    PusherKind,
    set_pusher::v3::{PusherAction, Request, Response},
};
use serde_json::{Map, Value};

use crate::{ApiError, ClientApi, Session};

/// Keeps or forgets where the user wants to be told when they are not looking. Nothing is sent there yet.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    match &call.request.action {
        PusherAction::Post(post) => {
            if !matches!(post.pusher.kind, PusherKind::Http(_)) {
                return Err(MatrixError::invalid_param("Pushers of this kind are not known here.").into());
            }
            let mut pusher: Map<String, Value> = parse_json(&call.body)?;
            pusher.remove("append");
            let ids = &post.pusher.ids;
            let (app_id, pushkey) = (&ids.app_id, &ids.pushkey);
            api.accounts.set_pusher(&call.principal, app_id, pushkey, &pusher, post.append).await?;
        }
        PusherAction::Delete(ids) => {
            api.accounts.delete_pusher(&call.principal, &ids.app_id, &ids.pushkey).await?;
        }
        _ => return Err(MatrixError::invalid_param("This is not known here.").into()),
    }
    Ok(Response::new())
}
