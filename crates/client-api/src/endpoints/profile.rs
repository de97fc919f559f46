//! Profiles: what users say about themselves to everybody
//! (<https://spec.matrix.org/v1.19/client-server-api/#profiles>).

mod delete_profile_field;
mod get_profile;
mod get_profile_field;
mod set_profile_field;

use parvis_rooms::Actor;
use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::profile;

use crate::{ApiError, ClientApi};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(get_profile::handle))
        .with(Endpoint::typed(delete_profile_field::handle))
        .with(Endpoint::with_own_reply(get_profile_field::handle))
        .with(Endpoint::streaming::<profile::set_profile_field::v3::Request, _, _, _>(
            set_profile_field::handle,
        ))
}

/// Carries a changed profile into the user's rooms, as far as rooms show it.
pub(super) async fn tell_rooms(api: &ClientApi, actor: &Actor, field: &str) -> Result<(), ApiError> {
    if matches!(field, "displayname" | "avatar_url") {
        api.rooms.profile_changed(actor).await?;
    }
    Ok(())
}
