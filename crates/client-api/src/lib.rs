//! The client-server API: HTTP and JSON for clients.
//!
//! A handler takes a typed request and a caller, calls one operation of one engine, and converts the answer.
//! Status codes and errcodes are found here and nowhere below. Decisions and rules are the engines'.
//!
//! To add an endpoint: a file `endpoints/<section>/<operation>.rs`, named as ruma names it, with a function
//! `handle`, and a line in `endpoints/<section>.rs`.

mod actor;
mod api;
mod calls;
mod completion;
mod endpoints;
mod error;
mod interactive;
mod mail_page;
mod media_request;
mod pages;
mod permitted;
mod query;
mod rate_limit;
mod reply;
mod served_file;
mod services;
mod session;
mod sign_on;

pub use api::{Bounds, ClientApi, Discovery, Handles, RoomVersions};
pub use calls::{Calls, TurnCredentials, TurnServers};
pub use error::ApiError;
pub use parvis_accounts::Session;
pub use rate_limit::{RateLimit, RateLimitKey, RateLimitSettings, RateLimiter, RateLimits};
pub use sign_on::{Accent, Logo, SignOn};

/// The router of the client-server API, to be put into the envelope. `body_limit_bytes` bounds JSON bodies.
pub fn router(api: ClientApi, body_limit_bytes: usize) -> axum::Router {
    endpoints::all().into_router(api, body_limit_bytes)
}

/// The text of an answer to a sync, as its endpoint writes it.
pub fn sync_text(answer: &parvis_sync::SyncAnswer, filter: &parvis_sync::Filter) -> Vec<u8> {
    reply::sync_text(answer, filter, reply::StateField::Before)
}

/// The methods and paths that are answered, in order of path.
pub fn routes() -> Vec<(http::Method, String)> {
    endpoints::all().list()
}

/// What is answered, and by which function.
pub fn endpoints() -> Vec<parvis_wire::Description> {
    endpoints::all().describe()
}
