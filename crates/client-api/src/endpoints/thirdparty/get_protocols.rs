//! `GET /_matrix/client/v3/thirdparty/protocols`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocols>).

use std::collections::BTreeMap;

use parvis_wire::Call;
use ruma::api::client::thirdparty::get_protocols::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// The other networks to which there are bridges: there are none.
pub(super) async fn handle(_: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(BTreeMap::new()))
}
