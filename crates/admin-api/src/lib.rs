//! The administration API: HTTP and JSON for those who administer the organisation's server.
//!
//! Its paths begin with `/_parvis/admin`; docs/operations describes them. A caller needs the access token of an
//! administrator's account. No endpoint here shows what people have written to one another, but for what
//! one of them has reported.

mod caller;
mod endpoints;
mod error;

pub use caller::Administrator;
use parvis_accounts::Accounts;
use parvis_organisation::Organisation;
use parvis_rooms::Rooms;

/// The state of the handlers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdminApi {
    /// The organisation's policy.
    pub organisation: Organisation,
    /// The rooms.
    pub rooms: Rooms,
    /// Who belongs here.
    pub accounts: Accounts,
}

/// The router of the administration API, to be put into the envelope. `body_limit_bytes` bounds JSON bodies.
pub fn router(api: AdminApi, body_limit_bytes: usize) -> axum::Router {
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
