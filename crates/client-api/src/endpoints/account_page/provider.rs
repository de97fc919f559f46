//! Signing in at an identity provider of the organisation's, and coming back.

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::{ProviderAnswer, ProviderError, ProviderSignIn};

use crate::pages::{CALLBACK, PageError, Visit, absolute, redirect, safe_next};

/// Sends the browser to a provider.
pub(super) async fn begin(visit: Visit) -> Result<Response, PageError> {
    visit.count_address()?;
    let next = safe_next(visit.query.get("next"));
    let id = visit.query.get("provider").unwrap_or_default();
    let callback = absolute(&visit.api, CALLBACK);
    let begun = visit.api.accounts.begin_at_provider(id, &callback, &next, &visit.secret).await;
    Ok(redirect(&begun.map_err(refused)?))
}

/// Signs in whoever comes back. Nothing is counted: what they bring cannot be guessed.
pub(super) async fn end(visit: Visit) -> Result<Response, PageError> {
    let answer = ProviderAnswer {
        state: visit.query.get("state"),
        code: visit.query.said("code"),
        error: visit.query.said("error"),
        iss: visit.query.said("iss"),
    };
    let callback = absolute(&visit.api, CALLBACK);
    let come = visit.api.accounts.come_from_provider(answer, &callback, &visit.secret).await;
    let ProviderSignIn { sign_in, next } = come.map_err(refused)?;
    visit.api.accounts.sign_out(&visit.secret).await?;
    Ok(visit.go_signed_in(&safe_next(Some(&next)), &sign_in))
}

/// What people are told; whoever runs the server finds more in the log.
fn refused(error: ProviderError) -> PageError {
    if let ProviderError::Storage(error) = error {
        return error.into();
    }
    tracing::warn!(%error, "somebody could not sign in by an identity provider");
    let forbidden = |sentence| PageError::new(StatusCode::FORBIDDEN, sentence);
    match error {
        ProviderError::Unknown | ProviderError::NotBegun => {
            PageError::new(StatusCode::BAD_REQUEST, |words| words.provider_not_begun)
        }
        ProviderError::Denied => forbidden(|words| words.provider_denied),
        ProviderError::NotBelieved(_) => forbidden(|words| words.provider_not_believed),
        ProviderError::NoName(_) => forbidden(|words| words.provider_no_name),
        ProviderError::Taken => forbidden(|words| words.provider_taken),
        ProviderError::NotInGroup => forbidden(|words| words.provider_not_in_group),
        ProviderError::NoAccount => forbidden(|words| words.provider_no_account),
        ProviderError::Locked => forbidden(|words| words.locked),
        ProviderError::Deactivated => forbidden(|words| words.deactivated),
        ProviderError::Busy => PageError::new(StatusCode::TOO_MANY_REQUESTS, |words| words.too_many),
        ProviderError::Unreachable(_) | ProviderError::Storage(_) => {
            PageError::new(StatusCode::BAD_GATEWAY, |words| words.provider_unreachable)
        }
    }
}
