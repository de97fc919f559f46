//! From an access token to the session that it belongs to.

use std::sync::Arc;

use http::request::Parts;
use parvis_accounts::{AuthError, Session};
use parvis_application_services::ApplicationService;
use parvis_wire::{Authenticator, ClientAddress, MatrixError, access_token};
use ruma::UserId;
use serde::Deserialize;

use crate::{ApiError, ClientApi, permitted, query::parse_query};

impl Authenticator for ClientApi {
    type Principal = Session;

    async fn authenticate(&self, token: &str, request: &Parts) -> Result<Session, MatrixError> {
        if let Some(service) = self.accounts.service_by_token(token) {
            let session = act(self, service, request).await?;
            return permitted::check(&session, request).map(|()| session);
        }
        let from = request.extensions.get::<ClientAddress>().map(|address| address.0);
        match self.accounts.authenticate(token, from).await {
            // A locked user may still log out (https://spec.matrix.org/v1.19/client-server-api/#account-locking).
            Err(AuthError::Locked(session)) if is_logout(request.uri.path()) => Ok(*session),
            Ok(session) => permitted::check(&session, request).map(|()| session),
            Err(error) => Err(ApiError::from(error).into()),
        }
    }
}

/// As whom an application service acts (<https://spec.matrix.org/v1.19/application-service-api/#identity-assertion>).
#[derive(Deserialize)]
struct Assertion {
    user_id: Option<String>,
    device_id: Option<String>,
    #[serde(rename = "org.matrix.msc3202.device_id")]
    msc3202_device_id: Option<String>,
}

async fn act(
    api: &ClientApi,
    service: &Arc<ApplicationService>,
    request: &Parts,
) -> Result<Session, ApiError> {
    let Assertion { user_id, device_id, msc3202_device_id } = parse_query(&request.uri)?;
    let device_id = device_id.or(msc3202_device_id);
    Ok(api.accounts.act_for(service, user_id.as_deref(), device_id.as_deref()).await?)
}

/// The application service that calls an endpoint which is open to clients without a session too.
///
/// # Errors
/// `M_MISSING_TOKEN`, or `M_UNKNOWN_TOKEN` for the token of somebody else.
pub(crate) fn calling_service(
    api: &ClientApi,
    request: &Parts,
) -> Result<Arc<ApplicationService>, MatrixError> {
    let token = access_token(request)?;
    let token =
        token.ok_or_else(|| MatrixError::missing_token("The token of an application service is needed."))?;
    let service = api.accounts.service_by_token(&token);
    service.cloned().ok_or_else(|| MatrixError::unknown_token(false))
}

fn is_logout(path: &str) -> bool {
    path.ends_with("/logout") || path.ends_with("/logout/all")
}

/// Refuses what somebody wants to do with the data of another user.
pub(crate) fn check_own(session: &Session, user_id: &UserId) -> Result<(), MatrixError> {
    if session.user_id == *user_id {
        Ok(())
    } else {
        Err(MatrixError::forbidden("This belongs to another user."))
    }
}
