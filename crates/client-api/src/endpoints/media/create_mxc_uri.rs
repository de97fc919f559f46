//! `POST /_matrix/media/v1/create`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav1create>).

use parvis_wire::Call;
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::media::create_mxc_uri::v1::{Request, Response},
};

use crate::{ApiError, ClientApi, Session};

/// Gives a URI whose content is still to come.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let created = api.media.create(&call.principal.user_id).await?;
    let mut response = Response::new(created.uri);
    let expires = UInt::try_from(created.unused_expires_at.millis()).ok();
    response.unused_expires_at = expires.map(MilliSecondsSinceUnixEpoch);
    Ok(response)
}
