//! The HTTP envelope: from axum to ruma's typed requests and back.
//!
//! An API crate writes handlers from a [`Call`] to a typed response and registers them as [`Endpoint`]s; method,
//! paths and the kind of authentication come from the request type. Everything that is the same for all
//! endpoints is done here: reading and judging bodies, authentication, the form of errors, CORS, request ids,
//! panics, fallbacks. This crate knows nothing of accounts, rooms or any other content.

mod authentication;
mod body;
mod client_address;
mod cors;
mod endpoint;
mod envelope;
mod error;
mod telemetry;

pub use authentication::{Authenticator, Scheme, access_token, bearer_token};
pub use body::{parse_json, read_body};
pub use client_address::ClientAddress;
pub use cors::SameOrigin;
pub use endpoint::{Call, Description, Endpoint, Endpoints, Stream, json_response, typed_response};
pub use envelope::{Settings, envelope};
pub use error::MatrixError;
pub use telemetry::{Route, Telemetry};
