//! `POST /_matrix/client/v3/register/email/requestToken` and `…/msisdn/requestToken`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken>).

use parvis_accounts::{AddressError, AddressPurpose, MailTokenRequest};
use parvis_wire::Call;
use ruma::api::client::account::{
    request_registration_token_via_email::v3 as email, request_registration_token_via_msisdn::v3 as msisdn,
};

use super::send_mail;
use crate::{ApiError, ClientApi};

/// Sends a mail with a link by which somebody proves the address with which they register.
pub(super) async fn via_email(
    api: ClientApi,
    call: Call<email::Request, ()>,
) -> Result<email::Response, ApiError> {
    let email::Request { client_secret, email, send_attempt, next_link, .. } = &call.request;
    let request = MailTokenRequest {
        purpose: AddressPurpose::Register,
        client_secret: client_secret.as_str(),
        email,
        send_attempt: (*send_attempt).into(),
        next_link: next_link.as_deref(),
        languages: None,
    };
    Ok(email::Response::new(send_mail(&api, &call.parts, request).await?))
}

/// Nothing is sent to phones.
pub(super) async fn via_msisdn(
    _: ClientApi,
    _: Call<msisdn::Request, ()>,
) -> Result<msisdn::Response, ApiError> {
    Err(AddressError::NoPhones.into())
}
