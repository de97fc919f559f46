//! `POST /_matrix/client/v3/pushers/set`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset>).

use parvis_accounts::{PushWay, WantedPusher};
use parvis_wire::{Call, MatrixError, parse_json};
use ruma::api::client::push::{
    PusherKind,
    set_pusher::v3::{PusherAction, Request, Response},
};
use serde_json::{Map, Value};

use super::ENABLED;
use crate::{ApiError, ClientApi, Session};

/// Keeps or forgets where the user wants to be told when they are not looking.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    match &call.request.action {
        PusherAction::Post(post) => {
            let way = match &post.pusher.kind {
                PusherKind::Http(data) => PushWay::Gateway(&data.url),
                PusherKind::Email(_) => PushWay::Mail,
                _ => {
                    return Err(MatrixError::invalid_param("Pushers of this kind are not known here.").into());
                }
            };
            let mut pusher: Map<String, Value> = parse_json(&call.body)?;
            pusher.remove("append");
            let enabled = pusher.remove(ENABLED).is_none_or(|enabled| enabled != Value::Bool(false));
            let wanted = WantedPusher {
                app_id: &post.pusher.ids.app_id,
                pushkey: &post.pusher.ids.pushkey,
                way,
                pusher: &pusher,
                enabled,
                among_others: post.append,
            };
            api.accounts.set_pusher(&call.principal, &wanted).await?;
        }
        PusherAction::Delete(ids) => {
            api.accounts.delete_pusher(&call.principal, &ids.app_id, &ids.pushkey).await?;
        }
        _ => return Err(MatrixError::invalid_param("This is not known here.").into()),
    }
    Ok(Response::new())
}
