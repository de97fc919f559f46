//! `GET /_matrix/client/versions`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions>).

use parvis_wire::Call;
use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Clients choose their paths by this list, so a version is added when all that clients take from it works.
const VERSIONS: [&str; 19] = [
    "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9",
    "v1.10", "v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16",
];

/// What clients look for under names of before it was specified, and what is not specified yet.
const UNSTABLE: [&str; 16] = [
    "fi.mau.msc2659.stable",
    "org.matrix.e2e_cross_signing",
    "org.matrix.msc2285.stable",
    "org.matrix.msc3440.stable",
    "org.matrix.msc3827.stable",
    // Pushers that are switched on and off from other devices.
    "org.matrix.msc3881",
    "org.matrix.msc3916.stable",
    // Events that are sent later.
    "org.matrix.msc4140",
    // Media servers for calls.
    "org.matrix.msc4143",
    "org.matrix.msc4222",
    // Threads that users follow.
    "org.matrix.msc4306",
    // Sliding sync.
    "org.matrix.simplified_msc3575",
    "uk.half-shot.msc2666.query_mutual_rooms",
    "uk.half-shot.msc2666.query_mutual_rooms.stable",
    "uk.tcpip.msc4133",
    "uk.tcpip.msc4133.stable",
];

/// Letting apps in by QR codes, where the organisation wants it.
const QR_CODES: &str = "org.matrix.msc4108";

/// The specification's versions, and the unstable features which work here.
pub(super) async fn handle(api: ClientApi, _: Call<Request, Option<Session>>) -> Result<Response, ApiError> {
    let mut response = Response::new(VERSIONS.map(str::to_owned).to_vec());
    let forced = api
        .organisation
        .standing()
        .now()
        .encryption
        .forced_presets()
        .into_iter()
        .filter(|(_, forced)| *forced);
    let qr_codes = api.sign_on.as_deref().is_some_and(|sign_on| sign_on.qr_codes);
    let works = UNSTABLE.into_iter().chain(forced.map(|(name, _)| name)).chain(qr_codes.then_some(QR_CODES));
    response.unstable_features = works.map(|name| (name.to_owned(), true)).collect();
    Ok(response)
}
