//! `GET /.well-known/matrix/support`
//! (<https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport>).

use parvis_wire::{Call, MatrixError};
use ruma::api::client::discovery::discover_support::{Request, Response};

use crate::{ApiError, ClientApi};

/// Whom to ask for help, if the organisation says so.
pub(super) async fn handle(api: ClientApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    let discovery = &api.discovery;
    if discovery.support_contacts.is_empty() && discovery.support_page.is_none() {
        return Err(MatrixError::not_found("No support is named here.").into());
    }
    let mut response = Response::with_contacts(discovery.support_contacts.clone());
    response.support_page.clone_from(&discovery.support_page);
    Ok(response)
}
