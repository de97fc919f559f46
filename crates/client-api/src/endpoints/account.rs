//! Accounts: making, changing and closing them
//! (<https://spec.matrix.org/v1.19/client-server-api/#account-registration-and-management>).

mod add_3pid;
mod bind_3pid;
mod change_password;
mod check_registration_token_validity;
mod deactivate;
mod delete_3pid;
mod get_3pids;
mod get_username_availability;
mod register;
mod request_3pid_management_token;
mod request_openid_token;
mod request_password_change_token;
mod request_registration_token;
mod submit_token;
mod unbind_3pid;
mod whoami;

use http::{Method, header, request::Parts};
use parvis_accounts::{AddressError, MailTokenRequest};
use parvis_wire::{ClientAddress, Endpoint, Endpoints};
use ruma::{OwnedSessionId, api::client::account};

use crate::{ApiError, ClientApi, RateLimitKey};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<account::register::v3::Request, _, _, _>(register::handle))
        .with(Endpoint::streaming::<account::change_password::v3::Request, _, _, _>(change_password::handle))
        .with(Endpoint::streaming::<account::deactivate::v3::Request, _, _, _>(deactivate::handle))
        .with(Endpoint::typed(check_registration_token_validity::handle))
        .with(Endpoint::typed(get_username_availability::handle))
        .with(Endpoint::with_own_reply(get_3pids::handle))
        .with(Endpoint::streaming::<account::add_3pid::v3::Request, _, _, _>(add_3pid::handle))
        .with(
            Endpoint::streaming::<account::add_3pid::v3::Request, _, _, _>(add_3pid::handle_older)
                .only_at("/_matrix/client/v3/account/3pid")
                .also_at("/_matrix/client/r0/account/3pid"),
        )
        .with(Endpoint::typed(bind_3pid::handle))
        .with(Endpoint::typed(delete_3pid::handle))
        .with(Endpoint::typed(unbind_3pid::handle))
        .with(Endpoint::typed(request_3pid_management_token::via_email))
        .with(Endpoint::typed(request_3pid_management_token::via_msisdn))
        .with(Endpoint::typed(request_registration_token::via_email))
        .with(Endpoint::typed(request_registration_token::via_msisdn))
        .with(Endpoint::typed(request_password_change_token::via_email))
        .with(Endpoint::typed(request_password_change_token::via_msisdn))
        .with(Endpoint::open(Method::GET, submit_token::PATH, submit_token::show))
        .with(Endpoint::open(Method::POST, submit_token::PATH, submit_token::submit))
        .with(Endpoint::typed(request_openid_token::handle))
        .with(Endpoint::typed(whoami::handle))
}

/// Has a link sent to a mail address; gives the name of the proof to be. Counts for whoever asks and for the address.
async fn send_mail(
    api: &ClientApi,
    parts: &Parts,
    request: MailTokenRequest<'_>,
) -> Result<OwnedSessionId, ApiError> {
    if !api.accounts.sends_mail() {
        return Err(AddressError::NoMail.into());
    }
    let from = parts.extensions.get::<ClientAddress>().map(|address| address.0);
    api.limits.mails.count(RateLimitKey::Address(from))?;
    api.limits.mails.count(RateLimitKey::Account(request.email.to_lowercase()))?;
    let languages = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let sid = api.accounts.send_mail_token(MailTokenRequest { languages, ..request }).await?;
    Ok(OwnedSessionId::try_from(sid).map_err(parvis_wire::MatrixError::internal)?)
}
