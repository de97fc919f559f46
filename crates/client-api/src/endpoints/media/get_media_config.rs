//! `GET /_matrix/media/v3/config`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3config>).

use parvis_wire::Call;
#[expect(deprecated, reason = "old clients still ask in the old way")]
use ruma::{
    UInt,
    api::client::media::get_media_config::v3::{Request, Response},
};

use crate::{ApiError, ClientApi, Session};

/// How large a file may be.
#[expect(deprecated, reason = "old clients still ask in the old way")]
pub(super) async fn handle(api: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(UInt::new_saturating(api.media.max_upload_bytes())))
}
