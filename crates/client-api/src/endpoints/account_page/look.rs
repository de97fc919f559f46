//! The style of the pages, and the organisation's sign.

use axum::response::{IntoResponse as _, Response};
use http::header;
use parvis_wire::{MatrixError, Stream};

use crate::{ApiError, ClientApi, sign_on::style_sheet};

/// How long a browser may keep them.
const KEPT: &str = "public, max-age=3600";

pub(super) async fn style(api: ClientApi, _: Stream<()>) -> Result<Response, ApiError> {
    let sign_on = api.sign_on.as_deref().ok_or_else(MatrixError::unrecognized)?;
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, KEPT)];
    Ok((headers, style_sheet(sign_on)).into_response())
}

pub(super) async fn logo(api: ClientApi, _: Stream<()>) -> Result<Response, ApiError> {
    let logo = api.sign_on.as_deref().and_then(|sign_on| sign_on.logo.clone());
    let logo = logo.ok_or_else(MatrixError::unrecognized)?;
    // A drawing could hold scripts for those who open it by itself.
    let headers = [
        (header::CONTENT_TYPE, logo.content_type),
        (header::CACHE_CONTROL, KEPT),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, logo.bytes).into_response())
}
