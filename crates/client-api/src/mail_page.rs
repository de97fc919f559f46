//! The pages to which links in mails lead.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use parvis_accounts::PageKind;

use crate::ClientApi;

/// A page that runs nothing, is kept nowhere, and tells nobody from where its reader comes.
pub(crate) fn page(api: &ClientApi, headers: &HeaderMap, kind: PageKind, status: StatusCode) -> Response {
    let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, api.accounts.page(kind, languages)).into_response()
}
