//! `GET /_matrix/client/v1/media/config`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediaconfig>).

use parvis_wire::Call;
use ruma::{
    UInt,
    api::client::authenticated_media::get_media_config::v1::{Request, Response},
};

use crate::{ApiError, ClientApi, Session};

/// How large a file may be.
pub(super) async fn handle(api: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(UInt::new_saturating(api.media.max_upload_bytes())))
}
