//! `GET /.well-known/matrix/client`
//! (<https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient>).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use parvis_policy::encryption::PublishedDefault;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Request};
use serde::Serialize;
use serde_json::Value;

use crate::{ApiError, ClientApi};

#[derive(Serialize)]
struct Document {
    #[serde(rename = "m.homeserver")]
    homeserver: HomeserverInfo,
    /// Element's name for the default for encryption.
    #[serde(rename = "io.element.e2ee", skip_serializing_if = "Option::is_none")]
    encryption: Option<PublishedDefault>,
    /// The same under its name of old, for clients which know only that.
    #[serde(rename = "im.vector.riot.e2ee", skip_serializing_if = "Option::is_none")]
    encryption_legacy: Option<PublishedDefault>,
    /// Whether Element lays by devices.
    #[serde(rename = "org.matrix.msc3814", skip_serializing_if = "std::ops::Not::not")]
    dehydrated_devices: bool,
    /// Media servers for group calls, for apps that do not ask the homeserver.
    #[serde(rename = "org.matrix.msc4143.rtc_foci", skip_serializing_if = "Vec::is_empty")]
    rtc_foci: Vec<Value>,
}

/// Where the homeserver is, and the organisation's default for encryption.
pub(super) async fn handle(api: ClientApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    let encryption = api.organisation.standing().now().encryption.published_default().outcome;
    let homeserver = HomeserverInfo::new(api.discovery.public_base_url.clone());
    let dehydrated_devices = api.discovery.dehydrated_devices;
    let rtc_foci = api.calls.transports();
    let document =
        Document { homeserver, encryption, encryption_legacy: encryption, dehydrated_devices, rtc_foci };
    let body = serde_json::to_vec(&document).map_err(MatrixError::internal)?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([json], body).into_response())
}
