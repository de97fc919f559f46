//! The server-server API: HTTP and JSON for other homeservers.
//!
//! A handler takes a typed request and the server that signed it, calls one operation of one engine, and converts
//! the answer. Status codes and errcodes are found here and nowhere below. Decisions and rules are the engines'.
//!
//! To add an endpoint: a file `endpoints/<section>/<operation>.rs`, named as ruma names it, with a function
//! `handle`, and a line in `endpoints/<section>.rs`. The kind of authentication is part of the request type: who
//! takes `Call<Request, Origin>` is only called once the signature has been verified.
//!
//! <https://spec.matrix.org/v1.19/server-server-api/>

mod api;
mod edus;
mod endpoints;
mod error;
mod key_documents;
mod origin;
mod partners;
mod reply;
mod signed_request;
mod x_matrix;

pub use api::FederationApi;
pub use error::ApiError;
pub use key_documents::{KeyDocuments, OwnKey};
pub use origin::{Claim, Origin};
pub use partners::{Everybody, Partners};

/// The router of the server-server API, to be put into the envelope. `body_limit_bytes` bounds JSON bodies.
pub fn router(api: FederationApi, body_limit_bytes: usize) -> axum::Router {
    endpoints::all().into_router(api, body_limit_bytes)
}

/// The methods and paths that are answered, in order of path.
pub fn routes() -> Vec<(http::Method, String)> {
    endpoints::all().list()
}

/// What is answered, and by which function.
pub fn endpoints() -> Vec<parvis_wire::Description> {
    endpoints::all().describe()
}
