//! `POST /_matrix/client/v3/createRoom`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom>).

use parvis_policy::Preset;
use parvis_rooms::{CreateRoom, InitialState};
use parvis_wire::{Call, MatrixError};
use ruma::{
    api::client::room::{
        Visibility,
        create_room::v3::{Request, Response, RoomPreset},
    },
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    ApiError, ClientApi, Session, actor::actor, endpoints::membership::carry_push_rule,
    services::provide_user,
};

/// Makes a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.joins.check(&call.principal)?;
    let actor = actor(&call);
    let wanted = read(call.request)?;
    for user_id in &wanted.invite {
        provide_user(&api, Some(&call.principal), user_id).await?;
    }
    let room_id = api.rooms.create(&actor, wanted).await?;
    carry_push_rule(&api, &call.principal, &room_id).await;
    Ok(Response::new(room_id))
}

fn read(request: Request) -> Result<CreateRoom, MatrixError> {
    if !request.invite_3pid.is_empty() {
        return Err(MatrixError::forbidden("only users can be invited here, by their ids"));
    }
    let initial_state = request.initial_state.iter().map(read_state).collect::<Result<_, _>>()?;
    Ok(CreateRoom {
        listed: request.visibility == Visibility::Public,
        alias_name: request.room_alias_name,
        name: request.name,
        topic: request.topic,
        invite: request.invite,
        room_version: request.room_version.map(|version| version.to_string()),
        creation_content: object(request.creation_content.as_ref(), "creation_content")?,
        initial_state,
        preset: request.preset.map(read_preset).transpose()?,
        is_direct: request.is_direct,
        plain: false,
        power_levels: object(request.power_level_content_override.as_ref(), "power_level_content_override")?,
    })
}

fn read_preset(preset: RoomPreset) -> Result<Preset, MatrixError> {
    match preset {
        RoomPreset::PrivateChat => Ok(Preset::PrivateChat),
        RoomPreset::TrustedPrivateChat => Ok(Preset::TrustedPrivateChat),
        RoomPreset::PublicChat => Ok(Preset::PublicChat),
        other => Err(MatrixError::invalid_param(format!("`{}` is not a preset", other.as_str()))),
    }
}

fn read_state<T>(state: &Raw<T>) -> Result<InitialState, MatrixError> {
    #[derive(Deserialize)]
    struct State {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        state_key: String,
        content: Box<RawValue>,
    }
    let State { kind, state_key, content } = serde_json::from_str(state.json().get())
        .map_err(|error| MatrixError::bad_json(format!("`initial_state`: {error}")))?;
    Ok(InitialState { kind, state_key, content })
}

fn object<T>(raw: Option<&Raw<T>>, field: &str) -> Result<Map<String, Value>, MatrixError> {
    let Some(raw) = raw else { return Ok(Map::new()) };
    serde_json::from_str(raw.json().get())
        .map_err(|_| MatrixError::bad_json(format!("`{field}` is not an object")))
}
