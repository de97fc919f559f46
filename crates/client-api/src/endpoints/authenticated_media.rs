//! Downloads for those who are logged in
//! (<https://spec.matrix.org/v1.19/client-server-api/#content-repository>).

mod get_content;
mod get_content_as_filename;
mod get_content_thumbnail;
mod get_media_config;
mod get_media_preview;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::authenticated_media as media;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<media::get_content::v1::Request, _, _, _>(get_content::handle))
        .with(Endpoint::streaming::<media::get_content_as_filename::v1::Request, _, _, _>(
            get_content_as_filename::handle,
        ))
        .with(Endpoint::streaming::<media::get_content_thumbnail::v1::Request, _, _, _>(
            get_content_thumbnail::handle,
        ))
        .with(Endpoint::typed(get_media_config::handle))
        .with(
            Endpoint::own(Method::GET, get_media_preview::PATH, get_media_preview::handle)
                .also_at(get_media_preview::OLD)
                .also_at(get_media_preview::OLDER),
        )
}
