//! What lies around all routes: fallbacks, panics, request ids, CORS.

use std::any::Any;

use axum::{Router, middleware, response::IntoResponse, response::Response};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{MatrixError, Telemetry, cors, telemetry};

/// How the envelope is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where request ids and durations come from.
    pub telemetry: Telemetry,
}

/// Puts the envelope around a finished router. To be called once, last: routes added afterwards are outside.
pub fn envelope(router: Router, settings: &Settings) -> Router {
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(middleware::from_fn_with_state(settings.telemetry.clone(), telemetry::observe))
        .layer(middleware::from_fn(cors::cors))
}

async fn unknown_path() -> MatrixError {
    MatrixError::unrecognized()
}

async fn wrong_method() -> MatrixError {
    MatrixError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ruma::api::error::ErrorCode::Unrecognized,
        "This endpoint exists, but not with this method.",
    )
}

/// The panic itself is already logged, once, by the panic hook, which alone knows where it happened.
fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    MatrixError::opaque().into_response()
}
