//! Uploads, and the downloads of old, for which nobody needs to say who they are
//! (<https://spec.matrix.org/v1.19/client-server-api/#content-repository>).

mod create_content;
mod create_content_async;
mod create_mxc_uri;
mod get_content;
mod get_content_as_filename;
mod get_content_thumbnail;
mod get_media_config;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::media;

use crate::ClientApi;

#[expect(deprecated, reason = "old clients and bridges still ask in the old way")]
pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<media::create_content::v3::Request, _, _, _>(create_content::handle))
        .with(Endpoint::streaming::<media::create_content_async::v3::Request, _, _, _>(
            create_content_async::handle,
        ))
        .with(Endpoint::typed(create_mxc_uri::handle))
        .with(Endpoint::streaming::<media::get_content::v3::Request, _, _, _>(get_content::handle))
        .with(Endpoint::streaming::<media::get_content_as_filename::v3::Request, _, _, _>(
            get_content_as_filename::handle,
        ))
        .with(Endpoint::streaming::<media::get_content_thumbnail::v3::Request, _, _, _>(
            get_content_thumbnail::handle,
        ))
        .with(Endpoint::typed(get_media_config::handle))
}
